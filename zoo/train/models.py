"""The taggers: the same architecture in float, and quantised by HGQ2.

Means over particles are products with a frozen matrix of 1/16 (``EinsumDense``), which HGQ2, hls4ml
and the backend all read in the same way; where the matrix is square it hands every particle the
mean of all. Quantisers of particles' values are the same for every particle.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import hgq.layers
import keras
from hgq.config import LayerConfigScope, QuantizerConfig, QuantizerConfigScope

PARTICLES, CLASSES = 16, 5


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


def _values(saturating: bool, shared: bool) -> QuantizerConfig:
    settings = {"homogeneous_axis": (0, 1)} if shared else {}
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


RECIPES = {
    "jet_mlp": Recipe("features", mlp, (1e-7, 1.5e-5), 200),
    "jet_deepsets": Recipe("constituents", deepsets, (1e-7, 2e-6), 60),
    "jet_interaction": Recipe("constituents", interaction, (1e-7, 2e-6), 60),
}


def model(name: str, quantised: bool):
    """The Keras model, which gives logits."""
    recipe = RECIPES[name]
    shape = (16,) if recipe.array == "features" else (PARTICLES, 3)
    inputs = keras.Input(shape, name=recipe.array)
    with (
        QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP"),
        LayerConfigScope(enable_ebops=quantised, beta0=recipe.beta[0]),
    ):
        outputs = recipe.build(Layers(quantised), inputs)
    return keras.Model(inputs, outputs, name=name)
