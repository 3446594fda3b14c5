"""What one array does per cycle and per tile, in the terms that streams, golden model and cycle
model need. Pure Python, no Amaranth: see ``docs/reference/streams.md`` for the beat layouts.
"""

import enum
from dataclasses import dataclass


class Stationary(enum.Enum):
    """Which tensor stays in the array while the others stream past."""

    OUTPUT = "output"
    WEIGHT = "weight"


@dataclass(frozen=True)
class Geometry:
    """The block of the GEMM that an array takes per cycle.

    ``OUTPUT`` stationary: every cycle takes an ``m`` x ``k`` block of A and a ``k`` x ``n`` block
    of B and adds their product to an ``m`` x ``n`` tile that stays in the array.

    ``WEIGHT`` stationary: a ``k`` x ``n`` block of B stays in the array (``m`` is 1); every cycle
    takes one row of A (``k`` elements) and gives one row of ``n`` partial sums.
    """

    stationary: Stationary
    m: int
    n: int
    k: int

    @property
    def macs(self) -> int:
        """Peak multiply-accumulates per cycle; nominal where one takes as many cycles as its
        operand has digits, or a fraction of them (``digit_serial``)."""
        return self.m * self.n * self.k

    @property
    def a_lanes(self) -> int:
        """Elements per beat of the A stream."""
        return self.m * self.k

    @property
    def b_lanes(self) -> int:
        """Elements per beat of the B stream: a whole block, or one of its ``k`` rows where the
        block stays in the array."""
        return self.n if self.stationary is Stationary.WEIGHT else self.k * self.n

    @property
    def c_lanes(self) -> int:
        """Elements per beat of the C and C0 streams: one row of a tile."""
        return self.n

    def beats(self, m: int, n: int, k: int, b_beats: int = 1, groups: int = 1) -> dict[str, int]:
        """Beats per stream of one ``m`` x ``n`` x ``k`` job (``c0`` as ``c``); ``b_beats``: of a
        block of B, and ``groups`` of ``k`` elements, where outputs are stationary."""
        m_tiles, n_tiles, k_tiles = -(-m // self.m), -(-n // self.n), -(-k // self.k)
        if self.stationary is Stationary.OUTPUT:
            k_tiles *= groups
            b = n_tiles * k_tiles * b_beats
            return {"a": m_tiles * k_tiles, "b": b, "c": m * n_tiles * groups}
        return {"a": m * k_tiles, "b": k * n_tiles, "c": m * n_tiles}
