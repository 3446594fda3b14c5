"""Small networks around one layer of every kind, in odd formats of any mode."""

import numpy as np

from matweave.hw.network import layers as kinds
from matweave.hw.network.layers import Input, Layer, Network

from .networks import affine, cast, dense, exact_accumulator, fixed, integers


def around(kind: str, seed: int) -> Network:
    """A network of inputs, layers in front where the kind wants some, and one of ``kind``."""
    rng = np.random.default_rng(seed)
    outer, count, inner = (int(each) for each in rng.integers(1, (3, 6, 3)))
    x = Input("x", None, (outer, count, inner), fixed(rng, widths=(2, 9)))
    before, layer = MAKERS[kind](rng, x)
    return Network(f"{kind.lower()}{seed}", (x, *before, layer), layer.name)


def _elementwise(make):
    def of(rng, x):
        return [], make(rng, x, {"name": "y", "sources": "x", "shape": x.shape,
                                 "result": fixed(rng, widths=(3, 9))})  # fmt: skip

    return of


def _second(rng, x, shape=None) -> Layer:
    """Another layer, of other values and format, that reads the inputs."""
    index = rng.integers(-1, x.size, x.size if shape is None else int(np.prod(shape)))
    return kinds.Select("b", "x", shape or x.shape, fixed(rng, widths=(2, 7)), index)


def _merge(rng, x):
    size = (x.shape, (x.shape[-1],))[rng.integers(2)]
    b = _second(rng, x, size)
    names = ("x", "b") if rng.integers(2) else ("b", "x")
    operation = str(rng.choice(["add", "subtract", "multiply", "average", "maximum", "minimum"]))
    return [b], kinds.Merge("y", names, x.shape, fixed(rng, widths=(3, 12)), operation)


def _contraction(rng, x):
    batches, count, inner = x.shape
    rows = int(rng.integers(1, 4))
    b = _second(rng, x, (batches, rows, inner))
    accum = fixed(rng, widths=(4, 14))
    if rng.integers(2):
        accum = exact_accumulator(x.result, b.result, b.result, inner)
    return [b], kinds.Contraction(
        "y", ("x", "b"), (batches, count, rows), fixed(rng, widths=(3, 9)), batches, inner,
        bool(rng.integers(2)), accum,
    )  # fmt: skip


def _rows(rng, x):
    """Dense of the last axis, of one matrix for all rows or of several."""
    to, inner = fixed(rng, widths=(2, 6)), x.shape[-1]
    outputs, matrices = int(rng.integers(1, 4)), int(rng.choice([0, x.shape[1]]))
    shape = (matrices,) * bool(matrices) + (inner, outputs)
    bias = fixed(rng, widths=(2, 6))
    size = (*x.shape[:2], outputs)
    values = integers(rng, bias, int(np.prod(size)))
    if rng.integers(2):  # the same in all rows
        values = np.resize(values[:outputs], len(values))
    accum = fixed(rng, widths=(4, 14))
    if rng.integers(2):
        accum = exact_accumulator(x.result, to, bias, inner)
    return [], kinds.Dense(
        "y", "x", size, fixed(rng, widths=(4, 10)), weight=integers(rng, to, shape),
        weight_format=to, bias=values, bias_format=bias, accum=accum,
    )  # fmt: skip


def _select(rng, x):
    b = _second(rng, x)
    index = rng.integers(-1, 2 * x.size, int(rng.integers(1, 12)))
    return [b], kinds.Select("y", ("x", "b"), index.shape, fixed(rng), index)


def _pool(rng, x):
    window, size = int(rng.integers(1, 7)), int(rng.integers(1, 4))
    index = np.sort(rng.integers(-1, x.size, (size, window)), axis=1)[:, ::-1]
    index[:, 0] = np.maximum(index[:, 0], 0)
    counts = np.where(rng.integers(2, size=size), window, np.maximum((index >= 0).sum(axis=1), 1))
    return [], kinds.Pool(
        "y", "x", (size,), fixed(rng, widths=(3, 9)), str(rng.choice(["max", "average"])),
        index, counts, int(rng.choice([x.result.plain().min, 1])), fixed(rng, widths=(3, 11)),
    )  # fmt: skip


def _lookup(rng, x, common):
    entries, to = int(rng.choice([7, 16, 64])), fixed(rng)
    slope = fixed(rng, widths=(1, 6), signed=False)
    sloped = {"slope": int(rng.integers(slope.max + 1)), "slope_format": slope}
    return kinds.Lookup(
        **common, contents=integers(rng, to, entries), contents_format=to,
        numerator=int(rng.choice([-1, 1])) * entries, denominator=int(rng.choice([1, 8, 16])),
        offset=int(rng.choice([0, entries // 2])), **sloped if rng.integers(2) else {},
    )  # fmt: skip


def _leaky_relu(rng, x, common):
    to = fixed(rng, widths=(1, 6))
    return kinds.LeakyRelu(**common, slope=integers(rng, to, x.size), slope_format=to)


def _threshold(rng, x, common):
    to = fixed(rng)
    return kinds.Threshold(**common, theta=int(integers(rng, to, 1)[0]), theta_format=to)


def _hard_sigmoid(rng, x, common):
    slope, shift = fixed(rng, widths=(3, 10)), fixed(rng, widths=(2, 5))
    return kinds.HardSigmoid(
        **common, slope=int(integers(rng, slope, 1)[0]), slope_format=slope,
        shift=int(integers(rng, shift, 1)[0]), shift_format=shift,
        symmetric=bool(rng.integers(2)),
    )  # fmt: skip


def _table(rng, to, bits):
    return integers(rng, to, 1 << int(rng.integers(1, bits + 1)))


def _softmax(rng, x, common):
    stable = bool(rng.integers(2))
    norm = fixed(rng, widths=(3, 8)) if stable else x.result
    exp, inverse = (fixed(rng, widths=(3, 8)) for _ in range(2))
    of_inverse = fixed(rng, widths=(3, 8))
    return kinds.Softmax(
        **common, outer=x.shape[0], inner=x.shape[2], stable=stable, norm=norm,
        exp_table=_table(rng, exp, min(norm.width, 6)), exp_table_format=exp,
        accum=fixed(rng, widths=(4, 12)), inv_input=of_inverse,
        inv_table=_table(rng, inverse, min(of_inverse.width, 6)), inv_table_format=inverse,
    )  # fmt: skip


def _legacy(rng, x, common):
    to = fixed(rng, widths=(4, 10))
    return kinds.LegacySoftmax(
        **common, outer=x.shape[0], inner=x.shape[2], exp_table=_table(rng, to, 6),
        inv_table=_table(rng, to, 6), table_format=to,
    )  # fmt: skip


def _layer_norm(rng, x, common):
    count = x.shape[-1]
    accum, table = fixed(rng, widths=(6, 14)), fixed(rng, widths=(3, 9))
    scale, bias = fixed(rng, widths=(2, 6)), fixed(rng, widths=(2, 6))
    return kinds.LayerNorm(
        **common, scale=integers(rng, scale, count), scale_format=scale,
        bias=integers(rng, bias, count), bias_format=bias, accum=accum,
        inverse=int(integers(rng, accum, 1)[0]), table=_table(rng, table, 6), table_format=table,
        range_power=int(rng.integers(-1, 3)),
    )  # fmt: skip


def _argmax(rng, x, common):
    return kinds.Argmax(**common, outer=x.shape[0], inner=x.shape[2])


MAKERS = {
    "Affine": lambda rng, x: ([], affine(rng, x, "y")),
    "Argmax": _elementwise(_argmax),
    "Cast": lambda rng, x: ([], cast(rng, x, "y")),
    "Contraction": _contraction,
    "Dense": lambda rng, x: ([], dense(rng, x, int(rng.integers(1, 5)), "y", exact=False)),
    "HardSigmoid": _elementwise(_hard_sigmoid),
    "LayerNorm": _elementwise(_layer_norm),
    "LeakyRelu": _elementwise(_leaky_relu),
    "LegacySoftmax": _elementwise(_legacy),
    "Lookup": _elementwise(_lookup),
    "Merge": _merge,
    "Pool": _pool,
    "Relu": _elementwise(lambda rng, x, common: kinds.Relu(**common)),
    "Rows": _rows,
    "Select": _select,
    "Softmax": _elementwise(_softmax),
    "Threshold": _elementwise(_threshold),
}
"""Of every kind, and ``Rows`` of Dense: layers in front of it and itself."""
