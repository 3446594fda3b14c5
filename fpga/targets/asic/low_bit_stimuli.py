"""What arrays of low-bit PEs (:mod:`....hw.lut.array`) are driven with when power is estimated.

Activations are Gaussian, of integers with the share of the format that int8 has in the other
arrays; codes of weights are uniform. Slices follow each other without a gap; rows are read in turn
behind every sum.
"""

import numpy as np

from ....hw.errors import UserError
from ....hw.floats import FloatFormat
from ....hw.lut.array import LowBitArray
from ....hw.lut.popcount import PopcountPe
from ....hw.lut.quantised_table import QuantisedTablePe
from ....sim.golden import floats, lut
from .stimuli import STREAMS, SUMS, K, Stimulus, bits, flags
from .throughput import SIGMA

SIGMA_WIDTH = 8
"""Bits of the format that :data:`.throughput.SIGMA` is for."""


def activations(rng, format, shape) -> np.ndarray:
    """Codes of ``format``."""
    drawn = rng.normal(0, 1, shape)
    if isinstance(format, FloatFormat):
        return floats.codes(floats.stored(drawn.astype(np.float32), format), format)
    scaled = np.rint(drawn * SIGMA * 2.0 ** (format.width - SIGMA_WIDTH))
    return np.clip(scaled, format.min, format.max).astype(np.int64)


def with_exponents(a: np.ndarray, pe: QuantisedTablePe) -> np.ndarray:
    """Bits of ``a`` (cycle, stream, row and element), above each row's slice the exponent with
    which none of its tables in the drive is limited."""
    slices = a.reshape(*a.shape[:-1], -1, pe.k)
    rows = np.moveaxis(slices, -2, 0).reshape(slices.shape[-2], -1)
    exponents = bits(lut.exponents(rows, pe.k, pe.entry)[:, None], pe.most_exponent.bit_length())
    above = np.broadcast_to(exponents, (*slices.shape[:-1], exponents.shape[-1]))
    return np.concatenate([bits(slices, pe.a.width), above], axis=-1).reshape(*a.shape[:-1], -1)


def low_bit(array: LowBitArray, seed: int) -> Stimulus:
    """For ``array``, sums of :data:`.stimuli.K` products. Raises :class:`UserError` for PEs that
    take activations bit by bit."""
    pe = array.pe
    if isinstance(pe, PopcountPe):
        raise UserError("power is not estimated of popcount, which takes A bit by bit")
    rng = np.random.default_rng(seed)
    steps = max(K // pe.k, array.rows) * pe.cycles
    cycles = SUMS * steps
    at = np.arange(cycles)
    a = activations(rng, pe.a, (cycles, STREAMS, array.rows * pe.k))
    a = a[at // pe.cycles * pe.cycles]  # a table stays for its planes
    read = np.zeros((cycles, 1, array.rows), bool)
    for row in range(array.rows):
        read[(at - array.latency - row) % steps == steps - 1, 0, row] = True
    drive = {
        "a": bits(a, pe.a.width) if pe.slice_bits == pe.k * pe.a.width else with_exponents(a, pe),
        "load": flags(cycles, at % pe.cycles == 0),
        "w": rng.integers(0, 2, (cycles, STREAMS, array.columns * pe.word_bits)).astype(bool),
        "valid": flags(cycles, slice(None)),
        "first": flags(cycles, at % steps == 0),
        "read": read,
    }
    if pe.shift_bits:
        shifts = np.array(pe.b.shifts)[at % pe.cycles]
        drive["shift"] = bits(shifts[:, None, None], pe.shift_bits)
    macs = array.rows * array.columns * pe.k / pe.cycles
    return Stimulus(drive, steps, macs, {"a": a})
