"""The four readings of a network that :mod:`exactness` compares, each as the values of its layers.

Real numbers, (samples, values of the layer), by the layer's name.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

TAPS = "layers"
"""Of a network that has values of its layers as outputs, the last layer."""
MAX_BITS = 30_000
"""Of a network's outputs together: Amaranth refuses signals above 2**16."""


def graph(path: Path, options: dict, **others):
    """hls4ml's ModelGraph (:func:`matweave.model_file.load_graph`), with the same names each time:
    Keras counts the layers that it names itself."""
    from matweave.model_file import load_graph

    _forget(path)
    return load_graph(path, **options, **others)


def _forget(path):
    if path.suffix == ".keras":
        os.environ.setdefault("KERAS_BACKEND", "jax")
        import keras

        keras.utils.clear_session()


def golden(network, x: np.ndarray) -> dict[str, np.ndarray]:
    """The golden model's."""
    from matweave.sim.golden import network as model

    raw = model.trace(network, model.quantised(x.reshape(len(x), -1), network.input.result))
    return {each.name: raw[each.name] * 2.0**-each.result.fraction for each in network.layers[1:]}


def emulated(path: Path, options: dict, x: np.ndarray, folder: str) -> dict[str, np.ndarray]:
    """hls4ml's C++ emulation's (its Vitis backend); a Reshape is no code there."""
    model = graph(path, options, backend="Vitis", folder=folder)
    for node in model.get_layers():
        node.set_attr("trace", True)
    _, values = model.trace(x)
    return {name: found.reshape(len(x), -1) for name, found in values.items()}


def simulated(made, fold: str | None, x: np.ndarray) -> dict[str, np.ndarray]:
    """The RTL's: results of the design ``made``, and of the layers before, those of the same
    network with the values of these as outputs, made and folded in the same way: as many networks
    as it takes."""
    from matweave.hw.network.design import design
    from matweave.sim import verilate

    verilate.LONG_NETWORK = 0  # few samples: it is the compiler that takes long
    network = made.network
    found = {}
    for tapped in tapped_networks(network):
        y, before = _driven(design(tapped, fold=fold), x), 0
        for name in tapped[TAPS].sources:
            found[name] = y[:, before : before + network[name].size]
            before += network[name].size
    return found | {network.output: _driven(made, x)}


def _driven(made, x):
    from matweave.sim.network import NetworkSimulator

    with NetworkSimulator(made.verilog, made.manifest) as simulator:
        return simulator.predict(x, made.network.input.result)


def tapped_networks(network) -> list:
    """``network`` up to its last layers but one, in several, the values of these as outputs."""
    groups: list[list] = []
    for layer in network.layers[1:]:
        if layer.name == network.output:
            continue
        if not groups or _bits([*groups[-1], layer]) > MAX_BITS:
            groups.append([])
        groups[-1].append(layer)
    return [_tapped(network, layers) for layers in groups]


def _common(layers):
    """A format that holds the values of all."""
    from matweave.hw.fixed import Fixed

    fraction = max(each.result.fraction for each in layers)
    integer = max(each.result.integer + (not each.result.signed) for each in layers)
    return Fixed(integer + fraction, integer, True)


def _bits(layers) -> int:
    return _common(layers).width * sum(each.size for each in layers)


def _tapped(network, layers):
    """``network`` up to the last of ``layers``, with their values as outputs."""
    from matweave.hw.network.layers import Select

    names = tuple(each.name for each in layers)
    count = sum(each.size for each in layers)
    last = Select(TAPS, names, (count,), _common(layers), np.arange(count))
    kept = network.layers[: network.layers.index(layers[-1]) + 1]
    return replace(network, layers=(*kept, last), output=TAPS)


def of_model(path: Path, network, x: np.ndarray) -> dict[str, np.ndarray]:
    """The Keras model's: of its quantisers and results, by the name of the layer that hls4ml makes
    of each; none, if the file is no Keras 3 model. Values in between are no use: hls4ml keeps of
    them only what the next quantiser reads."""
    if path.suffix != ".keras":
        return {}
    _forget(path)
    import hgq  # registers its layers  # noqa: F401
    import keras

    model = keras.models.load_model(path, compile=False)
    known = {each.name for each in network.layers}
    made = {name: each for layer in model.layers for name, each in _quantised(layer).items()}
    made = {name: each for name, each in made.items() if name in known}
    made[network.output] = model.outputs[0]
    values = keras.Model(model.inputs, list(made.values())).predict(x, batch_size=2048, verbose=0)
    values = values if isinstance(values, list) else [values]
    return {name: each.reshape(len(x), -1) for name, each in zip(made, values, strict=True)}


def _quantised(layer) -> dict:
    """What a layer's quantisers give, by hls4ml's names of them."""
    import hgq.layers
    import hgq.quantizer

    if isinstance(layer, hgq.quantizer.Quantizer):
        return {layer.name: layer.output}
    if isinstance(layer, hgq.layers.QMultiHeadAttention):
        return _of_attention(layer)
    if not getattr(layer, "enable_iq", False):
        return {}
    if isinstance(layer.input, list):
        pairs = zip(layer.iq, layer.input, strict=True)
        return {each.name: each(source) for each, source in pairs}
    return {f"{layer.name}_iq": layer.iq(layer.input)}


def _of_attention(layer) -> dict:
    """As ``QMultiHeadAttention.call`` puts its parts together."""
    from keras import ops

    query, value, *key = layer.input
    sources = {"query": query, "key": key[0] if key else value, "value": value}
    found, parts = {}, {}
    for name, source in sources.items():
        part = getattr(layer, f"_{name}_dense")
        parts[name] = part(source)
        found |= {f"{name}_iq": part.iq(source), f"{name}_oq": parts[name]}
    scores = ops.einsum(layer._dot_product_equation, parts["key"], parts["query"])
    weights = layer._softmax(scores)
    mixed = ops.einsum(layer._combine_equation, weights, parts["value"])
    found[f"{layer._softmax.name}_oq"] = weights
    found["attention_output_iq"] = layer._output_dense.iq(mixed)
    return {f"{layer.name}_{name}": each for name, each in found.items()}
