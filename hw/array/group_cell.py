"""A processing element of the array ``digit_serial`` that recodes and searches by itself.

::

    a, weight -> recoders -> digits of that weight -> [lines] -> first nonzero -> [line] ---+
    b --------------------------------------------> [b] -------> multiplexer -> [b] -> SerialCell
    cycle        t                                  t+1                             t+2
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..pe.serial import LINES, SerialPe
from .serial_cell import SerialCell, digit_lines, selected, state_bits


class GroupCell(wiring.Component):
    """Adds the nonzero digits of one weight of ``pe.group`` operands, one per cycle, lowest first.

    Ports: ``select``: the operands of A (element 0 lowest), the weight, ``load`` and ``step``;
    ``b``: their operands of B. With ``load`` they are taken: only if nothing is left of the group
    before, or in a cycle with ``step`` and ``done``. In a cycle with ``step`` the first digit that
    is left goes to the adder (in the next one); without, nothing does. ``done``: no more than one
    is left. A group without any takes a cycle as well; the row's edge sends one only where a weight
    has no digit at all.

    ``clear``, ``shift``, ``read`` and ``o`` are those of :class:`.serial_cell.SerialCell`, the
    first two a cycle after their ``step``; the number is exact modulo ``2**width``. No register is
    reset: what is in them at first is nobody's group, and ``clear`` drops what it was added to.
    """

    def __init__(self, *, pe: SerialPe, width: int):
        self.pe, self.width = pe, width
        super().__init__(
            {
                "b": In(pe.group * pe.b.width),
                "select": In(pe.select_width),
                "clear": In(1),
                "shift": In(1),
                "read": In(1),
                "o": Out(state_bits(width)),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        m.submodules.adder = adder = shared(SerialCell, pe=pe, width=self.width)
        operands = self.select[: pe.group * pe.a.width]
        weight = self.select[len(operands) : -2]
        load, step = self.select[-2:]
        b = Signal.like(self.b, name="group_b", reset_less=True)
        with m.If(load):
            m.d.sync += b.eq(self.b)

        left = []
        for place in range(pe.group):
            recoder = shared(pe.recoding.recoder_class, recoding=pe.recoding)
            m.submodules[f"recoder_{place}"] = recoder
            m.d.comb += recoder.i.eq(operands.word_select(place, pe.a.width))
            digits = digit_lines(m, pe.recoding, recoder.o, f"digit_{place}_")
            now = Signal(LINES, name=f"now_{place}")
            with m.Switch(weight):
                for number, digit in enumerate(digits):
                    with m.Case(number):
                        m.d.comb += now.eq(digit)
            lines = Signal(LINES, name=f"lines_{place}", reset_less=True)
            with m.If(load):
                m.d.sync += lines.eq(now)
            left.append(lines)

        pending = Cat(lines[0] | lines[1] for lines in left)
        pick = Signal(pe.group)
        m.d.comb += [
            pick.eq(pending & -pending),
            self.done.eq((pending & ~pick) == 0),
        ]
        for lines, picked in zip(left, pick, strict=True):
            with m.If(~load & step & picked):
                m.d.sync += lines.eq(0)
        line = Signal(LINES, reset_less=True)
        other = Signal(pe.b.width, name="other", reset_less=True)
        words = [b.word_select(place, pe.b.width) for place in range(pe.group)]
        m.d.sync += [
            line.eq(Mux(step, selected(pick, left), 0)),
            other.eq(selected(pick, words)),
        ]
        m.d.comb += [adder.b.eq(other), adder.select.eq(line), self.o.eq(adder.o)]
        for name in ("clear", "shift", "read"):
            m.d.comb += getattr(adder, name).eq(getattr(self, name))
        return m


def cell_class(pe: SerialPe):
    """What the array ``digit_serial`` consists of with this PE."""
    return GroupCell if pe.group else SerialCell
