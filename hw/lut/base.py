"""What a low-bit processing element is to an array: see :mod:`.array` for where its parts stand.

Such a PE adds ``k`` products per cycle to its accumulator, those of one slice along K, of all bits
of the weights or, bit-serial, of one of them. It is a :class:`~..pe.base.Pe` whose ``dot`` takes
what a row and a column have made of their operands, once for all PEs:

======== ==================== ===================================================================
part     where                function
======== ==================== ===================================================================
front    one per row          k activations -> what the row's register holds (tables, say)
edge     one per column       word of weights, as it is in memory, and whether there is one -> what
                              the column's register holds; of none, that with which nothing is added
dot      in the array         state + the slice's products -> state
======== ==================== ===================================================================
"""

from dataclasses import dataclass

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.adders import tree
from ..formats import Format, signed_width
from ..pe.base import Pe
from ..weights import WeightFormat


class Front(wiring.Component):
    """Base of the part in front of a row's register, combinational. Here: activations stay."""

    sequential = False

    def __init__(self, *, pe: "LowBitPe"):
        self.pe = pe
        super().__init__({"i": In(pe.slice_bits), "o": Out(pe.row_bits)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(self.i)
        return m


class Edge(wiring.Component):
    """Base of the part in front of a column's register, combinational: ``i``, ``valid`` -> ``o``.
    Here: the word, or zeros."""

    sequential = False

    def __init__(self, *, pe: "LowBitPe"):
        self.pe = pe
        super().__init__({"i": In(pe.word_bits), "valid": In(1), "o": Out(pe.column_bits)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(self.i & self.valid.replicate(len(self.i)))
        return m


@dataclass(frozen=True)
class LowBitPe(Pe):
    """A PE for activations ``a`` (signed) and weights ``b``, ``k`` products per cycle.

    ``serial``: one plane of the weights per cycle, with its shift beside it; else all at once.
    Subclasses set the parts' classes and widths.
    """

    a: Format
    b: WeightFormat
    k: int = 4
    serial: bool = False

    reinterpreted = True
    """Whether sums are of odd integers q' (:mod:`..weights`), or else of unsigned codes q."""
    front_class = Front
    edge_class = Edge
    row_sum_class = None
    """The PE that adds up activations beside this one; None: :class:`.row_sum.RowSumPe`."""

    def __post_init__(self):
        if not self.a.signed:
            raise ValueError(f"activations must be signed, not {self.a}")
        if self.k < 1:
            raise ValueError(f"k must be a positive integer, not {self.k}")

    @property
    def planes(self) -> int:
        """Planes of the weights that are taken per cycle."""
        return 1 if self.serial else self.b.width

    @property
    def cycles(self) -> int:
        """Cycles per slice, of weights of the full width."""
        return self.b.width // self.planes

    @property
    def shifts(self) -> tuple[int, ...]:
        """Of each plane that is taken per cycle, without a serial one's own."""
        return (0,) if self.serial else self.b.shifts

    @property
    def shift_bits(self) -> int:
        """Bits of a serial plane's shift."""
        return max(self.b.shifts).bit_length() if self.serial else 0

    @property
    def word_bits(self) -> int:
        """Bits of weights per column and cycle, as in memory: plane after plane of ``k`` bits."""
        return self.k * self.planes

    @property
    def slice_bits(self) -> int:
        """Bits of activations per row, as they come."""
        return self.k * self.a.width

    @property
    def row_bits(self) -> int:
        """Bits of a row's register."""
        return self.slice_bits

    @property
    def column_bits(self) -> int:
        """Bits of a column's register."""
        return self.word_bits

    def inner_width(self, operand: str) -> int:
        return self.row_bits if operand == "a" else self.column_bits + self.shift_bits

    def row_sum(self, m, row):
        """The sum of a slice's activations, from what the row's register holds."""
        return tree(row.word_select(n, self.a.width).as_signed() for n in range(self.k))

    def sum_width(self, terms: int) -> int:
        """Bits of the accumulator of ``terms`` products: no sum of any activations and any codes
        leaves it, in no order of addition."""
        if self.reinterpreted:
            most = -terms * self.a.min * self.b.reach
            return signed_width(-most, most)
        return signed_width(*(terms * a * self.b.reach for a in (self.a.min, self.a.max)))

    def product_width(self, depth: int) -> int:
        assert depth == 1, "a low-bit PE takes one slice per cycle"
        return self.sum_width(self.k)
