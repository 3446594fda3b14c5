"""Bit-weight serial PEs: whatever their digits and operands, a pass is their sum, inductively; a PE
that recodes and searches groups of operands leaves out no digit and adds none twice."""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Mux, Signal

from matweave.hw.array.group_cell import GroupCell
from matweave.hw.array.serial_cell import LINES, SerialCell
from matweave.hw.formats import Format
from matweave.hw.pe import REGISTRY
from matweave.sim.formal import opened

from .harness import check, refute


def passes(name, a_format, b_format, *, terms, fault=False):
    """In every cycle the resolved pass is what the digits and operands so far add up to."""
    pe = REGISTRY[name](a_format, b_format)
    width = pe.pass_width(terms)

    def body(m, ports):
        dut = SerialCell(pe=pe, width=width)
        inside, registers = opened(dut)
        m.submodules.dut = inside
        m.d.comb += [
            dut.b.eq(ports.b),
            dut.select.eq(ports.digits),
            dut.first.eq(ports.first),
            dut.read.eq(1),
        ]
        operands = Signal(len(dut.b), reset_less=True)
        total = Signal(width, reset_less=True)
        m.d.sync += operands.eq(ports.b)
        grown = Mux(ports.first, 0, total)
        for lane in range(pe.lanes):
            one, two, neg = ports.digits.word_select(lane, LINES)
            value = operands.word_select(lane, b_format.width)
            number = value.as_signed() if b_format.signed else value
            product = Mux(one, number, 0) + Mux(two, number << 1, 0)
            grown = grown + Mux(neg, -product, product)
            m.d.comb += [Assume(~(one & two)), Assume(~neg | one | two)]
        if fault:  # a negative multiple of the most negative operand, one too few
            grown = grown - (ports.digits[2] & (operands == 1 << (len(operands) - 1)))
        m.d.sync += total.eq(grown)
        resolved = Signal(width)
        m.d.comb += [
            resolved.eq(dut.o[:width] + dut.o[width:]),
            Assert(resolved == total),
            Assert(registers["operands"] == operands),
        ]

    inputs = {"b": pe.lanes * b_format.width, "digits": pe.lanes * LINES, "first": 1}
    return inputs, body


@pytest.mark.parametrize(
    "name, b_format",
    [
        ("opt3", Format(8)),
        ("opt4c", Format(8)),
        ("opt4c", Format(8, False)),
        ("opt4e", Format(3)),
        pytest.param("opt4e", Format(8), marks=pytest.mark.slow),
        pytest.param("opt4e", Format(8, False), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_a_pass_is_the_sum_of_its_multiples(name, b_format):
    check(*passes(name, Format(8), b_format, terms=16), mode="induction")


def test_a_wrong_multiple_is_found():
    refute(*passes("opt4c", Format(8), Format(4), terms=4, fault=True), mode="bmc", depth=3)


# Groups.


def digit(pe, operand, weight: int):
    """Digit ``weight`` of an EN-T recoded operand as a number, from what lies below it: the digits
    there reach up to 2 * (1 + 4 + ...), and a rest above that is carried."""
    assert pe.digits == "ent"
    value = operand.as_signed() if pe.a.signed else operand
    size = Mux(value < 0, -value, value)[: pe.a.width]
    below = size[: 2 * weight]
    slice_ = size[2 * weight : 2 * weight + 2] + (below > int("10" * weight or "0", 2))
    last = weight == pe.recoding.n_digits - 1
    number = slice_ if last else Mux(slice_ > 2, slice_ - 4, slice_)
    return Mux(value < 0, -number, number)


def times(number, operand, b_format):
    """A digit from -2 to 2 times an operand of B."""
    value = operand.as_signed() if b_format.signed else operand
    size = Mux(abs(number) == 1, value, 0) + Mux(abs(number) == 2, value << 1, 0)
    return Mux(number < 0, -size, size)


def product(lines, operand, b_format):
    """The same for a digit as select lines."""
    one, two, neg = lines
    value = operand.as_signed() if b_format.signed else operand
    size = Mux(one, value, 0) + Mux(two, value << 1, 0)
    return Mux(neg, -size, size)


def groups(a_format, b_format, *, terms, fault=None):
    """At any time: what the PE within was told to add (as the proof above has it), what it is about
    to be told, and what is left of the group make up what was sent. ``done``: at most one digit is
    left, so that a group takes a cycle per digit."""
    pe = REGISTRY["opt3"](a_format, b_format)
    width, b_width = pe.pass_width(terms), b_format.width

    def body(m, ports):
        inside, signals = opened(dut := GroupCell(pe=pe, width=width))
        m.submodules.dut = inside
        m.d.comb += [
            dut.b.eq(ports.b),
            dut.select.eq(Cat(ports.a, ports.weight, ports.load, ports.step)),
            Assume(ports.weight < pe.recoding.n_digits),
        ]
        lines = [signals[f"lines_{place}"] for place in range(pe.group)]
        pending = Cat(line[:2].any() for line in lines)
        # The row's part of the bargain.
        m.d.comb += Assume(~ports.load | ~pending.any() | (ports.step & dut.done))
        sent, told = Signal(width, reset_less=True), Signal(width, reset_less=True)
        operand = Signal(b_width, reset_less=True)
        new, left = 0, 0
        for place, line in enumerate(lines):
            number = Signal(range(-2, 3), name=f"number_{place}")
            with m.Switch(ports.weight):
                for weight in range(pe.recoding.n_digits):
                    with m.Case(weight):
                        value = ports.a.word_select(place, a_format.width)
                        m.d.comb += number.eq(digit(pe, value, weight))
            other = ports.b.word_select(place, b_width)
            held = signals["group_b"].word_select(place, b_width)
            new = new + times(number, other, b_format)
            left = left + product(line, held, b_format)
            m.d.comb += Assert(~(line[0] & line[1]) & (~line[2] | line[:2].any()))
        if fault == "late":  # a group that comes with the last digit of another
            new = Mux(pending.any(), 0, new)
        if fault == "sign":  # -2 times the most negative
            new = new + 16 * (number == -2) * (other == 1 << (b_width - 1))
        about = product(signals["line"], operand, b_format)
        m.d.sync += [
            operand.eq(signals["b"]),
            told.eq(told + about),
            sent.eq(Mux(ports.load, sent + new, sent)),
        ]
        total = Signal(width)
        m.d.comb += [
            total.eq(told + about + left),
            Assert(total == sent),
            Assert(dut.done == ((pending & (pending - 1)) == 0)),
        ]

    inputs = {"weight": pe.weight_bits, "load": 1, "step": 1}
    inputs |= {"a": pe.group * a_format.width, "b": pe.group * b_width}
    return inputs, body


@pytest.mark.parametrize(
    "a_format, b_format",
    [
        (Format(8), Format(3)),
        (Format(8, False), Format(3)),
        (Format(5), Format(3, False)),
        (Format(8), Format(8)),
    ],
    ids=str,
)
def test_groups_lose_no_digit_and_add_none_twice(a_format, b_format):
    check(*groups(a_format, b_format, terms=16), mode="induction")


@pytest.mark.parametrize("fault", ["late", "sign"])
def test_a_wrong_group_is_found(fault):
    refute(*groups(Format(4), Format(3), terms=8, fault=fault), mode="bmc", depth=4)
