"""What a PE and an array are driven with when power is estimated: Gaussian operands, and control as
the engine gives it, in many streams.

Sums of ``K`` products follow each other without a gap. Drives as in :mod:`.activity`.
"""

from dataclasses import dataclass, field

import numpy as np
from amaranth.sim import Simulator

from .activity import Drive
from .throughput import SIGMA

K = 64
"""Products per sum, at least: an array with more rows needs as many as it has rows."""

STREAMS = 64
SUMS = 3
"""Sums per accumulator in every stream, the first of them before anything is counted."""


@dataclass(frozen=True)
class Stimulus:
    """``warm``: cycles before counting; ``macs`` per cycle, of one stream, on average."""

    drive: Drive
    warm: int
    macs: float
    operands: dict[str, np.ndarray] = field(default_factory=dict)
    """Numbers of A and B (cycle, stream, lane), to check results by."""

    @property
    def sample(self) -> dict:
        cycles = len(next(iter(self.drive.values())))
        return {"streams": STREAMS, "cycles": cycles - self.warm, "warm_up": self.warm}


def gaussian(rng, format, shape) -> np.ndarray:
    """Integers of ``format``, standard deviation :data:`.throughput.SIGMA`, rounded, clipped."""
    drawn = np.rint(rng.normal(0, SIGMA, shape))
    return np.clip(drawn, format.min, format.max).astype(np.int64)


def bits(numbers: np.ndarray, width: int) -> np.ndarray:
    """Lanes of numbers in a last axis as bits side by side, the lowest lane's lowest bit first."""
    found = np.stack([(numbers >> place & 1).astype(bool) for place in range(width)], axis=-1)
    return found.reshape(*numbers.shape[:-1], -1)


def flags(cycles: int, at) -> np.ndarray:
    """A control bit, the same in all streams."""
    found = np.zeros((cycles, 1, 1), bool)
    found[at] = True
    return found


def codes(pe, operand: str, numbers: np.ndarray) -> np.ndarray:
    """What travels in the place of operands: their codes, where they are recoded."""
    if pe.recoding is None or pe.encode != operand:
        return numbers
    component = pe.recoding.recoder_class(recoding=pe.recoding)
    values, where = np.unique(numbers, return_inverse=True)
    table = []

    async def bench(ctx):
        for value in values:
            ctx.set(component.i, int(value) & (1 << len(component.i)) - 1)
            await ctx.delay(1e-9)
            table.append(ctx.get(component.o))

    simulator = Simulator(component)
    simulator.add_testbench(bench)
    simulator.run()
    return np.array(table)[where].reshape(numbers.shape)


def one_pe(pe, depth: int, seed: int) -> Stimulus:
    """For :class:`.measure.OnePe`."""
    rng, cycles = np.random.default_rng(seed), SUMS * K
    drive, operands = {"first": flags(cycles, slice(0, None, K))}, {}
    for name in ("a", "b"):
        numbers = gaussian(rng, getattr(pe, name), (cycles, STREAMS, depth))
        drive[name] = bits(codes(pe, name, numbers), pe.inner_width(name))
        operands[name] = numbers
    return Stimulus(drive, K, depth, operands)


def output_stationary(config, seed: int) -> Stimulus:
    """For systolic arrays whose sums stay, matrices and cubes: a block every cycle."""
    rng, geometry = np.random.default_rng(seed), config.geometry
    depth = geometry.k
    rows, columns = config.array.rows, config.array.columns
    k = max(K, rows)
    cycles = SUMS * k
    a = gaussian(rng, config.a, (cycles, STREAMS, rows * depth))
    b = gaussian(rng, config.b, (cycles, STREAMS, depth * columns))
    size = np.full((cycles, 1, 1), rows)
    drive = {
        "a": bits(a, config.a.width),
        "b": bits(b, config.b.width),
        "valid": flags(cycles, slice(None)),
        "first": flags(cycles, slice(0, None, k)),
        "last": flags(cycles, slice(k - 1, None, k)),
        "size": bits(size, rows.bit_length()),
    }
    return Stimulus(drive, k, geometry.macs, {"a": a, "b": b})


def weight_stationary(config, seed: int) -> Stimulus:
    """For arrays that keep B: a row of A every cycle, a new block of B for every ``K`` of them,
    loaded into the other bank meanwhile."""
    rng = np.random.default_rng(seed)
    rows, columns = config.geometry.k, config.array.columns
    k = max(K, rows)
    cycles = (SUMS + 1) * k  # during the first there are no weights yet
    at = np.arange(cycles)[:, None, None]
    a = gaussian(rng, config.a, (cycles, STREAMS, rows))
    w = gaussian(rng, config.b, (cycles // k, k, STREAMS, columns))
    w[:, rows:] = w[:, rows - 1 : rows]  # beyond the last row nothing is loaded: the port keeps
    w = w.reshape(cycles, STREAMS, columns)
    drive = {
        "a": bits(a, config.a.width),
        "valid": flags(cycles, slice(None)),
        "bank": at // k % 2 == 0,
        "w": bits(w, config.b.width),
        "w_row": bits(np.minimum(at % k, rows - 1), (max(rows, 2) - 1).bit_length()),
        "w_valid": at % k < rows,
        "w_bank": at // k % 2 == 1,
    }
    return Stimulus(drive, 2 * k, config.geometry.macs, {"a": a, "w": w})


def array(config, seed: int) -> Stimulus:
    """For a configuration's array."""
    if config.array.kind == "digit_serial":
        from .serial_stimuli import digit_serial

        return digit_serial(config, seed)
    stationary = config.array.kind in ("weight_stationary", "tree")
    return (weight_stationary if stationary else output_stationary)(config, seed)
