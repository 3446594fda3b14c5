"""The link's parts in Amaranth's simulator, and the numbers that they refuse."""

import pytest
from amaranth.sim import Simulator

from matweave.fpga.host.protocol import FrameDecoder, frame
from matweave.hw.link.beats import BeatSender
from matweave.hw.link.executor import Executor
from matweave.hw.link.link import HostLink
from matweave.hw.link.linked import LinkedEngine

from .toy import Endless, Golden, linked

RIGHT = {
    "limit": 64,
    "address_width": 6,
    "sinks": (("a", 60),),
    "sources": (("c", 60),),
    "identity": bytes(16),
    "patience": 64,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"limit": 32}, "limit must be a power of two of at least 64, not 32"),
        ({"limit": 96}, "limit must be a power of two of at least 64, not 96"),
        ({"limit": 1 << 16}, "limit must be at most 32768, not 65536"),
        ({"patience": 0}, "patience must be a power of two of at least 1, not 0"),
        ({"identity": b"short"}, "identity must be 16 bytes, not 5"),
        ({"sinks": (("a", 61),)}, "a beat of a must have 1 to 60 bytes, not 61; limit is 64"),
        ({"sources": (("c", 0),)}, "a beat of c must have 1 to 60 bytes, not 0; limit is 64"),
    ],
)
def test_numbers_that_a_link_cannot_have_are_refused(change, message):
    Executor(**RIGHT)
    with pytest.raises(ValueError) as error:
        Executor(**RIGHT | change)
    assert str(error.value) == message
    with pytest.raises(ValueError, match="must"):
        HostLink(clock_frequency=8, baud=1, **RIGHT | change)


@pytest.mark.parametrize(("n_bytes", "limit"), [(60, 512), (508, 512), (509, 1024), (1020, 1024)])
def test_a_linked_engine_has_room_for_its_beats(n_bytes, limit):
    engine = LinkedEngine(
        engine=Endless,
        parameters={"n_bytes": n_bytes},
        clock_frequency=8,
        baud=1,
        identity=bytes(16),
    )
    assert engine.link.limit == limit


def test_a_beat_is_held_until_accepted_or_cleared():
    dut = BeatSender(n_bytes=3)

    async def process(ctx):
        async def load(beat, last):
            for index, byte in enumerate(beat):
                ctx.set(dut.shift, 1)
                ctx.set(dut.i_byte, byte)
                ctx.set(dut.offer, index == 2)
                ctx.set(dut.last, last)
                assert not ctx.get(dut.full) and not ctx.get(dut.o_tvalid)
                await ctx.tick()
            ctx.set(dut.shift, 0)
            ctx.set(dut.offer, 0)
            ctx.set(dut.i_byte, 0xEE)
            ctx.set(dut.last, not last)

        for number, last in enumerate((0, 1, 0)):
            await load(bytes([number, 0x80, 0xFF]), last)
            for _ in range(5):
                assert ctx.get(dut.full) and ctx.get(dut.o_tvalid)
                assert ctx.get(dut.o_tdata) == 0xFF8000 + number
                assert ctx.get(dut.o_tlast) == last
                await ctx.tick()
            port = dut.clear if number == 1 else dut.o_tready
            ctx.set(port, 1)
            await ctx.tick()
            ctx.set(port, 0)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(process)
    simulator.run()


def test_the_whole_link_in_amaranths_simulator():
    """The same golden model as for the compiled gateware, on pins driven by hand."""
    dut = linked()
    golden = Golden()
    asked = [
        bytes([5, 2, 0, 0, 0, 0]),  # before the greeting
        bytes([5, 0]) + b"\x7e\x7d nonce",
        bytes([6, 1, 4, 0, 0, 0, 0x7D, 0x7E, 3, 4]),
        bytes([6, 1, 4, 0, 0, 0, 0x7D, 0x7E, 3, 4]),
        bytes([7, 2, 0, 0, 0, 0, 4, 0, 0, 0, 8, 0, 0, 0]),
        bytes([8, 3, 0x80]) + bytes(range(9)),
        bytes([9, 3, 0x80]) + bytes(range(9)),
        bytes([10, 4, 0, 2, 0]),
        bytes([11, 4, 0, 0xFF, 0xFF]),
        bytes([12, 5]),
    ]
    decoder, answers = FrameDecoder(), []

    async def listen(ctx):
        while True:
            while ctx.get(dut.tx):
                await ctx.tick()
            await ctx.tick().repeat(4)
            byte = 0
            for bit in range(8):
                await ctx.tick().repeat(8)
                byte |= ctx.get(dut.tx) << bit
            await ctx.tick().repeat(8)
            assert ctx.get(dut.tx)
            answers.extend(decoder.feed(bytes([byte])))

    async def talk(ctx):
        ctx.set(dut.rx, 1)
        await ctx.tick().repeat(4)
        for request in asked:
            answers.clear()
            for byte in frame(request):
                for bit in (0, *(byte >> i & 1 for i in range(8)), 1):
                    ctx.set(dut.rx, bit)
                    await ctx.tick().repeat(8)
            while not answers:
                await ctx.tick().repeat(20)
            assert answers == [golden.answer(request)], request.hex()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(listen, background=True)
    simulator.add_testbench(talk)
    simulator.run()
