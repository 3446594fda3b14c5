"""hls4ml's functions, in the floating point that its C++ uses (``nnet_activation.h``).

C's ``float`` is NumPy's ``float32``; its functions are rounded from double precision, which differs
from glibc's in fewer than one of hundreds of last bits.
"""

import numpy as np

from ...fixed import Fixed
from .common import raw

FLOAT = np.float32


def exp(x: np.ndarray) -> np.ndarray:
    """Of ``float``."""
    with np.errstate(over="ignore"):
        return FLOAT(np.exp(np.float64(x)))


def _sigmoid(x):
    return FLOAT(1.0 / np.float64(FLOAT(1) + exp(-x)))


def _tanh(x):
    return FLOAT(np.tanh(np.float64(x)))


def _softplus(x):
    return FLOAT(np.log(np.float64(exp(x)) + 1.0))


def _softsign(x):
    return FLOAT(np.float64(x) / (np.abs(np.float64(x)) + 1.0))


def _elu(x):
    return FLOAT(np.float64(exp(x)) - 1.0)


def _selu(x):
    alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
    return FLOAT(scale * (alpha * (np.float64(exp(x)) - 1.0)))


TABLES = {
    "sigmoid": (_sigmoid, 8), "tanh": (_tanh, 4), "softplus": (_softplus, 8),
    "softsign": (_softsign, 8),
}  # fmt: skip
"""Functions, and the end of their table: it begins at its negative."""

OF_ELU = {"elu": _elu, "selu": _selu}


def entries(function, half: int, size: int, to: Fixed) -> np.ndarray:
    """Raw numbers of a table from ``-half`` to ``half``."""
    x = FLOAT(2.0 * half * (np.arange(size) - np.float64(FLOAT(size)) / 2.0) / size)
    return raw(np.float64(function(x)), to)


def patterns(to: Fixed, size: int) -> np.ndarray:
    """What the ``size`` values of the highest bits are worth, the lower ones zero: ``float``."""
    shift = to.width - (size - 1).bit_length()
    bits = np.arange(size, dtype=np.int64) << shift
    if to.signed:
        bits = np.where(bits >> (to.width - 1), bits - (1 << to.width), bits)
    return FLOAT(bits * 2.0**-to.fraction)
