"""What the ways to make a whole Dense over several cycles share: sums first, in a section of their
own, then bias and casts in the next."""

from collections.abc import Sequence

from ...fixed import FixedOverflow
from ..layers import Cast, Dense, Layer
from ..lower.builder import Builder, Value
from ..lower.sums import trailing


def is_exact(layer: Dense, source: Layer) -> bool:
    """Whether casts to the layer's accumulator change no product and no sum, or only wrap them: one
    wrap of the last sum is then enough."""
    formats = source.formats if isinstance(source, Cast) else (source.result,) * source.size
    inputs, fraction = layer.weight.shape[-2], layer.weight_format.fraction
    finest = [layer.bias_format.fraction - trailing(int(b)) for b in layer.bias if b]
    for row in range(layer.n_rows):
        matrix = layer.matrices[row % len(layer.matrices)]
        finest += [
            min(to.fraction, source.result.fraction) + fraction - trailing(int(w))
            for to, weights in zip(formats[row * inputs :][:inputs], matrix, strict=True)
            for w in weights if to and w
        ]  # fmt: skip
    accum = layer.accum
    return accum.overflow is FixedOverflow.WRAP and accum.fraction >= max(finest, default=0)


def finished(build: Builder, layer: Dense, sums: Sequence[Value], taken: Sequence[int],
             exponent: int) -> list[Value]:  # fmt: skip
    """The layer's values of its ``sums``, from each of which ``taken * 2**exponent`` is taken
    away."""
    results = []
    for value, less, bias in zip(sums, taken, layer.bias, strict=True):
        parts = [value, build.constant(-less, exponent)]
        parts.append(build.constant(int(bias), -layer.bias_format.fraction))
        results.append(build.cast(build.cast(build.total(parts), layer.accum), layer.result))
    return results
