"""The taggers: the same architecture in float, and quantised by HGQ2.

Means over particles are products with a frozen matrix of 1/16 (``EinsumDense``), which HGQ2, hls4ml
and the backend all read in the same way; where the matrix is square it hands every particle the
mean of all. Quantisers of particles' values are the same for every particle, and those of
attention weights for every pair, so that one particle's hardware can take all in turn.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import hgq.layers
import hgq.quantizer
import keras
from hgq.config import LayerConfigScope, QuantizerConfig, QuantizerConfigScope

from .. import taggers

PARTICLES, CLASSES = 16, 5
HEADS, KEYS = 2, 8
"""Attention heads, and the length of their queries, keys and values."""


@dataclass(frozen=True)
class Recipe:
    """``array``: what the tagger takes (:class:`..taggers.Inputs`); ``beta``: the price of a bit
    operation at the start and at the end of the training."""

    array: str
    build: Callable[["Layers", Any], Any]
    beta: tuple[float, float]
    epochs: int
    float_epochs: int = 40


class Layers:
    """Layers in float or quantised, by the same names."""

    def __init__(self, quantised: bool):
        self.quantised = quantised
        self._fed = False

    def dense(self, x, units: int, name: str, activation: str | None = "relu"):
        kind = hgq.layers.QDense if self.quantised else keras.layers.Dense
        return kind(units, activation=activation, name=name, **self._inputs(shared=False))(x)

    def particles(self, x, units: int, name: str, activation: str | None = "relu"):
        """The same Dense for every particle."""
        return self._einsum(
            "bpf,fg->bpg", (x.shape[1], units), name, activation=activation, bias_axes="g",
            **self._inputs(shared=True),
        )(x)  # fmt: skip

    def mean(self, x, name: str, copies: int):
        """The mean over the particles, (copies, features)."""
        settings = {"kernel_initializer": keras.initializers.Constant(1 / PARTICLES)}
        if self.quantised:
            settings |= {"kq_conf": _fixed(), "iq_conf": _values(False, True)}
        layer = self._einsum("bpf,pq->bqf", (copies, x.shape[2]), name, **settings)
        x = layer(x)
        layer._kernel.trainable = False  # its quantiser of inputs still learns
        return x

    def attention(self, x, name: str):
        """Every particle looks at all; as many features leave as come."""
        if not self.quantised:
            return keras.layers.MultiHeadAttention(HEADS, KEYS, name=name)(x, x)
        layer = hgq.layers.QMultiHeadAttention(
            HEADS, KEYS, name=name, qkvo_iq_conf=_values(False, True),
            qkvo_oq_conf=_values(False, True), softmax_oq_conf=_values(False, (0, 2, 3)),
        )  # fmt: skip
        return layer(x, x)

    def rounded(self, x, name: str):
        """The model's input, quantised before several layers take it."""
        self._fed = True
        return hgq.quantizer.Quantizer(_values(True, True), name=name)(x) if self.quantised else x

    def add(self, one, other, name: str):
        if not self.quantised:
            return keras.layers.Add(name=name)([one, other])
        quantisers = (_values(False, True), _values(False, True))
        return hgq.layers.QAdd(name=name, iq_confs=quantisers)([one, other])

    def _einsum(self, equation, shape, name, **settings):
        kind = hgq.layers.QEinsumDense if self.quantised else keras.layers.EinsumDense
        return kind(equation, shape, name=name, **settings)

    def _inputs(self, shared: bool) -> dict:
        """The quantiser of a layer's inputs. The model's inputs saturate; what is inside has the
        range that the training's jets give it, and would wrap around beyond."""
        first, self._fed = not self._fed, True
        if not self.quantised:
            return {}
        return {"iq_conf": _values(first, shared)}


def _values(saturating: bool, shared: bool | tuple[int, ...]) -> QuantizerConfig:
    """``shared``: along which axes values have the same formats; ``True``: samples, particles."""
    axes = (0, 1) if shared is True else shared
    settings = {"homogeneous_axis": axes} if axes else {}
    if saturating:
        return QuantizerConfig("kbi", "datalane", overflow_mode="SAT", **settings)
    return QuantizerConfig("kif", "datalane", **settings)


def _fixed() -> QuantizerConfig:
    """Holds 1/16, which is all that it has to."""
    return QuantizerConfig("kbi", "weight", b0=2, i0=-3, trainable=False)


def mlp(layers: Layers, x):
    for index, units in enumerate((64, 32, 32), 1):
        x = layers.dense(x, units, f"dense{index}")
    return layers.dense(x, CLASSES, "logits", None)


def deepsets(layers: Layers, x):
    for index, units in enumerate((32, 16), 1):
        x = layers.particles(x, units, f"particle{index}")
    x = keras.layers.Flatten(name="flat")(layers.mean(x, "mean", 1))
    x = layers.dense(x, 32, "dense1")
    return layers.dense(x, CLASSES, "logits", None)


def interaction(layers: Layers, x):
    """As JEDI-linear: what every particle hears is the mean of what all of them send."""
    x = layers.particles(x, 16, "embedding")
    own = layers.particles(x, 16, "own", None)
    sent = layers.mean(layers.particles(x, 16, "sent", None), "received", PARTICLES)
    x = keras.layers.Activation("relu", name="relu")(layers.add(own, sent, "added"))
    x = layers.particles(x, 16, "updated")
    x = keras.layers.Flatten(name="flat")(layers.mean(x, "mean", 1))
    x = layers.dense(x, 16, "dense1")
    return layers.dense(x, CLASSES, "logits", None)


def transformer(layers: Layers, x):
    """As hls4ml's tagger of b jets (arXiv:2402.01047), which has heads of 32 and three classes:
    three blocks of attention and a small perceptron, no normalisation."""
    x = layers.rounded(x, "rounded")
    features = x.shape[2]
    for block in range(1, 4):
        x = layers.add(x, layers.attention(x, f"attention{block}"), f"attended{block}")
        hidden = layers.particles(x, 8, f"hidden{block}")
        made = layers.particles(hidden, features, f"particle{block}", None)
        x = layers.add(x, made, f"block{block}")
    x = keras.layers.Flatten(name="flat")(x)
    for index, units in enumerate((32, 16, 8), 1):
        x = layers.dense(x, units, f"dense{index}")
    return layers.dense(x, CLASSES, "logits", None)


RECIPES = {
    "jet_mlp": Recipe("features", mlp, (1e-7, 1.5e-5), 200),
    "jet_deepsets": Recipe("constituents", deepsets, (1e-7, 2e-6), 60),
    "jet_interaction": Recipe("constituents", interaction, (1e-7, 2e-6), 60),
    "jet_transformer": Recipe("particles", transformer, (1e-7, 1e-6), 60),
}


def model(name: str, quantised: bool):
    """The Keras model, which gives logits."""
    recipe = RECIPES[name]
    inputs = keras.Input(taggers.SHAPES[recipe.array], name=recipe.array)
    with (
        QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP"),
        LayerConfigScope(enable_ebops=quantised, beta0=recipe.beta[0]),
    ):
        outputs = recipe.build(Layers(quantised), inputs)
    return keras.Model(inputs, outputs, name=name)
