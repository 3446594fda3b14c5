"""From hls4ml's ModelGraph to layers with integer weights.

hls4ml's own front ends and flows have parsed, fused and typed the model; here its layers are read
by name and attribute, so that this package needs no hls4ml. What has no place in an unrolled
pipeline is refused, by layer, with the reason and what to change.

A reader takes a node and gives the layers that it is, the last of them with the node's name.
"""

from dataclasses import replace

from ...errors import ConfigError
from ..layers import Dense, Input, Layer, Network
from . import convolution, elementwise, linear, merging, normalization, softmax, wiring
from .common import common, raw, refuse

__all__ = ["raw", "read", "refuse", "reuse_factors"]

READERS = {
    "Activation": elementwise.activation,
    "ApplyAlpha": linear.affine,
    "BatchNormalization": linear.affine,
    "Concatenate": merging.concatenate,
    "Conv1D": convolution.convolution,
    "Conv2D": convolution.convolution,
    "Conv2DBatchnorm": convolution.convolution,
    "Cropping1D": wiring.cropping,
    "Cropping2D": wiring.cropping,
    "Dense": linear.dense,
    "DepthwiseConv1D": convolution.depthwise,
    "DepthwiseConv2D": convolution.depthwise,
    "Dot": merging.dot,
    "Einsum": merging.einsum,
    "EinsumDense": linear.einsum,
    "FixedPointQuantizer": elementwise.quantizer,
    "Flatten": wiring.reshape,
    "GlobalPooling1D": convolution.global_pooling,
    "GlobalPooling2D": convolution.global_pooling,
    "HGQ>FixedPointQuantizer": elementwise.quantizer,
    "HardActivation": elementwise.activation,
    "LayerNormalization": normalization.layer_norm,
    "Merge": merging.merge,
    "PReLU": elementwise.activation,
    "ParametrizedActivation": elementwise.activation,
    "PointwiseConv1D": convolution.convolution,
    "PointwiseConv2D": convolution.convolution,
    "Pooling1D": convolution.pooling,
    "Pooling2D": convolution.pooling,
    "Reshape": wiring.reshape,
    "Resize": wiring.resize,
    "Softmax": softmax.softmax,
    "Transpose": wiring.transpose,
    "UnaryLUT": elementwise.unary_table,
    "ZeroPadding1D": wiring.padding,
    "ZeroPadding2D": wiring.padding,
}
"""By hls4ml's name of the kind; Input is read here."""

READ = ", ".join(["Input", *READERS])


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
            layers[layer.name] = replace(
                layer, sources=tuple(owners.get(name, name) for name in layer.sources)
            )
    output = owners.get(model.outputs[0], model.outputs[0])
    return Network(model.config.get_project_name(), tuple(layers.values()), output)


def reuse_factors(model, network: Network) -> tuple[int, dict[str, int]]:
    """What a ModelGraph says of cycles: per sample, and of each layer that has the strategy
    Resource and a ReuseFactor above 1, by its name in ``network``. Raises :class:`ConfigError` for
    a ReuseFactor below 1."""
    most, layers = 1, {}
    for node in model.get_layers():
        reuse = int(node.get_attr("reuse_factor", 1))
        if reuse < 1:
            raise refuse(node, f"ReuseFactor {reuse} is no number of cycles", "give it 1 or more")
        for name in (node.name, linear.matrix_name(node)):
            found = next((each for each in network.layers if each.name == name), None)
            if reuse == 1 or not isinstance(found, Dense):
                continue
            most = max(most, reuse)
            if (node.get_attr("strategy") or "").lower() == "resource":
                layers[name] = reuse
    return most, layers


def _layers(node) -> list[Layer]:
    kind = node.class_name
    if kind in ("Input", "InputLayer"):
        return [Input(**common(node) | {"sources": ()})]
    if kind not in READERS:
        raise refuse(node, "cannot be unrolled yet", f"allowed are {READ}")
    return READERS[kind](node)
