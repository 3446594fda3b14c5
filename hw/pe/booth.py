"""Radix-4 modified Booth: operands recoded once at the array's edge, one compressor tree per PE."""

from amaranth.hdl import Module

from ..arith.booth import BoothRecoder, n_digits, partial_products
from ..arith.compress import Operand, total
from .base import Dot, Pe

FACTS = {
    "name": "booth",
    "title": "Modified Booth",
    "saturates_in_array": False,
    "summary": "Recoder hoisted to the edge; partial products and accumulator in one carry-save "
    "tree and one adder.",
}


class BoothDot(Dot):
    """``o = c + sum(a[d] * b[d])`` modulo ``2**width``: all partial products of all terms, and the
    accumulator, compressed together in front of a single carry-propagate adder.
    """

    def elaborate(self, platform):
        m = Module()
        operands = [Operand(self.c, False)]
        for d, code in enumerate(self.a_codes()):
            operands += partial_products(
                m,
                code,
                self.b.word_select(d, self.pe.b.width),
                a_format=self.pe.a,
                b_format=self.pe.b,
                name=f"pp_{d}_",
            )
        m.d.comb += self.o.eq(total(m, operands, self.width))
        return m


class BoothPe(Pe):
    """Three control lines per radix-4 digit of ``a`` travel through the array."""

    dot_class = BoothDot
    encoder_class = BoothRecoder

    @property
    def code_width(self) -> int:
        return 3 * n_digits(self.a)
