"""Wires in front of windows: padding and cropping by layers of their own become the windows'."""

from dataclasses import replace

import numpy as np

from ..layers import Layer, Network, Pool, Reshape, Select


def composed(network: Network) -> Network:
    """``network`` with each :class:`Select` and :class:`Pool` taking its values from where the
    wires in front of it have them. Wires that nobody reads any more are left out; values are the
    same."""
    layers: dict[str, Layer] = {}
    for layer in network.layers:
        while (direct := _direct(layer, layers)) is not None:
            layer = direct
        layers[layer.name] = layer
    used, kept = {network.output}, []
    for layer in reversed(layers.values()):
        if layer.name in used or not isinstance(layer, Select | Reshape):
            used.update(layer.sources)
            kept.append(layer)
    return Network(network.name, tuple(reversed(kept)), network.output)


def _direct(layer, layers):
    """``layer`` with one layer of wires less in front of it; ``None``: there is none."""
    if not isinstance(layer, Select | Pool) or len(layer.sources) != 1:
        return None
    wires = layers[layer.sources[0]]
    if isinstance(wires, Reshape):
        return replace(layer, sources=wires.sources)
    if not isinstance(wires, Select) or len(wires.sources) != 1:
        return None
    if wires.result != layers[wires.sources[0]].result:
        return None
    zeros = (wires.index < 0).any()  # a maximum's own padding is another number
    if isinstance(layer, Pool) and layer.operation == "max" and zeros:
        return None
    index = np.where(layer.index < 0, -1, wires.index[layer.index])
    return replace(layer, sources=wires.sources, index=index)
