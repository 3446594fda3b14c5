"""Golden model of a network: every layer as hls4ml defines it, in exact integers.

Takes the layers' numbers (``hw/network/layers.py``) and nothing of what the RTL is made from. Raw
integers in, raw integers out; ``int64`` where all that can occur fits, else Python's integers.
"""

import numpy as np

from matweave.hw.fixed import Fixed, FixedOverflow, FixedRounding


def cast(raw: np.ndarray, fraction: int, to: Fixed) -> np.ndarray:
    """``raw * 2**-fraction`` in the format ``to``, as raw integers of it."""
    return overflow(rounded(raw, fraction - to.fraction, to.rounding), to)


def rounded(raw: np.ndarray, drop: int, mode: FixedRounding) -> np.ndarray:
    """``raw / 2**drop`` as an integer; ``drop`` below zero shifts left."""
    if drop <= 0:
        return raw * (1 << -drop)
    floor = raw // (1 << drop)
    rest = raw - floor * (1 << drop)
    half = 1 << (drop - 1)
    negative = raw < 0
    above, tie = rest > half, rest == half
    return (
        floor
        + {
            FixedRounding.TRN: lambda: 0,
            FixedRounding.TRN_ZERO: lambda: (rest > 0) & negative,
            FixedRounding.RND: lambda: above | tie,
            FixedRounding.RND_ZERO: lambda: above | (tie & negative),
            FixedRounding.RND_INF: lambda: above | (tie & ~negative),
            FixedRounding.RND_MIN_INF: lambda: above,
            FixedRounding.RND_CONV: lambda: above | (tie & (floor % 2 == 1)),
        }[mode]()
    )


def overflow(value: np.ndarray, to: Fixed) -> np.ndarray:
    """``value`` in the range of ``to``."""
    if to.overflow is FixedOverflow.WRAP:
        low = -(1 << (to.width - 1)) if to.signed else 0
        return (value - low) % (1 << to.width) + low
    if to.overflow is FixedOverflow.SAT_ZERO:
        return value * ((value >= to.min) & (value <= to.max))
    return np.minimum(np.maximum(value, to.min), to.max)


def quantised(x: np.ndarray, to: Fixed) -> np.ndarray:
    """Real numbers as raw integers of ``to``: exact, as every double is an integer times a power
    of two. Raises :class:`ValueError` for NaN and infinities."""
    x = np.asarray(x, np.float64)
    if not np.isfinite(x).all():
        raise ValueError("inputs must be finite numbers")
    spare = 53  # bits below the format's last that still decide ties
    scaled = x * 2.0 ** (to.fraction + 2)
    small = np.abs(scaled).max(initial=0) < 2.0**52  # two bits more, and a sticky one: exact
    if small and to.width < 62:
        floor = np.floor(scaled)
        raw = floor.astype(np.int64) * 2 + (scaled != floor)
        return cast(raw, to.fraction + 3, to)
    exact = np.array([_exact(value, to.fraction + spare) for value in x.ravel()], object)
    return cast(exact.reshape(x.shape), to.fraction + spare, to).astype(np.int64)


def _exact(value: float, fraction: int) -> int:
    """``floor(value * 2**fraction)`` with a sticky last bit."""
    numerator, denominator = float(value).as_integer_ratio()
    numerator <<= max(fraction, 0)
    denominator <<= max(-fraction, 0)
    floor, rest = divmod(numerator, denominator)
    return floor | (rest != 0)


def dense(layer, x: np.ndarray, fraction: int) -> np.ndarray:
    """``layer``'s output for ``x`` (samples, inputs), which has ``fraction`` bits behind the
    point."""
    accum = layer.accum
    total = cast(layer.bias.astype(x.dtype), layer.bias_format.fraction, accum)
    total = np.broadcast_to(total, (len(x), len(layer.bias)))
    for index, row in enumerate(layer.weight.astype(x.dtype)):
        product = x[:, index, None] * row[None, :]
        product = cast(product, fraction + layer.weight_format.fraction, accum)
        total = overflow(total + product, accum)
    return cast(total, accum.fraction, layer.result)


def affine(layer, x: np.ndarray, fraction: int) -> np.ndarray:
    product = x * layer.scale.astype(x.dtype)
    of_product, of_bias = fraction + layer.scale_format.fraction, layer.bias_format.fraction
    common = max(of_product, of_bias)
    bias = layer.bias.astype(x.dtype) * (1 << (common - of_bias))
    total = product * (1 << (common - of_product)) + bias
    return cast(total, common, layer.result)


def relu(layer, x: np.ndarray, fraction: int) -> np.ndarray:
    return cast(np.maximum(x, 0), fraction, layer.result)


def each(layer, x: np.ndarray, fraction: int) -> np.ndarray:
    """Casts with a format of its own for every value."""
    columns = []
    for column, to in zip(x.T, layer.formats, strict=True):
        if to is None:
            columns.append(column * 0)
        else:
            columns.append(cast(cast(column, fraction, to), to.fraction, layer.result))
    return np.stack(columns, axis=1)


_LAYERS = {"Dense": dense, "Affine": affine, "Relu": relu, "Cast": each}


def trace(network, raw: np.ndarray) -> dict[str, np.ndarray]:
    """The raw values of every layer by its name, each (samples, size), for the raw input
    (samples, size)."""
    dtype = np.int64 if _largest(network) < 62 else object
    values = {network.input.name: np.asarray(raw).reshape(len(raw), -1).astype(dtype)}
    for layer in network.layers[1:]:
        x = [values[name] for name in layer.sources]
        fractions = [network[name].result.fraction for name in layer.sources]
        compute = _LAYERS.get(type(layer).__name__)
        values[layer.name] = x[0] if compute is None else compute(layer, *x, *fractions)
    return values


def predict(network, raw: np.ndarray) -> np.ndarray:
    """The raw results, (samples, outputs)."""
    return trace(network, raw)[network.output]


def _largest(network) -> int:
    """Bits that any number on the way can have, and a sign, from the formats alone."""
    bits = 0
    for layer in network.layers[1:]:
        x, result = network[layer.sources[0]].result, layer.result
        casts = [(x.width, x.fraction, result)]
        if hasattr(layer, "accum"):
            w, b = layer.weight_format, layer.bias_format
            casts += [(x.width + w.width, x.fraction + w.fraction, layer.accum)]
            casts += [(b.width, b.fraction, layer.accum)]
            casts += [(layer.accum.width + 1, layer.accum.fraction, result)]
        if hasattr(layer, "scale_format"):
            s, b = layer.scale_format, layer.bias_format
            common = max(x.fraction + s.fraction, b.fraction)
            width = x.width + s.width + common - x.fraction - s.fraction
            casts += [(max(width, b.width + common - b.fraction) + 1, common, result)]
        for to in set(getattr(layer, "formats", ())) - {None}:
            casts += [(x.width, x.fraction, to), (to.width, to.fraction, result)]
        bits = max([bits, *(_bits(*each) for each in casts)])
    return bits


def _bits(width: int, fraction: int, to: Fixed) -> int:
    """Bits of the numbers that :func:`cast` makes of ``width`` bits."""
    drop = fraction - to.fraction
    return max(width + max(-drop, 0) + 1, to.width, drop) + 1
