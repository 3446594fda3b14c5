"""Pooling."""

import functools

from .builder import Builder, Value


def pool(build: Builder, layer, x: list[Value]) -> list[Value]:
    fraction = build.network[layer.sources[0]].result.fraction
    outside = build.constant(layer.padding if layer.operation == "max" else 0, -fraction)
    results = []
    for window, count in zip(layer.index, layer.counts, strict=True):
        values = [outside if i < 0 else x[i] for i in window]
        if layer.operation == "max":
            value = build.cast(functools.reduce(build.maximum, values), layer.accum)
        else:
            value = build.accumulate([build.constant(0), *values], layer.accum)
            value = build.divided(value, int(count), layer.accum.fraction)
        results.append(build.cast(value, layer.result))
    return results
