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


def counted(m, finished, size, rows: int, latency: int):
    """Whether a row leaves: for ``size`` (of at most ``rows``) cycles from ``latency`` cycles after
    ``finished``."""
    start = delayed(m, "o_start", finished, latency, resettable=True)
    if rows == 1:
        return start
    size = delayed(m, "o_size", size, latency)
    left = Signal(range(rows), name="left")
    with m.If(start):
        m.d.sync += left.eq(size - 1)
    with m.Elif(left != 0):
        m.d.sync += left.eq(left - 1)
    return start | (left != 0)
