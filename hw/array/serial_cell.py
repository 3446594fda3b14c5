"""One processing element of the array ``digit_serial``."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.compress import merge
from ..arith.recoding import Digit, multiple
from ..pe.serial import LINES, SerialPe

RADIX = 2
"""Bits by which a change of weight shifts, and between two carries that are kept: so every carry
finds a carry's place again. In between carries ripple."""


def carry_places(width: int) -> range:
    """Positions of the carries in a state of ``width`` bits: one into every pair of bits but the
    lowest. The state's number is its sum and the carries at their places, modulo ``2**width``."""
    return range(RADIX, width, RADIX)


def state_bits(width: int) -> int:
    """Sum and carries."""
    return width + len(carry_places(width))


class SerialCell(wiring.Component):
    """Adds ``lanes`` multiples per cycle to a number that a change of weight shifts.

    ::

        b -> {0, b, 2b} -> complement -> sum of lanes -> reg -> + -> {sum, carries} -> o if read
                 ^ select                                       |          |
                                             0, or << 2, if so: +----------+

    Ports: ``b`` (lanes operands) and ``select`` (lanes times *one*, *two*, *neg*); with them if
    there is one lane, a cycle later if there are several, ``clear`` (start anew) or ``shift`` (all
    that was counts four times: weights come from the highest to the lowest). The state has taken
    them two cycles after the digits, with several lanes three. ``read``: in the next cycle ``o``
    has the state, ``width`` bits of sum and then the carries (:func:`carry_places`); otherwise it
    is zero.

    There is no enable: the digit zero adds nothing, so an idle row gives zeros. The state's number
    is exact modulo ``2**width``; its parts have no meaning of their own.
    """

    def __init__(self, *, pe: SerialPe, width: int):
        self.pe, self.width = pe, width
        super().__init__(
            {
                "b": In(pe.lanes * pe.b.width),
                "select": In(pe.lanes * LINES),
                "clear": In(1),
                "shift": In(1),
                "read": In(1),
                "o": Out(state_bits(width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows, ones = [], []
        for lane in range(self.pe.lanes):
            digit = Digit(*self.select.word_select(lane, LINES))
            other = self.b.word_select(lane, self.pe.b.width)
            row, one = multiple(m, digit, other, self.pe.b, name=f"multiple_{lane}")
            rows.append(row.value)
            ones.append(one.value)
        if self.pe.lanes == 1:
            number, one = _later(m, "number", rows[0]), _later(m, "one", ones[0])
        else:
            number, one = _added(m, rows, ones)
        keep = _later(m, "keep", ~(self.clear | self.shift))
        shift = _later(m, "shifts", self.shift)
        state = self._accumulated(m, number, one, keep, shift)
        m.d.comb += self.o.eq(Mux(_later(m, "reading", self.read), state, 0))
        return m

    def _accumulated(self, m, number, one, keep, shift):
        """The state: as it was, or shifted, or nothing, plus ``number`` and ``one``."""
        width, places = self.width, carry_places(self.width)
        state = [
            Signal(size, name=name, reset_less=True)
            for name, size in (("sum", width), ("carries", len(places)))
        ]
        kept = []
        for name, word, places_up in (("sum", state[0], RADIX), ("carries", state[1], 1)):
            kept.append(Signal.like(word, name=f"kept_{name}"))
            m.d.comb += kept[-1].eq(Mux(keep, word, 0) | Mux(shift, word << places_up, 0))
        base, carries = kept
        total, entering = [], []
        ripple = one
        for place in range(width):
            if place in places:
                entering.append(ripple)
                ripple = carries[places.index(place)]
            # The number's sign goes on to the top.
            x, y = base[place], number[min(place, len(number) - 1)]
            total.append(x ^ y ^ ripple)
            carry = Signal(name=f"ripple_{place}")
            m.d.comb += carry.eq((x & y) | ((x ^ y) & ripple))
            ripple = carry
        m.d.sync += [state[0].eq(Cat(total)), state[1].eq(Cat(entering))]
        return Cat(state)


def _added(m, rows, ones):
    """The sum of some lanes' rows and ones, two cycles later: a signed number, and a 1 besides."""
    width = len(rows[0]) + (len(rows) - 1).bit_length()
    # A complemented sign is too much by 2**(bits-1): all lanes', so many are they, by the sign of
    # the sum, which is complemented once more below.
    rows = [Cat(row[:-1], ~row[-1], Const(0, width - len(row))) for row in rows]
    first = max(len(rows) - 3, 0)
    rows = merge(m, rows, ones[:first], width, left=3, name="first")
    rows = [_later(m, f"row_{index}", row) for index, row in enumerate(rows)]
    ones = [_later(m, f"one_{index}", one) for index, one in enumerate(ones[first:])]
    low, high = merge(m, rows, ones[:-2], width, name="second")
    resolved = Signal(width)
    m.d.comb += resolved.eq((Cat(Const(1, 1), low) + Cat(ones[-2], high)) >> 1)
    number = _later(m, "number", Cat(resolved[:-1], ~resolved[-1]))
    return number, _later(m, "one", ones[-1])


def _later(m, name: str, value):
    """``value`` a cycle later."""
    register = Signal(len(value), name=name, reset_less=True)
    m.d.sync += register.eq(value)
    return register


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
