"""Delay lines and the triangles of them at a systolic array's edges.

Built by halving, every half a shared cell, so that a triangle for 256 lanes is a dozen modules.
"""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared

_FLAT = 4  # delays up to here are written out, longer ones halved
_NARROW = 64  # vectors up to here are delayed whole, wider ones also halved across


class Delay(wiring.Component):
    """``o`` is ``i`` (``width`` bits) of ``depth`` cycles ago.

    ``resettable``: whether reset clears it (control bits) or leaves it alone (data).
    """

    def __init__(self, *, width: int, depth: int, resettable: bool = False):
        if depth < 1 or width < 1:
            raise ValueError(f"width and depth must be positive, not {width} and {depth}")
        self.width, self.depth, self.resettable = width, depth, resettable
        super().__init__({"i": In(width), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        value = self.i
        if self.depth <= _FLAT:
            for stage in range(self.depth):
                register = Signal(self.width, name=f"stage_{stage}", reset_less=not self.resettable)
                m.d.sync += register.eq(value)
                value = register
        else:
            # Halved in depth and, if wide, across: the halves of a skew ask for the same quarters.
            half = self.depth // 2
            across = 2 if self.width > _NARROW and self.width % 2 == 0 else 1
            width = self.width // across
            for name, depth in (("head", half), ("tail", self.depth - half)):
                outputs = []
                for lane in range(across):
                    m.submodules[f"{name}_{lane}"] = part = shared(
                        Delay, width=width, depth=depth, resettable=self.resettable
                    )
                    m.d.comb += part.i.eq(value[lane * width : (lane + 1) * width])
                    outputs.append(part.o)
                value = Cat(outputs)
        m.d.comb += self.o.eq(value)
        return m


def delayed(m, name: str, value, depth: int, *, resettable: bool = False):
    """``value`` of ``depth`` cycles ago (``depth`` may be 0), built in module ``m``."""
    if depth == 0:
        return value
    m.submodules[name] = line = shared(Delay, width=len(value), depth=depth, resettable=resettable)
    m.d.comb += line.i.eq(value)
    return line.o


class Skew(wiring.Component):
    """Delays lane group ``g`` of ``groups`` by ``g`` cycles, or ``groups - 1 - g`` if ``reverse``.

    Each group is ``width`` bits; group 0 is lowest in ``i`` and ``o``.
    """

    def __init__(self, *, width: int, groups: int, reverse: bool = False, resettable: bool = False):
        if groups < 2:
            raise ValueError(f"groups must be at least 2, not {groups}")
        self.width, self.groups = width, groups
        self.reverse, self.resettable = reverse, resettable
        super().__init__({"i": In(width * groups), "o": Out(width * groups)})

    def elaborate(self, platform):
        m = Module()
        half = self.groups // 2
        cut = half * self.width
        parts = [(self.i[:cut], half), (self.i[cut:], self.groups - half)]
        # The later half waits for the earlier one (the other way round if reversed).
        late = 0 if self.reverse else 1
        outputs = []
        for index, (value, groups) in enumerate(parts):
            if index == late:
                value = delayed(m, "wait", value, parts[1 - late][1], resettable=self.resettable)
            outputs.append(
                skewed(
                    m, f"half_{index}", value, groups,
                    reverse=self.reverse, resettable=self.resettable,
                )
            )  # fmt: skip
        m.d.comb += self.o.eq(Cat(outputs))
        return m


def skewed(m, name: str, value, groups: int, *, reverse: bool = False, resettable: bool = False):
    """``value``, cut into ``groups`` equal groups, skewed as by :class:`Skew` in module ``m``."""
    if groups == 1:
        return value
    assert len(value) % groups == 0
    m.submodules[name] = skew = shared(
        Skew,
        width=len(value) // groups,
        groups=groups,
        reverse=reverse,
        resettable=resettable,
    )
    m.d.comb += skew.i.eq(value)
    return skew.o
