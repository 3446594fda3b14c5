"""Layers that compute nothing."""

from .builder import Builder, Value


def reshape(build: Builder, layer, x: list[Value]) -> list[Value]:
    return x


def select(build: Builder, layer, *sources: list[Value]) -> list[Value]:
    values = [value for source in sources for value in source]
    zero = build.constant(0, -layer.result.fraction)
    return [zero if index < 0 else build.cast(values[index], layer.result) for index in layer.index]
