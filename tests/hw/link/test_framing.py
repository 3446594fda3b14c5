"""Frames in Amaranth's simulator, against zlib and the client's decoder."""

import random
import zlib

import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from matweave.fpga.host.protocol import FrameDecoder, frame
from matweave.hw.link.framing import FrameReceiver, FrameSender
from matweave.hw.stream import HeldMemory

LIMIT = 64


def receive(chunks, *, hold=()):
    """(contents, dropped) that a receiver sees; ``hold``: the bytes during which it is on hold."""
    dut = FrameReceiver(limit=LIMIT)
    memory, contents, dropped = [None] * LIMIT, [], []

    async def process(ctx):
        for index, byte in enumerate(chunks):
            ctx.set(dut.i_data, byte)
            ctx.set(dut.i_valid, 1)
            ctx.set(dut.hold, index in hold)
            if ctx.get(dut.w_en):
                memory[ctx.get(dut.w_addr)] = ctx.get(dut.w_data)
            if ctx.get(dut.done):
                contents.append(bytes(memory[: ctx.get(dut.length)]))
            dropped.append(ctx.get(dut.dropped))
            await ctx.tick()
            ctx.set(dut.i_valid, 0)
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(process)
    simulator.run()
    return contents, sum(dropped)


def test_one_byte_after_another_the_check_is_zlibs(seed):
    """All values of the last byte, after random contents of all lengths."""
    rng = random.Random(seed)
    sent = [rng.randbytes(1 + value % (LIMIT - 1)) + bytes([value]) for value in range(256)]
    contents, dropped = receive(b"".join(map(frame, sent)))
    assert contents == sent
    assert dropped == 0


def test_what_is_wrong_is_dropped(seed):
    rng = random.Random(seed)
    good = rng.randbytes(20)
    wrong_fcs = (zlib.crc32(good) ^ 1 << rng.randrange(32)).to_bytes(4, "little")
    broken = [
        frame(good)[:-2] + b"\x7e",  # a byte is missing
        b"\x7e" + good.replace(b"\x7e", b"").replace(b"\x7d", b"") + wrong_fcs + b"\x7e",
        frame(good)[:-1] + b"\x7d\x7e",  # aborted
        b"\x7e\x7d\x7e",
        frame(b"\x01"),  # too short
        frame(bytes(LIMIT + 1)),
        frame(bytes(LIMIT + 5)),
    ]
    for each in broken:
        assert receive(each + frame(good)) == ([good], 1), each.hex()
        assert receive(each[:-1] + frame(good)) == ([good], 1), each.hex()  # one flag for both


@pytest.mark.parametrize("flags", [0, 1, 2, 5])
def test_flags_between_frames_are_nothing(flags):
    frames = frame(b"one frame") + b"\x7e" * flags + frame(b"and another")
    assert receive(frames) == ([b"one frame", b"and another"], 0)


def test_what_comes_during_a_hold_is_lost_until_a_flag():
    text = frame(b"first") + frame(b"second") + frame(b"third")
    first, second = len(frame(b"first")), len(frame(b"second"))
    for start in range(first, first + second - 1):
        assert receive(text, hold=range(start, start + 1)) == ([b"first", b"third"], 0)
    assert receive(text, hold=range(first + second)) == ([b"third"], 0)


def test_the_sender_sends_what_the_client_understands(seed):
    rng = random.Random(seed)
    special = bytes([0x7E, 0x7D, 0x5E, 0x5D, 0x7E, 0x7E, 0x7D])
    sent = [special, *(rng.randbytes(rng.randrange(2, LIMIT + 1)) for _ in range(20))]
    top = Module()
    top.submodules.dut = dut = FrameSender(limit=LIMIT)
    top.submodules.memory = memory = HeldMemory(width=8, depth=LIMIT)
    top.d.comb += [
        memory.r_en.eq(1),
        memory.r_addr.eq(dut.r_addr),
        dut.r_data.eq(memory.r_data),
    ]
    came = bytearray()

    async def drive(ctx):
        for contents in sent:
            for address, byte in enumerate(contents):
                ctx.set(memory.w_en, 1)
                ctx.set(memory.w_addr, address)
                ctx.set(memory.w_data, byte)
                await ctx.tick()
            ctx.set(memory.w_en, 0)
            ctx.set(dut.length, len(contents))
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            while ctx.get(dut.busy):
                ctx.set(dut.o_ready, rng.random() < 0.5)
                _, _, valid, ready, data = await ctx.tick().sample(
                    dut.o_valid, dut.o_ready, dut.o_data
                )
                if valid and ready:
                    came.append(data)

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    assert bytes(came) == b"".join(map(frame, sent))
    assert FrameDecoder(LIMIT).feed(bytes(came)) == sent
