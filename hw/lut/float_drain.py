"""What a lookup array of floats does to its sums as they leave: ``(S - z' * R) / 2``, R the row's
sum of activations.

docs/decisions/0012-lut-mpgemm.md, "Floating-point activations in the engine", says in which order
and where it is rounded. Combinational, one row at a time, numbers of ``format``; between
:class:`FloatTerms` and :class:`FloatCorrect` there is a register.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.float_add import FloatAdd
from ..arith.float_scale import FloatHalve, FloatScale
from ..cells import shared
from ..floats import FloatFormat
from ..weights import CODINGS, Coding, WeightFormat


class FloatTerms(wiring.Component):
    """``o = z' * total``: one, or with ``zeros`` one per column, whose z' are larger by twice
    their zero points (``zero_width`` bits each, unsigned).

    ``weights``: whose z' it is; ``serial``: of weights of at most that width, whose bits and coding
    are on the ports ``bits`` and ``coding``.
    """

    sequential = False

    def __init__(self, *, weights: WeightFormat, format: FloatFormat, columns: int,
                 serial: bool = False, zero_width: int = 0):  # fmt: skip
        self.weights, self.format, self.columns = weights, format, columns
        self.serial, self.zero_width = serial, zero_width
        members = {"bits": In(4), "coding": In(2)} if serial else {}
        if zero_width:
            members["zeros"] = In(columns * zero_width)
        self.terms = columns if zero_width else 1
        super().__init__(
            {"total": In(format.width), "o": Out(self.terms * format.width), **members}
        )

    def elaborate(self, platform):
        m = Module()
        # From 1 - 2**W to, with a zero point of 2**W, 1 + 2**W.
        factor = Signal(signed(self.weights.width + 2), name="factor")
        if self.serial:
            self._coded(m, factor)
        else:
            m.d.comb += factor.eq(self.weights.correction())
        terms = []
        for column in range(self.terms):
            m.submodules[f"scale_{column}"] = scale = shared(
                FloatScale, format=self.format, bits=len(factor)
            )
            own = factor
            if self.zero_width:
                own = factor + (self.zeros.word_select(column, self.zero_width) << 1)
            m.d.comb += [scale.i.eq(self.total), scale.factor.eq(own)]
            terms.append(scale.o)
        m.d.comb += self.o.eq(Cat(terms))
        return m

    def _coded(self, m, factor):
        with m.Switch(self.coding):
            with m.Case(CODINGS.index(Coding.ASYMMETRIC)), m.Switch(self.bits):
                for bits in range(1, self.weights.width + 1):
                    with m.Case(bits):
                        m.d.comb += factor.eq(1 - (1 << bits))
            with m.Case(CODINGS.index(Coding.SYMMETRIC)):
                m.d.comb += factor.eq(1)


class FloatCorrect(wiring.Component):
    """``o = (i - term) / 2`` of each column, or with ``halve`` low all of it. ``terms``: how many
    there are, one for each column or one for all; none, and there is no port for them: nothing is
    subtracted."""

    sequential = False

    def __init__(self, *, format: FloatFormat, columns: int, terms: int):
        self.format, self.columns, self.terms = format, columns, terms
        width = format.width
        super().__init__(
            {
                "i": In(columns * width),
                **({"term": In(terms * width)} if terms else {}),
                "halve": In(1),
                "o": Out(columns * width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        format, width = self.format, self.format.width
        results = []
        for column in range(self.columns):
            difference = self.i.word_select(column, width)
            if self.terms:
                m.submodules[f"subtract_{column}"] = subtract = shared(FloatAdd, format=format)
                term = self.term.word_select(column if self.terms > 1 else 0, width)
                m.d.comb += [
                    subtract.i.eq(difference),
                    subtract.c.eq(Cat(term[:-1], ~term[-1])),
                ]
                difference = subtract.o
            m.submodules[f"halve_{column}"] = halve = shared(FloatHalve, format=format)
            m.d.comb += halve.i.eq(difference)
            results.append(Mux(self.halve, halve.o, difference))
        m.d.comb += self.o.eq(Cat(results))
        return m
