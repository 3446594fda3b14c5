"""Where the channel tables are among an engine's addresses, as expressions of a word address."""

from amaranth.hdl import Cat, Const, Mux

from . import regmap
from .core import CoreShape


class TableMap:
    """``tables``: their byte addresses by name. The address space is windows of one size, the
    registers' first; that of zero points has as many as are before it."""

    def __init__(self, shape: CoreShape):
        self.shape = shape
        self.address_width = regmap.address_width(shape.max_n, zeros=shape.zeros)
        self.tables = regmap.table_addresses(
            shape.max_n, per_channel=shape.output.per_channel, zeros=shape.zeros
        )
        #: Words of the longest table.
        self.entries = max(shape.max_n, shape.zeros, 2)
        self._bits = (regmap.window(shape.max_n) - 1).bit_length() - 2

    def window(self, word):
        """Which window a word address is in; 0 has the registers."""
        return word[self._bits :]

    def offset(self, word):
        """A word's place in its window."""
        return word[: self._bits]

    def windows(self, name: str) -> range:
        """Those of a table."""
        first = self.tables[name] // regmap.window(self.shape.max_n)
        return range(first, 2 * first if name == "zero" else first + 1)

    def index(self, word):
        """A word's place in its table."""
        if not self.shape.zeros:
            return self.offset(word)
        bits = (self.tables["zero"] - 1).bit_length() - 2
        return Mux(word[bits:].any(), word[:bits], self.offset(word))

    def inside(self, name: str, word):
        """Whether a word address in a table's windows is one of its words."""
        if name == "zero":
            return self.index(word) < self.shape.zeros
        return self.offset(word) < self.shape.max_n

    def enables(self, accepted):
        """``accepted``, a bit per table that there is, as the core's enables."""
        there = list(self.tables)
        if there == list(regmap.TABLES[: len(there)]):
            return accepted
        return Cat(accepted[there.index(name)] if name in there else Const(0, 1)
                   for name in regmap.TABLES)  # fmt: skip

    def split(self, index, panel, lane):
        """Statements that take a place in a table to ``panel`` and ``lane``, by a multiplication
        where lanes is no power of two."""
        lanes = self.shape.geometry.n
        if lanes & (lanes - 1) == 0:
            bits = lanes.bit_length() - 1
            return [panel.eq(index >> bits), lane.eq(index[:bits] if bits else 0)]
        # floor(i / lanes) = i * ceil(2**s / lanes) >> s for all i < 2**(s - bits of lanes).
        scale = len(index) + lanes.bit_length()
        factor = -(-(1 << scale) // lanes)
        return [panel.eq((index * factor) >> scale), lane.eq(index - panel * lanes)]
