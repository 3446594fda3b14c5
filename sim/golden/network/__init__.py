"""Golden model of a network: every layer as hls4ml defines it, in exact integers.

Takes the layers' numbers (``hw/network/layers``) and nothing of what the RTL is made from. Raw
integers in, raw integers out; ``int64`` where all that can occur fits, else Python's integers.

Of each kind there is a function of the layer, its sources' values (samples, size) and as many
fraction bits; and one that names the widest numbers on the way (:func:`.casts.bits`).
"""

import numpy as np

from . import elementwise, linear, merging, normalization, pooling, softmax, wiring
from .casts import bits, cast, overflow, quantised, rounded

__all__ = ["cast", "overflow", "predict", "quantised", "rounded", "trace"]

LAYERS = {
    "Affine": (linear.affine, linear.affine_casts),
    "Argmax": (softmax.argmax, elementwise.plain_casts),
    "Cast": (elementwise.each, elementwise.each_casts),
    "Contraction": (merging.contraction, merging.contraction_casts),
    "Dense": (linear.dense, linear.dense_casts),
    "HardSigmoid": (elementwise.hard_sigmoid, elementwise.hard_sigmoid_casts),
    "LayerNorm": (normalization.layer_norm, normalization.layer_norm_casts),
    "LeakyRelu": (elementwise.leaky_relu, elementwise.leaky_relu_casts),
    "LegacySoftmax": (softmax.legacy, softmax.legacy_casts),
    "Lookup": (elementwise.lookup, elementwise.lookup_casts),
    "Merge": (merging.merge, merging.merge_casts),
    "Pool": (pooling.pool, pooling.pool_casts),
    "Relu": (elementwise.relu, elementwise.plain_casts),
    "Reshape": (wiring.reshape, elementwise.plain_casts),
    "Select": (wiring.select, wiring.select_casts),
    "Softmax": (softmax.softmax, softmax.softmax_casts),
    "Threshold": (elementwise.threshold, elementwise.threshold_casts),
}


def trace(network, raw: np.ndarray) -> dict[str, np.ndarray]:
    """The raw values of every layer by its name, each (samples, size), for the raw input
    (samples, size)."""
    dtype = np.int64 if _largest(network) < 62 else object
    values = {network.input.name: np.asarray(raw).reshape(len(raw), -1).astype(dtype)}
    for layer in network.layers[1:]:
        compute, _ = LAYERS[type(layer).__name__]
        x = [values[name] for name in layer.sources]
        fractions = [network[name].result.fraction for name in layer.sources]
        values[layer.name] = compute(layer, *x, *fractions)
    return values


def predict(network, raw: np.ndarray) -> np.ndarray:
    """The raw results, (samples, outputs)."""
    return trace(network, raw)[network.output]


def _largest(network) -> int:
    """Bits that any number on the way can have, and a sign, from the formats alone."""
    most = 0
    for layer in network.layers[1:]:
        _, casts = LAYERS[type(layer).__name__]
        x = [network[name].result for name in layer.sources]
        most = max([most, *(bits(*each) for each in casts(layer, *x))])
    return most
