"""From layers to additions, bit for bit; :mod:`..fold.sections` does it for networks."""

from .. import layers as kinds
from . import elementwise, linear, merging, normalization, pooling, softmax, wiring

__all__ = ["MAKERS"]

MAKERS = {
    kinds.Affine: linear.affine,
    kinds.Argmax: softmax.argmax,
    kinds.Cast: elementwise.cast,
    kinds.Contraction: merging.contraction,
    kinds.Dense: linear.dense,
    kinds.HardSigmoid: elementwise.hard_sigmoid,
    kinds.LayerNorm: normalization.layer_norm,
    kinds.LeakyRelu: elementwise.leaky_relu,
    kinds.LegacySoftmax: softmax.legacy,
    kinds.Lookup: elementwise.lookup,
    kinds.Merge: merging.merge,
    kinds.Pool: pooling.pool,
    kinds.Relu: elementwise.relu,
    kinds.Reshape: wiring.reshape,
    kinds.Select: wiring.select,
    kinds.Softmax: softmax.softmax,
    kinds.Threshold: elementwise.threshold,
}
"""Of each kind of layer, the function of the builder, the layer and its sources' values."""
