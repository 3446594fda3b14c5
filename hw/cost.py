"""What a configuration would cost to build, in closed form, and how much is too much.

Computed from a handful of integers before anything is elaborated, so that an absurd size is refused
in microseconds. The figures are upper estimates of the engine's storage, not of a chip's area.
"""

from dataclasses import dataclass

from .formats import Format
from .geometry import Geometry, Stationary

MAX_MULTIPLIERS = 65_536
"""Multiply-accumulates per cycle: 256 x 256."""

MAX_BUFFER_BITS = 1 << 29
"""On-chip operand, result and table storage: 64 MiB, beyond any FPGA's."""

MAX_STREAM_BITS = 16_384
"""Width of the widest stream: 256 lanes of 64 bits."""


@dataclass(frozen=True)
class Cost:
    """Multiply-accumulates per cycle, buffer bits, and bits of the widest stream."""

    multipliers: int
    buffer_bits: int
    stream_bits: int

    def refusal(self) -> str | None:
        """Which cap is exceeded, or ``None``."""
        for what, value, cap, remedy in (
            ("multipliers", self.multipliers, MAX_MULTIPLIERS, "make the array smaller"),
            ("bits of buffers", self.buffer_bits, MAX_BUFFER_BITS, "lower [limits]"),
            ("bits in one stream", self.stream_bits, MAX_STREAM_BITS, "make the array smaller"),
        ):
            if value > cap:
                return f"{value} {what} are needed and at most {cap} are allowed; {remedy}"
        return None


def gemm(
    geometry: Geometry,
    a: Format,
    b: Format,
    accumulator: Format,
    result: Format,
    limits: tuple[int, int, int],
) -> Cost:
    """Cost of a GEMM engine for jobs of up to ``limits`` = (m, n, k).

    Output stationary: all of B, two row panels of A, two result tiles. Weight stationary: all of A,
    two blocks of B, two column panels of accumulators. Both: three table words per output channel.
    """
    m, n, k = limits
    if geometry.stationary is Stationary.OUTPUT:
        operands = k * n * b.width + 2 * geometry.m * k * a.width
        results = 2 * geometry.m * geometry.n * result.width
    else:
        operands = m * k * a.width + 2 * geometry.k * geometry.n * b.width
        results = 2 * m * geometry.n * accumulator.width
    return Cost(
        multipliers=geometry.macs,
        buffer_bits=operands + results + n * 3 * 32,
        stream_bits=max(
            geometry.a_lanes * a.lane_width,
            geometry.b_lanes * b.lane_width,
            geometry.c_lanes * result.lane_width,
        ),
    )
