"""The table lookup PE: a slice of weights chooses from sums of the activations.

LUT Tensor Core (ISCA 2025, arXiv 2408.06003, section 3.1), in the three steps whose areas can be
compared (:attr:`TablePe.table`).
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.compress import Operand, total
from ..cells import shared
from ..pe.base import Dot
from .base import Edge, LowBitPe
from .precompute import FullTable, HalfTable, entry_width

TABLES = ("full", "half", "folded")
DECODES = ("edge", "lane")


def chosen(entries, select, places: int):
    """An AND-OR multiplexer: the entry, of ``places`` side by side, whose line of ``select`` is
    set; 0 if none is."""
    bits = len(entries) // places
    found = Const(0, bits)
    for place in range(places):
        found = found | entries.word_select(place, bits) & select[place].replicate(bits)
    return found


def multiplexed(entries, index, places: int):
    """A multiplexer of the entry whose number is ``index``, of ``places`` side by side; of the
    plain table's from 1 on, 0 at 0."""
    bits = len(entries) // places
    choices = [entries.word_select(place, bits) for place in range(places)]
    choices[:0] = [Const(0, bits)] * ((1 << len(index)) - places)
    for bit in index:
        pairs = zip(choices[::2], choices[1::2], strict=True)
        choices = [Mux(bit, odd, even) for even, odd in pairs]
    return choices[0]


def looked_up(pe: "TablePe", entries, b, plane: int):
    """What a plane's weights choose of ``entries``, and whether it counts negatively: entries are
    kept as -T, which is what a set sign stands for. ``b``: what the column's register holds."""
    plain = pe.table == "full"
    if pe.decode == "edge":
        select = b.word_select(plane, pe.plane_bits)
        return chosen(entries, select, pe.places), Const(0, 1) if plain else select[pe.places]
    valid = b[pe.column_bits - 1]
    sign, index = pe.split(b.word_select(plane, pe.k))
    entry = multiplexed(entries, index, pe.places)
    return entry & valid.replicate(len(entry)), Const(0, 1) if plain else valid & ~sign


class TableEdge(Edge):
    """A column's words -> per plane one select line for each place of the table, and whether to
    negate; then, if entries have a bit in common, whether there are weights. For all rows once.

    With ``pe.decode`` in the lanes: words, and whether there are any.
    """

    def elaborate(self, platform):
        m = Module()
        pe, lines = self.pe, []
        if pe.decode == "lane":
            m.d.comb += self.o.eq(Cat(self.i, self.valid))
            return m
        for plane in range(pe.planes):
            word = self.i.word_select(plane, pe.k)
            if pe.table == "full":
                lines += [self.valid & (word == index) for index in range(1, 1 << pe.k)]
                continue
            sign, index = pe.split(word)
            lines += [self.valid & (index == place) for place in range(pe.places)]
            lines.append(self.valid & ~sign)
        if pe.parity:
            lines.append(self.valid)
        m.d.comb += self.o.eq(Cat(*lines))
        return m


class TableProducts(wiring.Component):
    """Entries, inverted where they count negatively, and what completes their negation.

    Ports: ``a`` and ``b`` as of :class:`TableDot`; ``negate`` (a bit per plane), ``o`` (per plane
    ``pe.product_bits``, signed). A plane is ``o + negate``.
    """

    sequential = False

    def __init__(self, *, pe: "TablePe"):
        self.pe = pe
        super().__init__(
            {
                "a": In(pe.inner_width("a")),
                "b": In(pe.inner_width("b")),
                "negate": Out(pe.planes),
                "o": Out(pe.planes * pe.product_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        shift = self.b[pe.column_bits :]
        planes, negations = [], []
        for plane in range(pe.planes):
            entry, negate = self._plane(plane)
            value = Signal(pe.product_bits, name=f"value_{plane}")
            m.d.comb += value.eq(entry.as_signed() << shift if pe.shift_bits else entry)
            planes.append(value ^ negate.replicate(len(value)))
            negations.append(negate)
        m.d.comb += [self.o.eq(Cat(*planes)), self.negate.eq(Cat(*negations))]
        return m

    def _plane(self, plane):
        """A plane's entry, and whether it counts negatively."""
        pe = self.pe
        entry, negate = looked_up(pe, self.a[1:] if pe.parity else self.a, self.b, plane)
        if pe.parity:
            entry = Cat(self.a[0] & self.b[pe.column_bits - 1], entry)
        return entry, negate


class TableAdd(wiring.Component):
    """``o = c + i + carry`` modulo ``2**width`` with one carry chain, ``i`` signed."""

    sequential = False

    def __init__(self, *, width: int, i_width: int):
        self.width = width
        super().__init__({"i": In(i_width), "carry": In(1), "c": In(width), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        missing = max(self.width - len(self.i), 0)
        wide = Cat(self.i, self.i[-1].replicate(missing))[: self.width]
        total = Cat(self.carry, wide) + Cat(self.carry, self.c)
        m.d.comb += self.o.eq(total[1 : self.width + 1])
        return m


class TableDot(Dot):
    """``o = c + sum(± entry << shift)`` modulo ``2**width``."""

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        m.submodules.products = products = shared(TableProducts, pe=pe)
        m.d.comb += [products.a.eq(self.a), products.b.eq(self.b)]
        if pe.planes == 1:
            m.submodules.add = add = shared(TableAdd, width=self.width, i_width=pe.product_bits)
            m.d.comb += [
                add.i.eq(products.o),
                add.carry.eq(products.negate),
                add.c.eq(self.c),
                self.o.eq(add.o),
            ]
            return m
        operands = [Operand(self.c, False)]
        for plane, place in enumerate(pe.shifts):
            value = products.o.word_select(plane, pe.product_bits)
            operands += [Operand(value, True, place), Operand(products.negate[plane], False, place)]
        m.d.comb += self.o.eq(total(m, operands, self.width))
        return m


@dataclass(frozen=True)
class TablePe(LowBitPe):
    """``table``: ``full``, the plain one of ``2**k`` sums of codes as they are; ``half``, weights
    reinterpreted as odd integers, its index inverted by the word's sign in hardware; ``folded``,
    that done offline (:func:`.transform.words`). ``sign``: place of the sign bit in a word.
    ``decode``: where words become select lines: at the ``edge``, once for all rows; or ``lane``,
    which has a multiplexer's tree and gets the word."""

    table: str = "folded"
    sign: int = 0
    decode: str = "edge"

    dot_class = TableDot
    edge_class = TableEdge
    add_class = TableAdd

    def __post_init__(self):
        super().__post_init__()
        if self.table not in TABLES:
            raise ValueError(f"table must be {', '.join(TABLES)}, not {self.table!r}")
        if self.decode not in DECODES:
            raise ValueError(f"decode must be {', '.join(DECODES)}, not {self.decode!r}")
        if not 2 <= self.k <= 6:
            raise ValueError(f"a table has 2 to 6 activations, not {self.k}")
        if not 0 <= self.sign < self.k:
            raise ValueError(f"sign must be 0 to {self.k - 1}, not {self.sign}")

    @property
    def reinterpreted(self) -> bool:
        return self.table != "full"

    @property
    def parity(self) -> bool:
        """Whether bit 0, which all entries have in common, is kept once."""
        return self.table != "full"

    @property
    def front_class(self):
        return FullTable if self.table == "full" else HalfTable

    @property
    def products_class(self):
        return TableProducts if self.planes == 1 else None

    def split(self, word):
        """A word's sign bit, and its index into the table: of the plain one, all of it."""
        if self.table == "full":
            return Const(0, 1), word
        sign = word[self.sign]
        others = Cat(bit for place, bit in enumerate(word) if place != self.sign)
        return sign, others if self.table == "folded" else others ^ sign.replicate(len(others))

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

    @property
    def column_bits(self) -> int:
        if self.decode == "lane":
            return self.word_bits + 1
        return self.planes * self.plane_bits + self.parity

    @property
    def product_bits(self) -> int:
        """Bits of a plane's entry, shifted if that comes with it."""
        reach = max(self.b.shifts) if self.serial else 0
        return entry_width(self.a, self.k) + reach

    def row_sum(self, m, row):
        width = entry_width(self.a, self.k)
        if self.table == "full":
            return row.word_select(self.places - 1, width).as_signed()
        return Cat(row[0], row[1:width]).as_signed()
