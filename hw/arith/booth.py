"""Radix-4 modified Booth recoding (O. MacSorley, "High-speed arithmetic in binary computers").

Digits in {-2, -1, 0, 1, 2}, each from three neighbouring bits and so without a carry; three control
lines per digit travel.
"""

from amaranth.hdl import Cat, Const, Module, Mux

from .recoding import LinesRecoder, LinesRecoding

__all__ = ["BoothRecoder", "BoothRecoding"]


class BoothRecoder(LinesRecoder):
    """Combinational recoder of one operand."""

    def elaborate(self, platform):
        m = Module()
        extension = self.i[-1] if self.recoding.format.signed else Const(0, 1)
        bits = [Const(0, 1), *self.i, extension, extension]  # bits[k + 1] has weight 2**k
        for digit in range(self.recoding.n_digits):
            below, low, high = bits[2 * digit : 2 * digit + 3]
            one = low ^ below
            two = Mux(high, ~(low | below), low & below)
            neg = high & ~(low & below)
            m.d.comb += self.o[3 * digit : 3 * digit + 3].eq(Cat(one, two, neg))
        return m


class BoothRecoding(LinesRecoding):
    """Half as many digits as bits, and for unsigned operands the one that holds the final carry."""

    recoder_class = BoothRecoder
