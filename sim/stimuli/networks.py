"""Small networks of all kinds of layers and formats, and inputs that reach their corners."""

import numpy as np

from matweave.hw.fixed import Fixed, FixedOverflow, FixedRounding
from matweave.hw.network.layers import Affine, Cast, Dense, Input, Network, Relu, Reshape

MODES = [(rounding, overflow) for rounding in FixedRounding for overflow in FixedOverflow]


def fixed(rng: np.random.Generator, *, widths=(3, 8), signed: bool | None = None) -> Fixed:
    """A format of few fraction bits, so that most values survive a few of them; any mode."""
    width = int(rng.integers(widths[0], widths[1] + 1))
    sign = bool(rng.integers(2)) if signed is None else signed
    rounding, overflow = MODES[rng.integers(len(MODES))]
    width = max(width, 1 + sign)
    return Fixed(width, width - int(rng.integers(-1, 4)), sign, rounding, overflow)


def integers(rng: np.random.Generator, to: Fixed, shape) -> np.ndarray:
    """Raw numbers of a format; a fifth of them zero, some of them its ends."""
    plain = to.plain()
    values = rng.integers(plain.min, plain.max, shape, endpoint=True)
    kind = rng.integers(8, size=shape)
    values = np.where(kind == 0, plain.min, np.where(kind == 1, plain.max, values))
    return np.where(rng.integers(5, size=shape) == 0, 0, values)


def exact_accumulator(x: Fixed, weight: Fixed, bias: Fixed, terms: int) -> Fixed:
    """One that holds every sum of products and bias."""
    fraction = max(x.fraction + weight.fraction, bias.fraction)
    integer = max(x.integer + weight.integer, bias.integer) + terms.bit_length() + 2
    return Fixed(max(fraction + integer, 2), max(fraction + integer, 2) - fraction)


def dense(rng, source, outputs: int, name: str, *, exact: bool) -> Dense:
    weight, bias = fixed(rng, widths=(2, 6)), fixed(rng, widths=(2, 6))
    accum = fixed(rng, widths=(4, 14))
    if exact:
        accum = exact_accumulator(source.result, weight, bias, source.size)
    return Dense(
        name, source.name, (outputs,), fixed(rng, widths=(4, 10)),
        weight=integers(rng, weight, (source.size, outputs)), weight_format=weight,
        bias=integers(rng, bias, outputs), bias_format=bias, accum=accum,
    )  # fmt: skip


def affine(rng, source, name: str) -> Affine:
    scale, bias = fixed(rng, widths=(2, 6)), fixed(rng, widths=(2, 6))
    return Affine(
        name, source.name, source.shape, fixed(rng, widths=(4, 10)),
        scale=integers(rng, scale, source.size), scale_format=scale,
        bias=integers(rng, bias, source.size), bias_format=bias,
    )  # fmt: skip


def low_bits(rng, source, name: str) -> Dense:
    """Weights far apart, and of the sums only lowest bits: what is added shifted is not needed."""
    weight, bias = Fixed(8, 8), fixed(rng, widths=(2, 6))
    accum = exact_accumulator(source.result, weight, bias, source.size)
    outputs, width = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    return Dense(
        name, source.name, (outputs,), Fixed(width, width - accum.fraction),
        weight=rng.choice([-32, -16, -1, 1, 16, 48], (source.size, outputs)), weight_format=weight,
        bias=integers(rng, bias, outputs), bias_format=bias, accum=accum,
    )  # fmt: skip


def cast(rng, source, name: str) -> Cast:
    formats = [None if rng.integers(6) == 0 else fixed(rng) for _ in range(source.size)]
    return Cast(name, source.name, source.shape, fixed(rng, widths=(4, 16)), tuple(formats))


def matrices(rng, source, name: str, *, rows: int, outputs: int) -> Dense:
    """Several rows, of equal matrices or not, of few bits, in an accumulator that holds them."""
    inputs = source.size // rows
    weight, bias = fixed(rng, widths=(2, 5)), fixed(rng, widths=(2, 5))
    shape = (int(rng.choice([1, rows])), inputs, outputs)
    return Dense(
        name, source.name, (rows, outputs), fixed(rng, widths=(5, 9)),
        weight=integers(rng, weight, shape), weight_format=weight,
        bias=integers(rng, bias, rows * outputs), bias_format=bias,
        accum=exact_accumulator(source.result, weight, bias, inputs),
    )  # fmt: skip


def for_arrays(seed: int) -> Network:
    """Values of formats of their own, then two layers that arrays can make, one of several rows,
    with casts and a ReLU between."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(1, 4))
    x = Input("x", None, (rows * int(rng.integers(1, 8)),), fixed(rng, widths=(4, 7)))
    each = cast(rng, x, "each")
    first = matrices(rng, each, "first", rows=rows, outputs=int(rng.integers(1, 7)))
    relu = Relu("relu", "first", first.shape, first.result)
    next_ = cast(rng, relu, "next")
    last = matrices(rng, next_, "last", rows=1, outputs=int(rng.integers(1, 6)))
    return Network("arrays", (x, each, first, relu, next_, last), "last")


def network(seed: int) -> Network:
    """One to three blocks of Dense or an affine layer, some with a ReLU, some with casts."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 7))
    layers = [Input("x", None, (size,), fixed(rng))]
    for block in range(int(rng.integers(1, 4))):
        kind = rng.integers(5)
        if kind == 0:
            layers.append(affine(rng, layers[-1], f"affine{block}"))
        elif kind == 4:
            layers.append(low_bits(rng, layers[-1], f"low{block}"))
        else:
            outputs = int(rng.integers(1, 7))
            layers.append(dense(rng, layers[-1], outputs, f"dense{block}", exact=kind > 1))
        if rng.integers(2):
            last = layers[-1]
            layers.append(Relu(f"relu{block}", last.name, last.shape, fixed(rng, widths=(4, 10))))
        if rng.integers(2):
            layers.append(cast(rng, layers[-1], f"cast{block}"))
        if rng.integers(4) == 0:
            last = layers[-1]
            layers.append(Reshape(f"wires{block}", last.name, (1, last.size), last.result))
    return Network(f"random{seed}", tuple(layers), layers[-1].name)


def inputs(of: Network, seed: int, count: int) -> np.ndarray:
    """Raw samples: corners and random ones, (count, inputs)."""
    return integers(np.random.default_rng(seed), of.input.result, (count, of.input.size))
