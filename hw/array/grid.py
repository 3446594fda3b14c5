"""Cutting a grid into few distinct blocks.

A flat ``n`` x ``n`` grid costs Amaranth time and text per cell. Cut recursively into at most 4 x 4
blocks, of which a handful are distinct, it costs a little per *distinct* block.
"""

_FAN = 4


def chunks(length: int, unit: int = 1) -> list[tuple[int, int]]:
    """``(start, size)`` of the pieces of ``length``: at most a few, sizes a power of four units.

    The last piece may be shorter. ``length <= unit`` is one piece.
    """
    size = unit
    while size * _FAN < length:
        size *= _FAN
    return [(start, min(size, length - start)) for start in range(0, length, size)]


def tiles(length: int, unit: int) -> int:
    """Tiles of ``unit`` that cover ``length``."""
    return -(-length // unit)


def chain(m, blocks, name, value, result, start: int, length: int):
    """Connect ``{name}_o`` of each block to ``{name}_i`` of the next; the ends are bits
    ``start`` to ``start + length`` of ``value`` and ``result``."""
    value = value[start : start + length]
    for block in blocks:
        m.d.comb += getattr(block, f"{name}_i").eq(value)
        value = getattr(block, f"{name}_o")
    m.d.comb += result[start : start + length].eq(value)
