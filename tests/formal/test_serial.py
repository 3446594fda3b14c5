"""Bit-weight serial PE: whatever its digits and operands, its pass is their sum, inductively."""

import pytest
from amaranth.hdl import Assert, Assume, Mux, Signal

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
            dut.digits.eq(ports.digits),
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
