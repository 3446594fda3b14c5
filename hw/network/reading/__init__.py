"""From hls4ml's ModelGraph to layers with integer weights.

hls4ml's own front ends and flows have parsed, fused and typed the model; here its layers are read
by name and attribute, so that this package needs no hls4ml. What has no place in an unrolled
pipeline is refused, by layer, with the reason and what to change.

A reader takes a node and gives the layers that it is, the last of them with the node's name.
"""

from dataclasses import replace

from ...errors import ConfigError
from ..layers import Input, Layer, Network, Reshape
from . import elementwise, linear, wiring
from .common import common, raw, refuse

__all__ = ["raw", "read", "refuse"]

READERS = {
    "Activation": elementwise.activation,
    "ApplyAlpha": linear.affine,
    "BatchNormalization": linear.affine,
    "Dense": linear.dense,
    "EinsumDense": linear.einsum,
    "FixedPointQuantizer": elementwise.quantizer,
    "Flatten": wiring.reshape,
    "HGQ>FixedPointQuantizer": elementwise.quantizer,
    "QActivation": elementwise.activation,
    "QBatchNormalization": linear.affine,
    "QDense": linear.dense,
    "ReLU": elementwise.activation,
    "Reshape": wiring.reshape,
}
"""By hls4ml's name of the kind; Input is read here."""

READ = "Input, Dense, EinsumDense, BatchNormalization, ReLU, linear, quantizers, Reshape"


def read(model) -> Network:
    """The layers of a ModelGraph whose ``optimize`` flow has run.

    Raises :class:`ConfigError` for a model that cannot be built.
    """
    inputs, outputs = model.get_input_variables(), model.get_output_variables()
    for what, found in (("inputs", inputs), ("outputs", outputs)):
        if len(found) != 1:
            raise ConfigError(
                f"model: has {len(found)} {what}; allowed is one: concatenate them, or split the "
                "model"
            )
    owners = {name: each.name for each in model.get_layers() for name in each.outputs}
    layers: dict[str, Layer] = {}
    for node in model.get_layers():
        for layer in _layers(node):
            layer = replace(layer, sources=tuple(owners.get(name, name) for name in layer.sources))
            if isinstance(layer, Reshape) and layer.sources[0] in layers:
                # hls4ml gives the node a type of its own, but its C++ a variable of the source's.
                layer = replace(layer, result=layers[layer.sources[0]].result)
            layers[layer.name] = layer
    output = owners.get(model.outputs[0], model.outputs[0])
    return Network(model.config.get_project_name(), tuple(layers.values()), output)


def _layers(node) -> list[Layer]:
    kind = node.class_name
    if kind in ("Input", "InputLayer"):
        return [Input(**common(node) | {"sources": ()})]
    if kind not in READERS:
        hint = (
            "leave it out and take the logits (hls4ml: its Skip; `matweave import`: --logits)"
            if kind == "Softmax"
            else f"use layers of {READ}"
        )
        raise refuse(node, "cannot be unrolled yet", hint)
    return READERS[kind](node)
