"""Online softmax's update against its one-step specification, for all states and blocks; and its
queues: no beat of a key is dropped or comes twice, whatever waits."""

from amaranth.hdl import Assert, Mux, Signal, signed

from matweave.hw.attention.accumulate import ShiftAccumulator
from matweave.hw.attention.blocks import BlockQueue
from matweave.hw.attention.running import RunningMaximum
from matweave.hw.formats import Format

from .harness import check, refute


def update(*, fault=False):
    """Two blocks after any state: M' = max(M, c), O' = floor(O / 2**(M' − M)) + what is added,
    rounded half up at 2**(M' − c)."""
    maximum, shift_bits, sums, products = Format(11), 5, Format(20), Format(14)

    def body(m, ports):
        m.submodules.running = running = RunningMaximum(maximum=maximum, shift_bits=shift_bits)
        m.submodules.state = state = ShiftAccumulator(
            i_format=products, o_format=sums, shift_bits=shift_bits
        )
        top = Signal(signed(11), name="top")
        m.d.comb += [
            running.first.eq(ports.first),
            running.m.eq(top),
            running.c.eq(ports.c),
            state.en.eq(ports.en),
            state.first.eq(ports.first),
            state.shift.eq(running.shift),
            state.align.eq(running.align),
            state.i.eq(ports.i),
        ]
        rises = ports.c - top
        before = Signal(signed(20), name="before")
        wanted = Signal(signed(20), name="wanted")
        checked = Signal(name="checked")
        highest = Signal(signed(11), name="highest")
        distance = Mux(rises > 0, rises, 0)
        falls = Mux((rises < 0) & ~ports.first, -rises, 0)
        # Half up: beyond the width of what is added there is nothing of it.
        halved = ((ports.i << 1) >> falls[:5]) + 1
        added = Signal(signed(16), name="added")
        m.d.comb += added.eq(Mux(falls > 15, 0, halved >> 1))
        # Beyond the width of a sum there is nothing but its sign.
        shifted = Mux(distance > 30, Mux(state.o < 0, -1, 0), state.o >> distance[:5])
        m.d.comb += before.eq(shifted if not fault else state.o >> distance[:5])
        m.d.sync += checked.eq(ports.en)
        with m.If(ports.en):
            m.d.sync += [
                top.eq(running.o),
                highest.eq(Mux(ports.first | (ports.c > top), ports.c, top)),
                wanted.eq(Mux(ports.first, 0, before) + added),
            ]
        with m.If(checked):
            m.d.comb += [Assert(top == highest), Assert(state.o == wanted)]

    return {"first": 1, "en": 1, "c": signed(11), "i": signed(14)}, body


def test_the_update_is_its_one_step_specification():
    check(*update(), mode="induction", depth=2)


def test_a_shift_that_wraps_instead_of_saturating_is_found():
    refute(*update(fault=True), mode="bmc", depth=5)


def queue(*, fault=False):
    """Beats are numbered as they go in; they come out in that order, and only in whole blocks."""
    depth = 4

    def body(m, ports):
        m.submodules.dut = dut = BlockQueue(width=4, depth=depth, maximum=Format(3))
        sent, given, whole = (Signal(4, name=name) for name in ("sent", "given", "whole"))
        inside = Signal(range(depth + 1), name="inside")
        push, pop = Signal(name="push"), Signal(name="pop")
        m.d.comb += [
            push.eq(ports.offer & (inside != depth)),
            dut.i_valid.eq(push),
            dut.i_end.eq(ports.end),
            dut.i_data.eq(sent),
            dut.i_highest.eq(ports.highest),
            dut.o_ready.eq(ports.ready),
            pop.eq(dut.o_valid & dut.o_ready),
        ]
        m.d.sync += [
            inside.eq(inside + push - pop),
            sent.eq(sent + push),
            given.eq(given + pop),
        ]
        with m.If(push & ports.end):
            m.d.sync += whole.eq(sent + 1)
        left = Mux(push & ports.end, sent + 1, whole)
        with m.If(dut.o_valid):
            m.d.comb += Assert(dut.o_data == (given + 1 if fault else given))
        # Something is offered if and only if a whole block is inside.
        m.d.comb += Assert(dut.o_valid == ((left - given)[:4] != 0))

    return {"offer": 1, "end": 1, "highest": signed(3), "ready": 1}, body


def test_no_beat_of_a_block_is_dropped_or_comes_twice():
    check(*queue(), mode="bmc", depth=9)


def test_a_beat_out_of_order_is_found():
    refute(*queue(fault=True), mode="bmc", depth=5)
