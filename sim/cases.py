"""Jobs for every simulator: corner classes and random draws from a seed.

The same configuration, seed and index give the same job everywhere, so that pysim, cocotb and the
compiled library can be compared case by case.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from matweave.hw.config import GemmConfig
from matweave.hw.floats import FloatFormat
from matweave.hw.weights import WIDTHS, Coding, WeightFormat

from . import float_cases
from .golden.operands import Operand
from .golden.requantize import MULTIPLIER_MAX, SHIFT_MAX, ZERO_POINT
from .jobs import Job

VALUES = (
    "random", "lowest", "highest", "extremes", "alternating", "zero", "sparse", "small", "pattern",
)  # fmt: skip
"""Corner classes of an operand."""

SHAPES = ("one", "tile", "tile_plus", "tile_minus", "tiles", "row", "column", "deep", "random")
"""Corner classes of M, N, K."""


@dataclass(frozen=True, eq=False)
class Case:
    """A job and what it is meant to show."""

    name: str
    job: Job


def cases(config: GemmConfig, seed: int, count: int, largest: int | None = None) -> Iterator[Case]:
    """``count`` jobs for ``config``; none of M, N, K exceeds ``largest``."""
    for index in range(count):
        yield case(config, seed, index, largest)


def case(config: GemmConfig, seed: int, index: int, largest: int | None = None) -> Case:
    """The job number ``index``. The first ones go through the corner classes in turn."""
    rng = np.random.default_rng([seed, index])
    shape_class = SHAPES[index % len(SHAPES)]
    a_class = VALUES[index % len(VALUES) if index < 9 else rng.integers(len(VALUES))]
    b_class = VALUES[(index + index // 9) % len(VALUES)]
    m, n, k = shape(config, shape_class, rng, largest)
    groups = int(rng.integers(1, config.max_groups + 1)) if config.max_groups > 1 else 1
    of_groups = (groups,) if groups > 1 else ()
    a = values(config.a, a_class, (m, groups * k), rng)
    weights = _weights(config, (*of_groups, n), rng)
    b = values(weights.get("b_format", config.b), b_class, (groups * k, n), rng)
    requantize = config.output.mode != "raw" and (
        config.output.mode == "requantized" or bool(rng.integers(2))
    )
    result = config.result_format
    name = f"{index}: {m}x{n}x{k} {shape_class}, a {a_class}, b {b_class}"
    job = Job(
        a=a,
        b=b,
        c0=_addend(result, (m, *of_groups, n), rng),
        bias=_addend(config.bias_format, (n,), rng),
        relu=bool(rng.integers(2)),
        requantize=requantize,
        groups=groups,
        **weights,
        **(_scale(config, n, k, rng) if requantize else {}),
    )
    return Case(name, job.checked(config))


def shape(
    config: GemmConfig, kind: str, rng: np.random.Generator, largest: int | None = None
) -> tuple[int, int, int]:
    """M, N, K of a class, within the limits of ``config``."""
    g, limits = config.geometry, config.limits
    bounds = [min(limit, largest or limit) for limit in (limits.m, limits.n, limits.k)]
    tile = np.array([g.m, g.n, g.k])
    if kind == "one":
        sizes = np.ones(3, int)
    elif kind == "tile":
        sizes = tile
    elif kind == "tile_plus":
        sizes = tile + 1
    elif kind == "tile_minus":
        sizes = tile - 1
    elif kind == "tiles":
        sizes = tile * rng.integers(2, 4, 3)
    elif kind == "row":
        sizes = np.array([1, rng.integers(1, bounds[1] + 1), rng.integers(1, bounds[2] + 1)])
    elif kind == "column":
        sizes = np.array([rng.integers(1, bounds[0] + 1), 1, rng.integers(1, bounds[2] + 1)])
    elif kind == "deep":
        sizes = np.array([rng.integers(1, g.m + 2), rng.integers(1, g.n + 2), bounds[2]])
    else:
        sizes = np.array([rng.integers(1, bound + 1) for bound in bounds])
    return tuple(int(min(max(size, 1), bound)) for size, bound in zip(sizes, bounds, strict=True))


def _weights(config: GemmConfig, size: tuple, rng: np.random.Generator) -> dict:
    """Zero points and a format of B, of engines whose jobs may say them."""
    found = {}
    if config.serial:
        formats = formats_up_to(config.b.width)
        found["b_format"] = formats[rng.integers(len(formats))]
    of = found.get("b_format", config.b)
    if config.subtracts_zeros and of.coding is Coding.ASYMMETRIC and rng.integers(4):
        most = 1 << of.width
        ends = rng.choice([0, most // 2, most - 1, most], size)
        found["zeros"] = ends if rng.integers(2) else rng.integers(0, most, size, endpoint=True)
    return found


def formats_up_to(width: int) -> list[WeightFormat]:
    """What a bit-serial engine takes whose weights have at most ``width`` bits."""
    found = [WeightFormat(1, Coding.BINARY)]
    found += [WeightFormat(2, Coding.TERNARY)] * (width > 1)
    codings = (Coding.ASYMMETRIC, Coding.SYMMETRIC)
    return found + [WeightFormat(w, c) for w in WIDTHS if w <= width for c in codings]


def values(
    format: Operand | WeightFormat, kind: str, size: tuple, rng: np.random.Generator
) -> np.ndarray:
    """Elements of ``format`` of a corner class."""
    if isinstance(format, FloatFormat):
        return float_cases.values(format, kind, size, rng)
    found = _values(format, kind, size, rng)
    if not isinstance(format, WeightFormat):
        return found
    # The nearest that there is: ternary weights have no -2, binary ones no 0.
    found = np.clip(found, format.min, format.max) - format.min
    return found // format.step * format.step + format.min


def _values(format, kind: str, size: tuple, rng: np.random.Generator) -> np.ndarray:
    low, high = format.min, format.max
    random = rng.integers(low, high, size, endpoint=True)
    if kind == "lowest":
        return np.full(size, low)
    if kind == "highest":
        return np.full(size, high)
    if kind == "extremes":
        return np.where(rng.integers(2, size=size), low, high)
    if kind == "alternating":
        return np.where(np.indices(size).sum(axis=0) % 2, low, high)
    if kind == "zero":
        return np.zeros(size, int)
    if kind == "sparse":
        return np.where(rng.random(size) < 0.1, random, 0)
    if kind == "small":
        return np.clip(rng.integers(-1, 2, size), low, high)
    if kind == "pattern":  # 0101… and 1010…: the digits of recoded multipliers
        bits = np.array([0x5555, 0xAAAA]) & ((1 << format.width) - 1)
        signed = bits - ((bits > high) * (1 << format.width))
        return signed[rng.integers(2, size=size)]
    return random


def _addend(format: Operand, size: tuple, rng: np.random.Generator) -> np.ndarray | None:
    """C0 or bias: none, small, anywhere, or at the ends of its range (where sums overflow)."""
    if isinstance(format, FloatFormat):
        return float_cases.addend(format, size, rng)
    kind = rng.integers(4)
    if kind == 0:
        return None
    if kind == 1:
        return rng.integers(-1000, 1001, size)
    if kind == 2:
        return rng.integers(format.min, format.max, size, endpoint=True)
    return np.where(rng.integers(2, size=size), format.min, format.max)


def _scale(config: GemmConfig, n: int, k: int, rng: np.random.Generator) -> dict:
    """Multiplier, shift and zero point: typical ones, exact ties, and the ends of their ranges."""
    size = (n,) if config.output.scale == "channel" else ()
    kind = rng.integers(5)
    # About the shift that brings a full-scale random sum into the output's range.
    spread = config.a.width + config.b.width + int(k).bit_length() // 2 - config.output.format.width
    typical = 30 + max(spread, 0)
    if kind <= 1:
        multiplier = rng.integers(1 << 30, MULTIPLIER_MAX, size, endpoint=True)
        shift = np.clip(typical + rng.integers(-2, 3, size), 0, SHIFT_MAX)
    elif kind == 2:  # a power of two: every other sum is a tie
        shift = rng.integers(1, max(2, min(spread, 30) + 1), size)
        power = rng.integers(0, 20, size)
        multiplier, shift = 1 << power, shift + power
    elif kind == 3:
        multiplier = rng.choice([0, 1, MULTIPLIER_MAX - 1, MULTIPLIER_MAX], size)
        shift = rng.choice([0, 1, 30, 31, 32, SHIFT_MAX - 1, SHIFT_MAX], size)
    else:
        multiplier = rng.integers(0, MULTIPLIER_MAX, size, endpoint=True)
        shift = rng.integers(0, SHIFT_MAX, size, endpoint=True)
    low, high = config.output.format.min, config.output.format.max
    zero_point = (0, int(rng.integers(low, high + 1)), ZERO_POINT.min, ZERO_POINT.max)
    return {
        "multiplier": np.asarray(multiplier),
        "shift": np.asarray(shift),
        "zero_point": zero_point[rng.choice(4, p=(0.4, 0.4, 0.1, 0.1))],
    }
