"""The network: 64 pixels, 32 hidden units, 10 digits; trained in float, run in integers.

A quantity ``x`` is stored as the integer ``q`` with ``x = scale * (q - zero_point)``. Pixels are
integers already (0 to 16, zero point 0). Weights are int8 with zero point 0, and hidden
activations, which are never negative, int8 with zero point -128, so that they use all 256 values.
The second layer's zero point is a constant per output, and so part of its bias.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from .layer import Layer

SEED = 1
HIDDEN = 32
HELD_OUT = 0.4
"""Share of the images that training never sees."""
PIXEL_SCALE = 1 / 16
HIDDEN_ZERO_POINT = -128


@dataclass(frozen=True, eq=False)
class Digits:
    """The images (one row of 64 pixels each, 0 to 16) and which digit each is."""

    train_images: np.ndarray
    train_labels: np.ndarray
    images: np.ndarray
    """Held out: never trained or calibrated on."""
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class Network:
    """The quantised layers, and how good the float network was that they come from."""

    layers: tuple[Layer, Layer]
    float_accuracy: float


def digits() -> Digits:
    """The bundled images, split the same way every time."""
    bundle = load_digits()
    images = bundle.data.astype(np.int64)
    train, held_out, train_labels, labels = train_test_split(
        images, bundle.target, test_size=HELD_OUT, random_state=SEED, stratify=bundle.target
    )
    return Digits(train, train_labels, held_out, labels)


def train(data: Digits) -> Network:
    """Train in float on the training images, then quantise."""
    classifier = MLPClassifier(
        (HIDDEN,), random_state=SEED, max_iter=500, alpha=0.01, learning_rate_init=0.003
    )
    pixels = data.train_images * PIXEL_SCALE
    classifier.fit(pixels, data.train_labels)
    (w1, w2), (b1, b2) = classifier.coefs_, classifier.intercepts_
    largest = np.maximum(pixels @ w1 + b1, 0).max()
    hidden_scale = largest / 255  # of the 256 values from the zero point up
    return Network(
        (_hidden(w1, b1, PIXEL_SCALE, hidden_scale), _logits(w2, b2, hidden_scale)),
        classifier.score(data.images * PIXEL_SCALE, data.labels),
    )


def _hidden(weights, bias, scale: float, output_scale: float) -> Layer:
    """One weight scale per unit, as each has its own multiplier and shift."""
    largest = np.abs(weights).max(axis=0)
    # Regularisation empties some units: a scale from their own weights would overflow the bias.
    weight_scale = np.maximum(largest, largest.max() / 128) / 127
    sum_scale = scale * weight_scale
    multiplier, shift = dyadic(sum_scale / output_scale)
    return Layer(
        _rounded(weights / weight_scale),
        _rounded(bias / sum_scale),
        multiplier,
        shift,
        HIDDEN_ZERO_POINT,
    )


def _logits(weights, bias, scale: float) -> Layer:
    """One weight scale for all units, as the largest of their raw sums is what counts."""
    weight_scale = np.abs(weights).max() / 127
    quantised = _rounded(weights / weight_scale)
    return Layer(
        quantised,
        _rounded(bias / (scale * weight_scale)) - HIDDEN_ZERO_POINT * quantised.sum(axis=0),
    )


def dyadic(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``multiplier`` (31 bits) and ``shift`` with ``factors`` = multiplier / 2**shift, nearly."""
    fraction, exponent = np.frexp(factors)
    multiplier = _rounded(fraction * 2**31)
    carried = multiplier == 2**31
    return np.where(carried, 2**30, multiplier), np.where(carried, 30, 31) - exponent


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.rint(values).astype(np.int64)
