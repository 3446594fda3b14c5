"""Functions of one value each."""

import numpy as np

from ...errors import plain
from ...fixed import Fixed
from ..layers import Cast, HardSigmoid, Layer, LeakyRelu, Lookup, Relu, Threshold
from .common import common, fixed, format_of, input_format, raw, refuse, size_of_table, weights
from .functions import OF_ELU, TABLES, entries
from .nearest import table, wanted_tables

SELU_SCALE = Fixed(16, 1, False)


def activation(node) -> list[Layer]:
    kind = str(node.get_attr("activation", "")).lower()
    makers = {
        "relu": _relu, "linear": _linear, "leakyrelu": _leaky, "leaky_relu": _leaky,
        "thresholdedrelu": _threshold, "thresholded_relu": _threshold, "prelu": _prelu,
        "elu": _elu, "selu": _selu, "hard_sigmoid": _hard, "hard_tanh": _hard,
    } | dict.fromkeys(TABLES, _table)  # fmt: skip
    if kind not in makers:
        allowed = ", ".join(sorted(makers))
        raise refuse(node, f"the activation {plain(kind)} is none of ours", f"allowed: {allowed}")
    return [makers[kind](node, common(node))]


def _relu(node, values):
    return Relu(**values)


def _linear(node, values):
    return Cast(**values, formats=(values["result"],) * int(np.prod(values["shape"])))


def _table(node, values):
    """From -8 to 8, or -4 to 4; beyond, the first and the last."""
    name = str(node.get_attr("activation")).lower()
    if wanted_tables(node.model.config.get_config_value("Tables")) == "exact":
        return Lookup(**values, **table(name, input_format(node), values["result"]))
    function, half = TABLES[name]
    size, to = size_of_table(node, "table_size"), fixed(node, node.get_attr("table_t").precision,
                                                        "table")  # fmt: skip
    return Lookup(
        **values, contents=entries(function, half, size, to), contents_format=to, numerator=size,
        denominator=2 * half, offset=half * size // (2 * half),
    )  # fmt: skip


def _below_zero(node, values, kind):
    """A table from 0 down to -8."""
    size, to = size_of_table(node, "table_size"), fixed(node, node.get_attr("table_t").precision,
                                                        "table")  # fmt: skip
    contents = raw(OF_ELU[kind](np.float32(-8.0 * np.arange(size) / size)), to)
    return values | {"contents": contents, "contents_format": to, "numerator": -size,
                     "denominator": 8, "offset": 0}  # fmt: skip


def _elu(node, values):
    """The table times alpha, in full; values that are not negative stay what they are."""
    alpha, of_alpha = _parameter(node)
    made = _below_zero(node, values, "elu")
    to = made["contents_format"]
    product = Fixed(to.width + of_alpha.width, to.integer + of_alpha.integer,
                    to.signed or of_alpha.signed)  # fmt: skip
    contents = made["contents"] * alpha
    return Lookup(**made | {"contents": contents, "contents_format": product}, slope=1,
                  slope_format=Fixed(1, 1, False))  # fmt: skip


def _selu(node, values):
    scale = raw(np.array([1.0507009873554805]), SELU_SCALE)
    return Lookup(**_below_zero(node, values, "selu"), slope=int(scale[0]), slope_format=SELU_SCALE)


def _parameter(node) -> tuple[int, Fixed]:
    """``activ_param``, as C++ casts its literal."""
    to = fixed(node, node.get_attr("param_t").precision, "param")
    return int(raw(np.array([float(node.get_attr("activ_param", 1.0))]), to)[0]), to


def _leaky(node, values):
    slope, to = _parameter(node)
    size = int(np.prod(values["shape"]))
    return LeakyRelu(**values, slope=np.full(size, slope), slope_format=to)


def _prelu(node, values):
    slope, to = weights(node, "param")
    size = int(np.prod(values["shape"]))
    if slope.size != size:
        raise refuse(node, f"has {slope.size} slopes for {size} values", "do not share axes")
    return LeakyRelu(**values, slope=slope.ravel(), slope_format=to)


def _threshold(node, values):
    theta, to = _parameter(node)
    return Threshold(**values, theta=theta, theta_format=to)


def _hard(node, values):
    parts = {}
    for name in ("slope", "shift"):
        to = fixed(node, node.get_attr(f"{name}_t").precision, name)
        parts[name] = int(raw(np.array([float(node.get_attr(name))]), to)[0])
        parts[f"{name}_format"] = to
    symmetric = str(node.get_attr("activation")).lower() == "hard_tanh"
    return HardSigmoid(**values, **parts, symmetric=symmetric)


def quantizer(node) -> list[Layer]:
    values = common(node)
    shape = values["shape"]
    k, b, i = (np.broadcast_to(np.asarray(each)[0] if np.ndim(each) > len(shape) else each, shape)
               for each in node.mask_kbi)  # fmt: skip
    formats = tuple(
        format_of(node, width, integer, sign, node.RND, node.SAT, "a value's type")
        if width > 0 else None
        for sign, width, integer in zip(k.ravel(), b.ravel(), i.ravel(), strict=True)
    )  # fmt: skip
    return [Cast(**values, formats=formats)]


def unary_table(node) -> list[Layer]:
    """HGQ2's functions of one value: an entry for each of its input's bit patterns."""
    source = input_format(node)
    contents, to = weights(node, "table")
    contents = contents.ravel()
    if len(contents) != 1 << source.width:
        raise refuse(node, f"has {len(contents)} entries for {source.width} bits",
                     "use the table that belongs to its input's type")  # fmt: skip
    if source.signed:
        contents = np.roll(contents, len(contents) // 2)
    least = -(1 << (source.width - 1)) if source.signed else 0
    scale = {
        "numerator": 1 << max(source.fraction, 0),
        "denominator": 1 << max(-source.fraction, 0),
    }
    return [Lookup(**common(node), contents=contents, contents_format=to, offset=-least, **scale)]
