"""Tables of activation sums: the entries of one slice, by as few adders as make all of them.

``half``: of every pair of entries T and -T one, with the sign of one element fixed. What is kept is
-T (T as in T-MAC and the LUT Tensor Core paper, that element counting -1), so that it counts +1:
``a_s - a_i`` and ``a_s + a_i`` need no negation, and the least, K times -2**(A-1), fits into a bit
less than its negative would. All entries are odd or even together: bit 0 is kept once.

``full``: the plain table, sums of every subset; the empty one needs no place.
"""

from amaranth.hdl import Cat, Module, Signal, signed

from ..formats import Format, signed_width
from .base import Front


def entry_width(a: Format, k: int) -> int:
    """Bits of an entry of either table: ``k`` times the least activation is the extreme."""
    return signed_width(k * a.min, -k * a.min - 1)


def n_adders(k: int) -> int:
    """Adders of a half table: 12 for k = 4."""
    return _halves(k)


def _halves(k: int) -> int:
    if k == 1:
        return 0
    first = k - k // 2
    return _halves(first) + _halves(k - first) + (1 << (k - 1))


def signed_sums(elements: list, name: str, add) -> list:
    """The first element plus and minus the others, at the index that has a bit set for each that
    is subtracted. In halves: those of the second are used with either sign.

    ``add(x, y, minus, name)`` gives ``x + y``, or ``x - y``.
    """
    if len(elements) == 1:
        return elements
    cut = len(elements) - len(elements) // 2
    first = signed_sums(elements[:cut], f"{name}_l", add)
    second = signed_sums(elements[cut:], f"{name}_h", add)
    found = []
    for index in range(1 << (len(elements) - 1)):
        low, high = index & (len(first) - 1), index >> (cut - 1)
        # The second half's first element is in its sums with +: else all signs are the others.
        minus, rest = high & 1, high >> 1
        other = second[rest ^ (len(second) - 1) * minus]
        found.append(add(first[low], other, minus, f"{name}_{index}"))
    return found


class HalfTable(Front):
    """``i``: k activations. ``o``: bit 0 of all entries, then the others' bits, entry 0 first.

    Entry j is ``a[sign]`` plus the others, in order, those subtracted whose bit of j is set: entry
    0 is the sum of all.
    """

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        elements = [self.i.word_select(n, pe.a.width).as_signed() for n in range(pe.k)]
        elements.insert(0, elements.pop(pe.sign))
        width = entry_width(pe.a, pe.k)
        entries = []
        for index, entry in enumerate(signed_sums(elements, "entry", self._adding(m))):
            wide = Signal(signed(width), name=f"wide_{index}")
            m.d.comb += wide.eq(entry)
            entries.append(wide)
        m.d.comb += self.o.eq(Cat(entries[0][0], *(entry[1:] for entry in entries)))
        return m

    def _adding(self, m):
        def add(first, other, minus, name):
            value = first - other if minus else first + other
            total = Signal(value.shape(), name=name)
            m.d.comb += total.eq(value)
            return total

        return add


class FullTable(Front):
    """``i``: k activations. ``o``: the sums of every subset but the empty one, by the index that
    has a bit set for each element, from 1 on."""

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        width = entry_width(pe.a, pe.k)
        sums = [None]
        for index in range(1, 1 << pe.k):
            top = index.bit_length() - 1
            element = self.i.word_select(top, pe.a.width).as_signed()
            rest = sums[index - (1 << top)]
            total = Signal(signed(width), name=f"entry_{index}")
            m.d.comb += total.eq(element if rest is None else element + rest)
            sums.append(total)
        m.d.comb += self.o.eq(Cat(sums[1:]))
        return m
