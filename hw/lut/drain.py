"""What a lookup array does to its sums as they leave: sums of odd integers become products.

Combinational, one row at a time: ``i`` has a number of ``i_width`` bits per column, ``total`` the
row's sum of activations (``sum_width`` bits), ``o`` a number of ``width`` bits per column. Nothing
overflows but ``o``, which is modulo ``2**width``.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..weights import CODINGS, Coding, WeightFormat


def needs_sum(weights: WeightFormat) -> bool:
    """Whether a product is not a sum, or half of it, alone: z' is not 0."""
    return weights.correction() != 0


class _Correct(wiring.Component):
    """Base: ``o = (i - z' * total) / 2`` of each column, or all of it. The difference is even
    where it is halved."""

    sequential = False

    def __init__(self, *, columns: int, i_width: int, sum_width: int, width: int, **members):
        self.columns, self.i_width = columns, i_width
        self.sum_width, self.width = sum_width, width
        total = {"total": In(sum_width)} if sum_width else {}
        super().__init__(
            {"i": In(columns * i_width), "o": Out(columns * width), **total, **members}
        )

    def _columns(self, m, term, halved):
        """``halved``: a Python number, or a signal."""
        results = []
        for column in range(self.columns):
            difference = Signal(self.width + 1, name=f"difference_{column}")
            number = self.i.word_select(column, self.i_width).as_signed()
            m.d.comb += difference.eq(number + term)
            results.append(Mux(halved, difference[1:], difference[: self.width]))
        m.d.comb += self.o.eq(Cat(results))


class Correct(_Correct):
    """Of weights of one format (with zero point 0), z' and all."""

    def __init__(self, *, weights: WeightFormat, **sizes):
        self.weights = weights
        super().__init__(**sizes)

    def elaborate(self, platform):
        m = Module()
        weights = self.weights
        term = 0
        if needs_sum(weights):  # z' is 1, or 1 - 2**W
            total = self.total.as_signed()
            signed = weights.coding is Coding.SYMMETRIC
            wide = -total if signed else (total << weights.width) - total
            term = Signal(wide.shape(), name="term")
            m.d.comb += term.eq(wide)
        self._columns(m, term, int(weights.halved))
        return m


class CodedCorrect(_Correct):
    """Of weights of at most ``bits`` bits whose format is on the ports ``bits`` and ``coding``."""

    def __init__(self, *, bits: int, **sizes):
        self.most = bits
        super().__init__(**sizes, bits=In(4), coding=In(2))

    def elaborate(self, platform):
        m = Module()
        total = self.total.as_signed()
        widest = (total << self.most) - total
        term = Signal(widest.shape(), name="term")
        with m.Switch(self.coding):
            with m.Case(CODINGS.index(Coding.ASYMMETRIC)), m.Switch(self.bits):
                for bits in range(1, self.most + 1):
                    with m.Case(bits):
                        m.d.comb += term.eq((total << bits) - total)
            with m.Case(CODINGS.index(Coding.SYMMETRIC)):
                m.d.comb += term.eq(-total)
        self._columns(m, term, self.coding != CODINGS.index(Coding.BINARY))
        return m


class ZeroProducts(wiring.Component):
    """``o = total * zero`` of each column, modulo ``2**width``; ``zeros`` are unsigned."""

    sequential = False

    def __init__(self, *, columns: int, zero_width: int, sum_width: int, width: int):
        self.columns, self.zero_width, self.width = columns, zero_width, width
        super().__init__(
            {
                "total": In(sum_width),
                "zeros": In(columns * zero_width),
                "o": Out(columns * width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        total = self.total.as_signed()
        products = []
        for column in range(self.columns):
            product = Signal(self.width, name=f"product_{column}")
            m.d.comb += product.eq(total * self.zeros.word_select(column, self.zero_width))
            products.append(product)
        m.d.comb += self.o.eq(Cat(products))
        return m
