"""Probabilities of a beat: exponentials times the inverse of their total."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .scores import delayed

__all__ = ["Products"]


class Products(wiring.Component):
    """``p = (e r + offset) >> s`` of ``lanes`` exponentials, ``latency`` cycles later; never stops.

    ``e``: ``exponential`` bits each; ``r``: ``factor`` bits, and with ``normal`` a number k above
    them, up to that. s is ``shift``, and k more with ``normal``. ``places`` 0: rounded
    down, and it is for who chose the numbers that p fits ``width`` bits. Else, a power of two: p is
    rounded at (2 ``beat`` + 1) / (2 ``places``) of its last place, beat modulo that, and saturates.
    """

    latency = 2

    def __init__(
        self,
        *,
        lanes: int,
        exponential: int,
        factor: int,
        width: int,
        shift: int,
        normal: int = 0,
        places: int = 0,
    ):
        if places & (places - 1):
            raise ValueError(f"places must be 0 or a power of two, not {places}")
        self.lanes, self.exponential, self.factor, self.width = lanes, exponential, factor, width
        self.shift, self.normal, self.places = shift, normal, places
        super().__init__(
            {
                "e": In(lanes * exponential),
                "r": In(factor + normal.bit_length()),
                "beat": In(max((places - 1).bit_length(), 1) if places else 1),
                "p": Out(lanes * width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        shift = self.r[self.factor :] + self.shift if self.normal else self.shift
        offset = 0
        if self.places:
            place = delayed(m, self.beat, 1, "place")
            offset = Signal(self.shift + self.normal)
            m.d.comb += offset.eq(((2 * place + 1) << shift) >> self.places.bit_length())
        for lane in range(self.lanes):
            product = Signal(self.exponential + self.factor, name=f"product_{lane}",
                             reset_less=True)  # fmt: skip
            scaled = Signal(len(product) + 1, name=f"scaled_{lane}")
            p = Signal(self.width, name=f"p_{lane}", reset_less=True)
            e = self.e.word_select(lane, self.exponential)
            m.d.comb += scaled.eq((product + offset) >> shift)
            limit = (1 << self.width) - 1
            beyond = scaled[self.width :].any() if self.places else 0
            m.d.sync += [
                product.eq(e * self.r[: self.factor]),
                p.eq(Mux(beyond, limit, scaled) if self.places else scaled),
            ]
            m.d.comb += self.p.word_select(lane, self.width).eq(p)
        return m
