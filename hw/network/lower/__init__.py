"""From a network's layers to the adder graph, bit for bit."""

from dataclasses import dataclass

from .. import layers as kinds
from ..graph import Graph
from ..layers import Network
from . import elementwise, linear, merging, normalization, pooling, softmax, wiring
from .builder import Builder, Value

__all__ = ["Lowered", "lower"]

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


@dataclass(frozen=True)
class Lowered:
    """The graph of a network. Output ``i`` is worth ``graph.outputs[i] * 2**exponents[i]``."""

    graph: Graph
    exponents: tuple[int, ...]


def lower(network: Network, choices=None) -> Lowered:
    """The graph of all layers; ``choices``: how to solve matrices (:class:`.cmvm.Options`),
    instead of what suits their size."""
    build = Builder(network, choices)
    first = network.input
    to = first.result.plain()
    values: dict[str, list[Value]] = {
        first.name: [
            Value(build.graph.input(place, to.min, to.max), -to.fraction)
            for place in range(first.size)
        ]
    }
    for layer in network.layers[1:]:
        sources = [values[name] for name in layer.sources]
        values[layer.name] = MAKERS[type(layer)](build, layer, *sources)
    outputs = values[network.output]
    build.graph.outputs = [value.node for value in outputs]
    return Lowered(build.graph, tuple(value.exponent for value in outputs))
