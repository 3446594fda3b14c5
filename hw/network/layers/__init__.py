"""A quantised network as layers with integer weights: what is read from hls4ml, and what the golden
model computes. No arithmetic here, and no Amaranth.

Tensors are flat: a layer's ``size`` values, in row-major order of the ``shape`` that the model has.
Weights are raw integers of their format (:class:`~matweave.hw.fixed.Fixed`).

A kind of layer is a dataclass here, a reader in ``reading``, a function in ``lower`` and one in
``sim.golden.network``; each of the four packages lists its own in its ``__init__``.
"""

from .base import (
    MAX_ENTRIES,
    MAX_PRODUCTS,
    MAX_TENSOR,
    MAX_VALUES,
    Input,
    Layer,
    Network,
    check_size,
)
from .elementwise import Cast, HardSigmoid, LeakyRelu, Lookup, PhasedCast, Relu, Threshold
from .linear import Affine, Dense
from .merging import Contraction, Merge
from .normalization import LayerNorm
from .pooling import Pool
from .softmax import Argmax, LegacySoftmax, Softmax
from .wiring import Reshape, Select

KINDS = {
    each.__name__: each
    for each in (
        Affine, Argmax, Cast, Contraction, Dense, HardSigmoid, Input, LayerNorm, LeakyRelu,
        LegacySoftmax, Lookup, Merge, Pool, Relu, Reshape, Select, Softmax, Threshold,
    )
}  # fmt: skip
"""Every kind by its name."""

__all__ = [
    "KINDS", "MAX_ENTRIES", "MAX_PRODUCTS", "MAX_TENSOR", "MAX_VALUES", "Affine", "Argmax", "Cast",
    "Contraction", "Dense", "HardSigmoid", "Input", "Layer", "LayerNorm", "LeakyRelu",
    "LegacySoftmax", "Lookup", "Merge", "Network", "PhasedCast", "Pool", "Relu", "Reshape",
    "Select", "Softmax", "Threshold", "check_size",
]  # fmt: skip
