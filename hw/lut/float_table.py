"""The table lookup PE for floating-point activations.

docs/decisions/0012-lut-mpgemm.md, "Floating-point activations", says in which order things are
added, and where they are rounded.
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.float_add import FloatAdd
from ..arith.float_convert import FloatNormalise
from ..cells import shared
from ..floats import FloatFormat
from .base import Front
from .float_sum import FloatAccumulate, FloatDot, FloatPe, kept, stored
from .precompute import signed_sums
from .row_sum import RowSumPe
from .table import TablePe, looked_up


class FloatTable(Front):
    """``i``: k activations. ``o``: the half table's entries in the format :func:`kept`, entry 0,
    the sum of all, first; the others as of :class:`.precompute.HalfTable`."""

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        elements = [self.i.word_select(n, pe.a.width) for n in range(pe.k)]
        elements.insert(0, elements.pop(pe.sign))
        entries = []
        for index, entry in enumerate(signed_sums(elements, "entry", self._adding(m))):
            m.submodules[f"normalise_{index}"] = normalise = shared(
                FloatNormalise, format=pe.a, to=kept(pe.a)
            )
            m.d.comb += normalise.i.eq(entry)
            entries.append(normalise.o)
        m.d.comb += self.o.eq(Cat(*entries))
        return m

    def _adding(self, m):
        def add(first, other, minus, name):
            m.submodules[name] = adder = shared(FloatAdd, format=self.pe.a)
            m.d.comb += [adder.i.eq(first), adder.c.eq(Cat(other[:-1], other[-1] ^ minus))]
            return adder.o

        return add


class FloatProducts(wiring.Component):
    """Entries with their signs, times their planes' weights; several planes are added up.

    Ports: ``a`` and ``b`` as of :class:`FloatDot`; ``o``, a code of ``pe.product_format``, and
    ``negate``, never set: signs are in it.
    """

    sequential = False

    def __init__(self, *, pe: "FloatTablePe"):
        self.pe = pe
        super().__init__(
            {
                "a": In(pe.inner_width("a")),
                "b": In(pe.inner_width("b")),
                "negate": Out(1),
                "o": Out(pe.product_format.width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        planes = [self._plane(m, plane, place) for plane, place in enumerate(pe.shifts)]
        total = planes[0]
        if len(planes) > 1:
            total = stored(m, "plane_0", total, kept(pe.a), pe.accumulator)
        for plane, value in enumerate(planes[1:], 1):
            m.submodules[f"plane_{plane}"] = add = shared(
                FloatAccumulate, format=kept(pe.a), accumulator=pe.accumulator
            )
            m.d.comb += [add.i.eq(value), add.c.eq(total)]
            total = add.o
        m.d.comb += self.o.eq(total)
        return m

    def _plane(self, m, plane: int, place: int):
        """A plane's entry, signed, times ``2**place`` and, serial, what comes beside it."""
        pe, format = self.pe, kept(self.pe.a)
        chosen, negate = looked_up(pe, self.a, self.b, plane)
        entry = Signal(format.width, name=f"entry_{plane}")
        m.d.comb += entry.eq(chosen)
        exponent = entry[format.fraction : -1]
        shift = self.b[pe.column_bits :] if pe.shift_bits else place
        fixed = (exponent == 0) | (exponent == format.special)
        moved = Signal(format.exponent, name=f"moved_{plane}")
        m.d.comb += moved.eq(Mux(fixed, exponent, exponent + shift))
        return Cat(entry[: format.fraction], moved, entry[-1] ^ negate)


class FloatRowSumProducts(wiring.Component):
    """A row's entry 0, the sum of its activations, where ``b`` is set; else 0."""

    sequential = False

    def __init__(self, *, pe: "FloatRowSumPe"):
        self.pe = pe
        width = kept(pe.a).width
        super().__init__(
            {
                "a": In(pe.inner_width("a")),
                "b": In(1),
                "negate": Out(1),
                "o": Out(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(self.a[: len(self.o)] & self.b.replicate(len(self.o)))
        return m


@dataclass(frozen=True)
class FloatRowSumPe(RowSumPe):
    """Sums of a row's activations, in the format of the accumulators beside it."""

    dot_class = FloatDot
    products_class = FloatRowSumProducts
    add_class = FloatAccumulate

    def add_parameters(self, width, i_width):
        return {"format": kept(self.a), "accumulator": self.of.accumulator}

    def sum_width(self, terms):
        return self.of.accumulator.width


@dataclass(frozen=True)
class FloatTablePe(FloatPe, TablePe):
    """``a``: a :class:`~..floats.FloatFormat`. Sums are reinterpreted, ``sum(a * q')``."""

    front_class = FloatTable
    products_class = FloatProducts
    row_sum_class = FloatRowSumPe
    parity = False

    def __post_init__(self):
        super().__post_init__()
        if self.table == "full":
            raise ValueError("tables of floats are half or folded, not full")

    @property
    def product_format(self) -> FloatFormat:
        """An entry as it is kept, or several planes' sum."""
        return kept(self.a) if self.planes == 1 else self.accumulator

    @property
    def row_bits(self):
        return self.places * kept(self.a).width
