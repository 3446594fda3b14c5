"""Tables whose entries are rounded to a few bits: the lookup PE with entries of 8 bits, say.

docs/decisions/0012-lut-mpgemm.md, "Quantised tables". As in the LUT Tensor Core paper (section
3.1.3) and T-MAC, with a power of two for a scale, which all slices of a row's sum have in common.
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.adders import clamp
from ..cells import shared
from ..formats import signed_width
from .base import Front
from .precompute import HalfTable, entry_width
from .table import TablePe


class Quantise(wiring.Component):
    """``o``, ``width`` bits, is ``i`` (``i_width`` bits) ``/ 2**exponent`` rounded to nearest, ties
    to even, and limited to ±(2**(width-1) - 1). Combinational; all signed but the exponent."""

    sequential = False

    def __init__(self, *, i_width: int, width: int, most: int):
        self.i_width, self.width, self.most = i_width, width, most
        super().__init__(
            {"i": In(i_width), "exponent": In(most.bit_length()), "o": Out(width)}
        )  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        number, exponent = self.i.as_signed(), self.exponent
        # Half a unit less a bit, and that bit where the result would be odd.
        below = Signal(self.most)
        m.d.comb += below.eq((1 << exponent) - 1)
        odd = self.i.bit_select(exponent, 1) & exponent.any()
        rounded = Signal(number.shape().width + 1, name="rounded")
        m.d.comb += rounded.eq((number + (below >> 1) + odd).as_signed() >> exponent)
        near = Signal(self.width, name="near")
        m.d.comb += near.eq(clamp(rounded.as_signed(), self.width))
        least = 1 << (self.width - 1)
        m.d.comb += self.o.eq(Mux(near == least, least + 1, near))
        return m


class QuantisedTable(Front):
    """``i``: k activations, the exponent above them. ``o``: the half table's entries, quantised."""

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        exact = pe.exact
        m.submodules.table = table = shared(HalfTable, pe=exact)
        m.d.comb += table.i.eq(self.i[: exact.slice_bits])
        width = entry_width(pe.a, pe.k)
        entries = []
        for place in range(pe.places):
            m.submodules[f"quantise_{place}"] = quantise = shared(
                Quantise, i_width=width, width=pe.entry, most=pe.most_exponent
            )
            m.d.comb += [
                quantise.i.eq(Cat(table.o[0], table.o[1:].word_select(place, width - 1))),
                quantise.exponent.eq(self.i[exact.slice_bits :]),
            ]
            entries.append(quantise.o)
        m.d.comb += self.o.eq(Cat(*entries))
        return m


@dataclass(frozen=True)
class QuantisedTablePe(TablePe):
    """``entry``: bits of an entry. A row's port ``a`` has, above its activations, the exponent e of
    its scale, 0 to :attr:`most_exponent`: sums are those of entries / 2**e, and so is ΣA."""

    entry: int = 8

    front_class = QuantisedTable
    parity = False

    def __post_init__(self):
        super().__post_init__()
        if self.table == "full":
            raise ValueError("quantised tables are half or folded, not full")
        exact = entry_width(self.a, self.k)
        if not 2 <= self.entry <= exact:
            raise ValueError(f"entry must be 2 to {exact} bits, not {self.entry}")

    @property
    def exact(self) -> TablePe:
        """The PE whose tables these are before they are quantised."""
        return TablePe(self.a, self.b, self.k, self.serial, self.table, self.sign)

    @property
    def most_exponent(self) -> int:
        """With which no entry is limited."""
        return entry_width(self.a, self.k) - self.entry + 1

    @property
    def slice_bits(self):
        return super().slice_bits + self.most_exponent.bit_length()

    @property
    def row_bits(self):
        return self.places * self.entry

    @property
    def product_bits(self):
        return self.entry + (max(self.b.shifts) if self.serial else 0)

    def row_sum(self, m, row):
        return row[: self.entry].as_signed()

    def sum_width(self, terms):
        """Bits that hold any sum of ``terms`` activations, whole slices of them."""
        most = -(-terms // self.k) * ((1 << (self.entry - 1)) - 1) * self.b.reach
        return signed_width(-most, most)
