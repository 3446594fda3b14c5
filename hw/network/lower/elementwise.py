"""Functions of one value each."""

from .builder import Builder, Value


def relu(build: Builder, layer, x: list[Value]) -> list[Value]:
    return [build.cast(build.relu(value), layer.result) for value in x]


def cast(build: Builder, layer, x: list[Value]) -> list[Value]:
    zero = build.constant(0, -layer.result.fraction)
    return [
        zero if to is None else build.cast(build.cast(value, to), layer.result)
        for value, to in zip(x, layer.formats, strict=True)
    ]
