"""The table lookup PE: a slice of weights chooses from sums of the activations.

LUT Tensor Core (ISCA 2025, arXiv 2408.06003, section 3.1), in the three steps whose areas can be
compared (:attr:`TablePe.table`).
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Signal

from ..arith.compress import Operand, total
from ..pe.base import Dot
from .base import Decode, LowBitPe
from .precompute import FullTable, HalfTable, entry_width

TABLES = ("full", "half", "folded")


class TableDecode(Decode):
    """A column's words -> per plane one select line for each place of the table, and whether to
    negate; then whether there are weights (of half tables), then the shift. For all rows once."""

    def elaborate(self, platform):
        m = Module()
        pe, lines = self.pe, []
        for plane in range(pe.planes):
            word = self.i.word_select(plane, pe.k)
            if pe.table == "full":
                lines += [self.valid & (word == index) for index in range(1, 1 << pe.k)]
                continue
            sign = word[pe.sign]
            others = Cat(bit for place, bit in enumerate(word) if place != pe.sign)
            index = others if pe.table == "folded" else others ^ sign.replicate(len(others))
            lines += [self.valid & (index == place) for place in range(pe.places)]
            lines.append(self.valid & ~sign)
        if pe.table != "full":
            lines.append(self.valid)
        m.d.comb += self.o.eq(Cat(*lines, self.shift) if pe.shift_bits else Cat(*lines))
        return m


class TableDot(Dot):
    """``o = c + sum(± entry << shift)`` modulo ``2**width``, an AND-OR multiplexer per plane."""

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        shift = self.b[len(self.b) - pe.shift_bits :]
        values, negations = zip(*(self._plane(m, plane) for plane in range(pe.planes)), strict=True)
        if pe.planes == 1:
            reach = max(pe.b.shifts) if pe.serial else 0
            value = Signal(len(values[0]) + reach, name="value")
            m.d.comb += value.eq(values[0].as_signed() << shift if reach else values[0])
            m.d.comb += self.o.eq(add(self.c, value, negations[0]))
            return m
        operands = []
        for value, negate, place in zip(values, negations, pe.shifts, strict=True):
            signs = negate.replicate(len(value))
            operands += [Operand(value ^ signs, True, place), Operand(negate, False, place)]
        m.d.comb += self.o.eq(total(m, [Operand(self.c, False), *operands], self.width))
        return m

    def _plane(self, m, plane):
        """A plane's entry, and whether it counts negatively."""
        pe = self.pe
        select = self.b.word_select(plane, pe.plane_bits)
        width = entry_width(pe.a, pe.k)
        if pe.table == "full":
            entries, bits, low = self.a, width, None
            negate = Const(0, 1)
        else:
            entries, bits = self.a[1:], width - 1
            low = self.a[0] & self.b[pe.planes * pe.plane_bits]
            # Entries are -T, and a set sign means -T.
            negate = select[pe.places]
        chosen = Const(0, bits)
        for place in range(pe.places):
            chosen = chosen | entries.word_select(place, bits) & select[place].replicate(bits)
        value = Signal(width, name=f"entry_{plane}")
        m.d.comb += value.eq(chosen if low is None else Cat(low, chosen))
        return value, negate


def add(c, value, negate):
    """``c + value`` or ``c - value``, value signed, with one carry chain."""
    width = len(c)
    signs = negate.replicate(width)
    wide = Cat(value, value[-1].replicate(max(width - len(value), 0)))[:width]
    return (Cat(negate, wide ^ signs) + Cat(negate, c))[1 : width + 1]


@dataclass(frozen=True)
class TablePe(LowBitPe):
    """``table``: ``full``, the plain one of ``2**k`` sums of codes as they are; ``half``, weights
    reinterpreted as odd integers, its index inverted by the word's sign in hardware; ``folded``,
    that done offline (:func:`.transform.words`). ``sign``: place of the sign bit in a word."""

    table: str = "folded"
    sign: int = 0

    dot_class = TableDot
    decode_class = TableDecode

    def __post_init__(self):
        super().__post_init__()
        if self.table not in TABLES:
            raise ValueError(f"table must be {', '.join(TABLES)}, not {self.table!r}")
        if not 2 <= self.k <= 6:
            raise ValueError(f"a table has 2 to 6 activations, not {self.k}")
        if not 0 <= self.sign < self.k:
            raise ValueError(f"sign must be 0 to {self.k - 1}, not {self.sign}")

    @property
    def reinterpreted(self) -> bool:
        return self.table != "full"

    @property
    def front_class(self):
        return FullTable if self.table == "full" else HalfTable

    @property
    def places(self) -> int:
        """Entries of a table in registers."""
        return (1 << self.k) - 1 if self.table == "full" else 1 << (self.k - 1)

    @property
    def row_bits(self) -> int:
        width = entry_width(self.a, self.k)
        return self.places * width if self.table == "full" else 1 + self.places * (width - 1)

    @property
    def plane_bits(self) -> int:
        """Select lines of a plane, and its negation."""
        return self.places + (self.table != "full")

    def inner_width(self, operand):
        if operand == "a":
            return self.row_bits
        return self.planes * self.plane_bits + (self.table != "full") + self.shift_bits

    def row_sum(self, m, row):
        width = entry_width(self.a, self.k)
        if self.table == "full":
            return row.word_select(self.places - 1, width).as_signed()
        return Cat(row[0], row[1:width]).as_signed()
