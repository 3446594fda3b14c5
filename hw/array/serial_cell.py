"""One processing element of the array ``digit_serial``."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.compress import merge
from ..arith.recoding import Digit, multiple
from ..pe.serial import LINES, SerialPe


class SerialCell(wiring.Component):
    """Adds ``lanes`` multiples per cycle to a pass kept as sum and carry, and shows it on a bus.

    ::

        b -> reg -> {0, b, 2b} -> complement -> 3:2 tree -> {sum, carry}
                        select (the row's) ----^    ^---- 0 if first

    Ports: ``b`` (lanes operands), ``select`` (lanes times *one*, *two*, *neg*, of the operands of
    the cycle before), ``first`` (start a new pass), ``read`` (drive the bus), ``o`` (bus: {sum,
    carry} of ``width`` bits each, or zero).

    There is no enable: the digit zero adds nothing, so an idle row gives zeros. The pass is exact
    modulo ``2**width`` as the sum of both vectors; neither has a meaning of its own.
    """

    def __init__(self, *, pe: SerialPe, width: int):
        self.pe, self.width = pe, width
        super().__init__(
            {
                "b": In(pe.lanes * pe.b.width),
                "select": In(pe.lanes * LINES),
                "first": In(1),
                "read": In(1),
                "o": Out(2 * width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pe, width = self.pe, self.width
        b = Signal.like(self.b, name="operands", reset_less=True)
        m.d.sync += b.eq(self.b)
        state = [Signal(width, name=name, reset_less=True) for name in ("sum", "carry")]
        rows, ones = [Mux(self.first, 0, word) for word in state], []
        for lane in range(pe.lanes):
            digit = Digit(*self.select.word_select(lane, LINES))
            other = b.word_select(lane, pe.b.width)
            row, one = multiple(m, digit, other, pe.b, name=f"multiple_{lane}")
            # To the full width: both vectors are modulo 2**width (a sign is not theirs alone).
            rows.append(_extended(row.value, width))
            ones.append(one.value)
        for word, value in zip(state, merge(m, rows, ones, width), strict=True):
            m.d.sync += word.eq(value)
        m.d.comb += self.o.eq(Mux(self.read, Cat(state), 0))
        return m


def _extended(row, width: int):
    return Cat(row, row[-1].replicate(width - len(row)))[:width]


def digit_lines(m, recoding, code, name: str):
    """The digits of a code, lowest first, each as a vector of *one*, *two*, *neg*."""
    never = Signal(name=f"{name}never")
    digits = recoding.digits(m, code, name)
    return [Cat(never if line is None else line for line in digit) for digit in digits]


def selected(select, values):
    """The value whose bit of ``select`` is set; zero if none is."""
    result = 0
    for bit, value in zip(select, values, strict=True):
        result = result | Mux(bit, value, 0)
    return result
