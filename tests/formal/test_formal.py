"""The proof machinery itself: what it accepts, what it refuses, what it tells."""

import pytest
from amaranth.hdl import Assert, Assume, Instance, Signal

from matweave.hw.formats import Format
from matweave.sim.formal import opened, prove
from matweave.sim.toolchain import ToolError

from .harness import Harness
from .test_pe import accumulation


def counter(limit, step=1):
    """Counts enabled cycles and jumps back from ``limit``; it must stay at or below 5."""

    def body(m, ports):
        count = Signal(4)
        with m.If(ports.en):
            m.d.sync += count.eq(count + step)
        with m.If(count >= limit):
            m.d.sync += count.eq(0)
        m.d.comb += Assert(count <= 5)

    return Harness({"en": 1}, body)


def test_modes():
    assert prove(counter(5), mode="induction", depth=2).passed
    # A bug six steps away: not within five cycles, within seven, and never for induction.
    for mode, depth, passed in (("bmc", 5, True), ("bmc", 7, False), ("induction", 7, False)):
        proof = prove(counter(6), mode=mode, depth=depth)
        assert (proof.passed, proof.mode, proof.depth) == (passed, mode, depth)
    assert proof.seconds > 0


def test_true_but_not_inductive():
    """Steps of 2 from 0 never reach 5 — but an unreachable 3 leads there."""

    def body(m, ports):
        count = Signal(3)
        with m.If(ports.en):
            m.d.sync += count.eq(count + 2)
        m.d.comb += Assert(count != 5)

    assert prove(Harness({"en": 1}, body), mode="bmc", depth=10).passed
    proof = prove(Harness({"en": 1}, body), mode="induction", depth=3)
    assert not proof.passed and "induction failed" in proof.counterexample


def test_counterexample_names_the_assertion_and_the_inputs():
    def body(m, ports):
        m.d.comb += Assume(ports.a > 3)
        m.d.comb += Assert(ports.a * ports.b != 143)

    proof = prove(Harness({"a": 8, "b": 8}, body))
    assert not proof.passed
    assert "test_formal.py" in proof.counterexample
    a, b = (
        int(proof.counterexample.split(f"[{name}] #b")[1].split(")")[0], 2) for name in ("a", "b")
    )
    assert a * b == 143 and a > 3


@pytest.mark.parametrize("depth, passed", [(4, True), (6, False)])
def test_opened_reaches_registers(depth, passed):
    component = counter(5)
    inside, signals = opened(component)

    def body(m, ports):
        m.submodules.counter = inside
        m.d.comb += component.en.eq(ports.en)
        m.d.comb += Assert(signals["count"] != 4)

    harness = Harness({"en": 1}, body)
    assert prove(harness, mode="bmc", depth=depth).passed is passed
    with pytest.raises(ValueError, match="can be used once"):
        prove(harness, mode="bmc", depth=depth)


def test_memories():
    from matweave.hw.stream import BufferMemory

    def body(m, ports):
        m.submodules.memory = memory = BufferMemory(width=4, depth=8)
        written = Signal()
        m.d.comb += [memory.w_en.eq(~written), memory.w_data.eq(9), memory.w_addr.eq(5)]
        m.d.comb += memory.r_addr.eq(ports.address)
        m.d.sync += written.eq(1)
        read_five = Signal()
        m.d.sync += read_five.eq(ports.address == 5)
        m.d.comb += Assert(~read_five | (memory.r_data == 9))

    assert prove(Harness({"address": 3}, body), mode="bmc", depth=4).passed


def test_nothing_to_prove_is_an_error():
    with pytest.raises(ValueError, match="no assertion"):
        prove(Harness({"a": 1}, lambda m, ports: None))


def test_registers_need_a_mode():
    with pytest.raises(ValueError, match="the component has registers"):
        prove(counter(5))


def test_a_yosys_warning_is_an_error():
    """A cell that is not there would be a free output."""

    def body(m, ports):
        result = Signal()
        m.submodules.missing = Instance("nowhere", i_a=ports.a, o_y=result)
        m.d.comb += Assert(result)

    with pytest.raises(ToolError, match="nowhere"):
        prove(Harness({"a": 1}, body))


def test_a_proof_that_takes_too_long_ends():
    wide = Format(16)
    sixteen_bits = accumulation("booth", wide, wide, width=32, from_zero=True)
    with pytest.raises(ToolError, match="no result in 3 s"):
        prove(Harness(*sixteen_bits), timeout=3)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"mode": "sat"}, "mode must be comb, bmc or induction, not 'sat'"),
        ({"depth": 0}, "depth must be positive"),
        ({"depth": 2}, "1 in mode comb, not 2"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        prove(None, **options)
