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

    def refusal(self) -> tuple[str, str] | None:
        """The table of the configuration that asks for too much, and why; or ``None``."""
        smaller, lower = ("array", "make the array smaller"), ("limits", "lower [limits]")
        for what, value, cap, (table, remedy) in (
            ("multipliers", self.multipliers, MAX_MULTIPLIERS, smaller),
            ("bits of buffers", self.buffer_bits, MAX_BUFFER_BITS, lower),
            ("bits in one stream", self.stream_bits, MAX_STREAM_BITS, smaller),
        ):
            if value > cap:
                return table, f"{value} {what} are needed and at most {cap} are allowed; {remedy}"
        return None


def gemm(
    geometry: Geometry,
    a: Format,
    b: Format,
    accumulator: Format,
    result: Format,
    limits: tuple[int, int, int],
) -> Cost:
    """Cost of a GEMM engine for jobs of up to ``limits`` = (m, n, k), in whole blocks.

    Output stationary: all of B, a ring of two row panels of A, a queue of results. Weight
    stationary: all of A, two blocks of B, a column panel of accumulators, a queue of results. Both:
    three table words per output channel.
    """
    m, n, k = limits
    k_blocks, n_panels = -(-k // geometry.k), -(-n // geometry.n)
    a_beat, b_block = geometry.m * geometry.k * a.width, geometry.k * geometry.n * b.width
    row = geometry.n * accumulator.width
    # A queue holds two tiles and what is on its way through the array, rounded up.
    results = 4 * (geometry.m + geometry.n + geometry.k) * row
    if geometry.stationary is Stationary.OUTPUT:
        operands = n_panels * k_blocks * b_block + power_of_two(2 * k_blocks) * a_beat
    else:
        operands = m * k_blocks * a_beat + 2 * b_block
        results += m * row
    return Cost(
        multipliers=geometry.macs,
        buffer_bits=operands + results + n_panels * geometry.n * 3 * 32,
        stream_bits=max(
            geometry.a_lanes * a.lane_width,
            geometry.b_lanes * b.lane_width,
            geometry.c_lanes * result.lane_width,
        ),
    )


def digit_serial(
    geometry: Geometry,
    a: Format,
    b: Format,
    accumulator: Format,
    result: Format,
    limits: tuple[int, int, int],
) -> Cost:
    """Cost of a GEMM engine whose rows work through lists of digits, as :func:`gemm`.

    Every row has all of B, and two panels of A as lists: per digit an index along K and three bits,
    in memories whose depth is a power of two. Per row two results.
    """
    _, n, k = limits
    n_panels = -(-n // geometry.n)
    # Up to eight lanes round K up.
    places = power_of_two(k + 7)
    entry = places.bit_length() + 3
    lists = geometry.m * 2 * (a.width // 2 + 1) * places * entry
    copies = geometry.m * n_panels * (k + 7) * geometry.n * b.width
    results = 4 * (geometry.m + 1) * geometry.n * accumulator.width
    usual = gemm(geometry, a, b, accumulator, result, limits)
    return Cost(
        multipliers=usual.multipliers,
        buffer_bits=lists + copies + results + n_panels * geometry.n * 3 * 32,
        stream_bits=usual.stream_bits,
    )


def power_of_two(value: int) -> int:
    """The least power of two that is at least ``value`` (and at least 2)."""
    return max(2, 1 << (value - 1).bit_length())
