"""Constant tables as logic: a function of a few bits, as LUTs."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

LEAF = 6
"""Bits of the address that one LUT takes; selectors above it choose among such LUTs."""


def lookup(m: Module, address: Value, words: list[int], width: int) -> Value:
    """``words[address]``, of which there is one per address, in ``width`` bits.

    Each bit is a decision diagram over the address from its highest bit down to :data:`LEAF` bits
    that are one LUT. Equal parts, of one bit or of several, are there once, and what does not
    depend on a bit of the address does not take it.
    """
    diagram = _Diagram(m, address)
    columns = [_column(words, bit) for bit in range(width)]
    return Cat(*(diagram.function(column, len(address)) for column in columns))


def _column(words, bit):
    """The truth table of one bit as an integer, address 0 lowest."""
    return int("".join("1" if word >> bit & 1 else "0" for word in reversed(words)), 2)


class _Diagram:
    def __init__(self, m, address):
        self.m, self.address = m, address
        self.made = {}

    def function(self, table: int, inputs: int) -> Value:
        """A truth table of the ``inputs`` lowest bits of the address."""
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
