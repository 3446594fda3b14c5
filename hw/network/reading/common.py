"""What readers of all kinds share: names, formats and weights of hls4ml's nodes."""

import math

import numpy as np

from ...errors import ConfigError, plain
from ...fixed import Fixed, FixedOverflow, FixedRounding
from ..layers import MAX_ENTRIES


def refuse(node, reason: str, change: str) -> ConfigError:
    return ConfigError(f"layer {plain(node.name)} ({plain(node.class_name)}): {reason}; {change}")


def common(node) -> dict:
    variable = node.get_output_variable()
    shape = tuple(int(each) for each in variable.shape)
    return {
        "name": node.name,
        "sources": tuple(node.inputs),
        "shape": shape,
        "result": fixed(node, variable.type.precision, "result"),
    }


def fixed(node, precision, what: str) -> Fixed:
    """An hls4ml precision as a :class:`Fixed`."""
    hint = "give it an ap_fixed or ap_int type in hls_config"
    if not _is(precision, "FixedPrecisionType", "IntegerPrecisionType"):
        raise refuse(node, f"{what} type {plain(precision)} is not fixed point", hint)
    if precision.saturation_bits:
        raise refuse(node, f"{what} type {plain(precision)} has saturation bits", "use none")
    parts = precision.width, precision.integer, precision.signed
    modes = precision.rounding_mode or "TRN", precision.saturation_mode or "WRAP"
    return format_of(node, *parts, *modes, f"{what} type {plain(precision)}")


def format_of(node, width, integer, signed, rounding, overflow, what: str) -> Fixed:
    """``what``: how to call it, if there can be no such format."""
    try:
        modes = FixedRounding[str(rounding)], FixedOverflow[str(overflow)]
        return Fixed(int(width), int(integer), bool(signed), *modes)
    except KeyError as error:
        allowed = [*FixedRounding.__members__, *FixedOverflow.__members__]
        reason = f"{what} has the mode {plain(error)}"
        raise refuse(node, reason, f"allowed are {', '.join(allowed)}") from None
    except ValueError as error:
        hint = "give it another type in hls_config, or train it with fewer bits"
        raise refuse(node, f"{what}: {plain(error)}", hint) from None


def _is(precision, *names: str) -> bool:
    """Whether it is one of hls4ml's types of these names; other backends subclass them."""
    return any(kind.__name__ in names for kind in type(precision).__mro__)


def weights(node, name: str) -> tuple[np.ndarray, Fixed]:
    """Raw weights in their format; hls4ml keeps them as the floats they were.

    It writes them into its C++ with as many decimals as the format has fraction bits
    (``WeightVariable.update_precision``), before they are cast. What the format holds is not
    changed by that; what it does not hold is rounded twice, here as there.
    """
    variable = node.weights[name]
    to = fixed(node, variable.type.precision, name)
    data = np.asarray(variable.data, np.float64)
    if not np.isfinite(data).all():
        raise refuse(node, f"{name} has values that are not finite", "train it again")
    decimals = max(to.fraction, 0)
    written = [float(f"{value:.{decimals}f}") for value in data.ravel()]
    return raw(np.reshape(written, data.shape), to), to


def raw(data: np.ndarray, to: Fixed) -> np.ndarray:
    """Floats as raw integers of ``to``, as ap_fixed's constructor makes them: exact."""
    flat = [_raw(float(value), to) for value in data.ravel()]
    return np.array(flat, np.int64).reshape(data.shape)


def factors(node, name: str) -> tuple[np.ndarray, Fixed]:
    """Weights as hls4ml multiplies by them: its ``product_type`` takes those of ``int<2>`` for
    ternary, and its ternary product takes -2 for 1 (``nnet_mult.h``)."""
    numbers, to = weights(node, name)
    precision = node.weights[name].type.precision
    ternary = _is(precision, "IntegerPrecisionType") and precision.width == 2 and precision.signed
    return (np.where(numbers == -2, 1, numbers) if ternary else numbers), to


def input_format(node, which: int = 0) -> Fixed:
    """Of the values that come in: behind a Reshape, which has none of its own, of its source's."""
    source = node.get_input_node(node.inputs[which])
    while source.class_name in ("Reshape", "Flatten"):
        node, source = source, source.get_input_node()
        which = 0
    variable = node.get_input_variable(node.inputs[which])
    return fixed(node, variable.type.precision, "input")


def size_of_table(node, name: str, default: int = 1024) -> int:
    given = node.get_attr(name)
    size = default if given is None else int(given)
    if not 1 <= size <= MAX_ENTRIES:
        raise refuse(node, f"{name} is {size}", f"allowed are 1 to {MAX_ENTRIES}")
    return size


def _raw(value: float, to: Fixed) -> int:
    if math.isinf(value):  # as ap_fixed reads its bits
        numerator, denominator = (1 << 1024) * (1 if value > 0 else -1), 1
    else:
        numerator, denominator = value.as_integer_ratio()
    numerator <<= max(to.fraction, 0)
    denominator <<= max(-to.fraction, 0)
    floor, rest = divmod(numerator, denominator)
    above, tie = 2 * rest > denominator, 2 * rest == denominator
    up = {
        FixedRounding.TRN: False,
        FixedRounding.TRN_ZERO: rest > 0 and value < 0,
        FixedRounding.RND: above or tie,
        FixedRounding.RND_ZERO: above or (tie and value < 0),
        FixedRounding.RND_INF: above or (tie and value >= 0),
        FixedRounding.RND_MIN_INF: above,
        FixedRounding.RND_CONV: above or (tie and floor % 2 == 1),
    }[to.rounding]
    result = floor + up
    if to.min <= result <= to.max:
        return result
    if to.overflow is FixedOverflow.WRAP:
        least = to.min
        return (result - least) % (1 << to.width) + least
    if to.overflow is FixedOverflow.SAT_ZERO:
        return 0
    return min(max(result, to.min), to.max)
