"""Which tensors have the tokens' axis, and layers of some tokens only.

A tensor is *serial* along an axis if its tokens can come one after another: its layer treats all
tokens alike, but for formats and biases. All others are *whole*.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..layers import Affine, Cast, Dense, Layer, Relu, Reshape

Axis = int | None
"""Of a tensor, the place of its tokens' axis, or ``None``: it is whole."""


def token_axis(layer: Layer, sources: Sequence[tuple[Layer, Axis]], tokens: int) -> Axis:
    """Along which axis ``layer`` is serial, if its ``sources`` are along theirs."""
    if all(axis is None for _, axis in sources) or type(layer) not in _RULES:
        return None
    axis = _RULES[type(layer)](layer, sources, tokens)
    if axis is None or len(layer.shape) <= axis or layer.shape[axis] != tokens:
        return None
    return axis


def is_serial_use(layer: Layer, axis: Axis, place: int, source: Axis) -> bool:
    """Whether ``layer``, serial along ``axis``, takes its source number ``place`` token by token."""
    if axis is None or source is None:
        return False
    whole = _WHOLE_OPERAND.get(type(layer))
    return whole is None or whole(layer, axis) != place


def chosen(shape: Sequence[int], axis: int, first: int, count: int) -> np.ndarray:
    """The places, among a tensor's values, of its tokens ``first`` … ``first + count - 1``, in the
    order of a tensor that has only those."""
    places = np.arange(int(np.prod(shape))).reshape(shape)
    return places.take(range(first, first + count), axis).ravel()


def sliced(layer: Layer, axis: int, first: int, count: int) -> Layer:
    """``layer`` for those tokens alone: its name, weights and formats, on tensors of ``count``
    tokens."""
    places = chosen(layer.shape, axis, first, count)
    shape = tuple(count if at == axis else n for at, n in enumerate(layer.shape))
    changes: dict = {"shape": shape}
    if isinstance(layer, Cast):
        changes["formats"] = tuple(layer.formats[place] for place in places)
    if isinstance(layer, Dense | Affine):
        changes["bias"] = layer.bias[places]
    if isinstance(layer, Affine):
        changes["scale"] = layer.scale[places]
    return replace(layer, **changes)


def _same(layer, sources, tokens):
    """Of functions of single values, or of values at the same place."""
    axes = {axis for source, axis in sources if source.shape == layer.shape}
    return axes.pop() if len(axes) == 1 and len(sources) == sum(
        source.shape == layer.shape for source, _ in sources) else None  # fmt: skip


def _rows(layer, sources, tokens):
    """Of a matrix that every row of the source takes, if a token has whole rows."""
    ((_, axis),) = sources
    alike = len(layer.matrices) == 1 and layer.n_rows % tokens == 0
    bias = layer.bias.reshape(tokens, -1) if alike else None
    return 0 if axis == 0 and alike and (bias == bias[0]).all() else None


def _affine(layer, sources, tokens):
    axis = _same(layer, sources, tokens)
    if axis is None:
        return None
    parts = [np.moveaxis(each.reshape(layer.shape), axis, 0) for each in (layer.scale, layer.bias)]
    return axis if all((each == each[0]).all() for each in parts) else None


def _leading(layer, sources, tokens):
    """Of a reshape that keeps the first axis."""
    ((_, axis),) = sources
    return 0 if axis == 0 else None


_RULES: dict[type[Layer], Callable] = {
    Affine: _affine,
    Cast: _same,
    Dense: _rows,
    Relu: _same,
    Reshape: _leading,
}
_WHOLE_OPERAND: dict[type[Layer], Callable] = {}
