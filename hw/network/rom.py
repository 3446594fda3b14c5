"""Constant tables as logic: a function of a few bits, as LUTs."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared

__all__ = ["Rom", "lookup"]

LEAF = 6
"""Bits of the address that one LUT takes; selectors above it choose among such LUTs."""


def lookup(m: Module, name: str, address: Value, words: tuple[int, ...], width: int) -> Value:
    """``words[address]``, of which there is one per address, in ``width`` bits. A table that is not
    but a LUT per bit is a cell ``name`` of its own, the same for equal contents."""
    if len(address) <= LEAF:
        return _Diagram(m, address).word(words, width)
    m.submodules[name] = rom = shared(Rom, words=words, width=width)
    m.d.comb += rom.i.eq(address)
    return rom.o


class Rom(wiring.Component):
    """A table without a clock: ``o`` is ``words[i]``.

    Each bit is a decision diagram over the address from its highest bit down to :data:`LEAF` bits,
    which are one LUT. Equal parts, of one bit or of several, are there once, and what does not
    depend on a bit of the address does not take it.

    Parameters
    ----------
    words : tuple of int
        2**n of them, each of ``width`` bits.
    width : int
    """

    sequential = False

    def __init__(self, *, words: tuple[int, ...], width: int):
        self.words, self.width = words, width
        super().__init__({"i": In((len(words) - 1).bit_length()), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(_Diagram(m, self.i).word(self.words, self.width))
        return m


class _Diagram:
    def __init__(self, m, address):
        self.m, self.address = m, address
        self.made = {}

    def word(self, words, width: int) -> Value:
        columns = [_column(words, bit) for bit in range(width)]
        return Cat(*(self.function(column, len(self.address)) for column in columns))

    def function(self, table: int, inputs: int) -> Value:
        """A truth table, address 0 lowest, of the ``inputs`` lowest bits of the address."""
        if table == 0 or table == (1 << (1 << inputs)) - 1:
            return Const(table & 1, 1)
        half = 1 << (inputs - 1)
        low, high = table & ((1 << half) - 1), table >> half
        if low == high:
            return self.function(low, inputs - 1)
        if (table, inputs) not in self.made:
            self.made[table, inputs] = signal = Signal(name="entry")
            if inputs <= LEAF:
                value = (Const(table, 1 << inputs) >> self.address[:inputs])[0]
            else:
                top = self.address[inputs - 1]
                value = Mux(top, self.function(high, inputs - 1), self.function(low, inputs - 1))
            self.m.d.comb += signal.eq(value)
        return self.made[table, inputs]


def _column(words, bit):
    """The truth table of one bit of the words."""
    return int("".join("1" if word >> bit & 1 else "0" for word in reversed(words)), 2)
