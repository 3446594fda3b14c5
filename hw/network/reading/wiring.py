"""Layers that compute nothing."""

from ..layers import Layer, Reshape
from .common import common


def reshape(node) -> list[Layer]:
    return [Reshape(**common(node))]
