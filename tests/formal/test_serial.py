"""Bit-weight serial arrays: a PE's number is what its digits and operands add up to, inductively,
and the drain's final addition adds."""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Mux, Signal

from matweave.hw.array.serial_cell import LINES, SerialCell, carry_places, state_bits
from matweave.hw.array.serial_drain import DrainLane, parts
from matweave.hw.formats import Format
from matweave.hw.pe import REGISTRY
from matweave.sim.formal import opened

from .harness import check, refute


def later(m, value, cycles: int):
    for _ in range(cycles):
        register = Signal(value.shape(), name=f"later_{cycles}", reset_less=True)
        m.d.sync += register.eq(value)
        value = register
    return value


def number(state, width: int):
    """The sum, and every carry at its place."""
    total = state[:width]
    for index, place in enumerate(carry_places(width)):
        total = total + (state[width + index] << place)
    return total[:width]


def sums(name, b_format, *, width, fault=None):
    """In every cycle the state's number is what the digits and operands so far add up to, four
    times what was before a shift, and the bus shows it or nothing."""
    pe = REGISTRY[name](Format(8), b_format)

    def body(m, ports):
        dut = SerialCell(pe=pe, width=width)
        m.submodules.dut, registers = opened(dut)
        m.d.comb += [getattr(dut, name).eq(getattr(ports, name)) for name in inputs]
        added = 0
        for lane in range(pe.lanes):
            one, two, neg = ports.digits.word_select(lane, LINES)
            value = ports.b.word_select(lane, b_format.width)
            operand = value.as_signed() if b_format.signed else value
            product = Mux(one, operand, 0) + Mux(two, operand << 1, 0)
            added = added + Mux(neg, -product, product)
            m.d.comb += [Assume(~(one & two)), Assume(~neg | one | two)]
        m.d.comb += Assume(~(ports.clear & ports.shift))
        if fault == "multiple":  # a negative multiple of the most negative operand, one too few
            low = ports.b[: b_format.width]
            added = added - (ports.digits[2] & (low == 1 << (len(low) - 1)))
        clear, shift, read = (later(m, getattr(ports, n), 1) for n in ("clear", "shift", "read"))
        total = Signal(width, reset_less=True)
        before = Mux(clear, 0, Mux(shift, total << (1 if fault == "shift" else 2), total))
        m.d.sync += total.eq(before + later(m, added, pe.latency - 1))
        # Registers begin with anything: a sum counts once it began with digits that came in.
        since, counts = Signal(range(pe.latency + 1)), Signal()
        m.d.sync += since.eq(Mux(since == pe.latency, since, since + 1))
        m.d.sync += counts.eq(counts | (clear & (since == pe.latency)))
        state = Signal(state_bits(width))
        m.d.comb += [
            state.eq(Cat(registers["sum"], registers["carries"])),
            Assert(~counts | (number(state, width) == total)),
            Assert(dut.o == Mux(read, state, 0)),
        ]

    inputs = {
        "b": pe.lanes * b_format.width,
        "digits": pe.lanes * LINES,
        "clear": 1,
        "shift": 1,
        "read": 1,
    }
    return inputs, body


@pytest.mark.parametrize(
    "name, b_format, width",
    [
        ("opt4c", Format(8), 20),
        ("opt4c", Format(8, False), 20),
        ("opt4c", Format(8), 7),
        ("opt4e", Format(3), 12),
        pytest.param("opt4e", Format(8), 16, marks=pytest.mark.slow),
        pytest.param("opt4e", Format(8, False), 16, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_a_number_is_the_sum_of_its_multiples(name, b_format, width):
    check(*sums(name, b_format, width=width), mode="induction", depth=5)


@pytest.mark.parametrize("fault", ["multiple", "shift"])
def test_a_wrong_multiple_or_shift_is_found(fault):
    refute(*sums("opt4c", Format(4), width=12, fault=fault), mode="bmc", depth=8)


def resolved(width, *, fault=False):
    """Part by part, each a cycle after the one below it, the lane's output is the number."""

    def body(m, ports):
        m.submodules.dut = dut = DrainLane(width=width)
        m.d.comb += dut.state.eq(ports.state)
        total = Signal(width)
        m.d.comb += total.eq(number(ports.state, width) - (fault & ports.state.all()))
        last = len(parts(width))
        since = Signal(range(last + 1))  # no part has seen anything yet
        m.d.sync += since.eq(Mux(since == last, since, since + 1))
        for index, (start, end) in enumerate(parts(width)):
            wanted = later(m, total[start:end], 1 + index)
            m.d.comb += Assert((since <= index) | (dut.o[start:end] == wanted))

    return {"state": state_bits(width)}, body


@pytest.mark.parametrize("width", [2, 7, 24, 32])
def test_the_drain_adds(width):
    check(*resolved(width), mode="induction", depth=len(parts(width)) + 2)


def test_a_wrong_sum_in_the_drain_is_found():
    refute(*resolved(8, fault=True), mode="bmc", depth=5)
