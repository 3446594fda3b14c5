"""What the edges of systolic arrays share: padding of short tiles, and the drain."""

from amaranth.hdl import Cat, Signal

from ..cells import shared
from ..pe.base import Pe
from .resolve import Resolver
from .skew import delayed, skewed


def resolved(m, pe: Pe, state, width: int, column: int):
    """The two's-complement sum that ``state`` stands for, ``pe.resolve_latency`` cycles later."""
    resolver = pe.resolve_class if pe.resolve_latency < 2 else Resolver
    m.submodules[f"resolve_{column}"] = resolve = shared(resolver, pe=pe, width=width)
    m.d.comb += resolve.i.eq(state)
    if pe.resolve_latency < 2:
        return delayed(m, f"resolved_{column}", resolve.o, pe.resolve_latency)
    return resolve.o


def drain(m, pe: Pe, bus, columns: int, width: int, groups: int, tile_columns: int):
    """One resolved number per column from the states on ``bus``, de-skewed by tile column."""
    state = pe.state_bits(width)
    sums = [resolved(m, pe, bus.word_select(n, state), width, n) for n in range(columns)]
    padded = pad(Cat(sums), groups * tile_columns * width)
    return skewed(m, "deskew", padded, groups, reverse=True)[: columns * width]


def pad(value, width: int):
    """``value`` zero-extended to ``width`` bits, for groups that the last tile does not fill."""
    missing = width - len(value)
    if missing == 0:
        return value
    return Cat(value, Signal(missing, name="padding"))
