"""Normalisation by the values' own mean and variance."""

from .builder import Builder, Value


def layer_norm(build: Builder, layer, x: list[Value]) -> list[Value]:
    count = len(layer.scale)
    return [
        each for at in range(0, len(x), count) for each in _row(build, layer, x[at : at + count])
    ]


def _row(build, layer, x):
    accum = layer.accum

    def mean(values):
        total = build.accumulate([build.constant(0), *values], accum)
        return build.cast(build.scaled(total, layer.inverse, -accum.fraction), accum)

    x = [build.cast(value, accum) for value in x]
    middle = mean(x)
    distances = [build.cast(build.subtract(value, middle), accum) for value in x]
    variance = mean([build.cast(build.multiply(each, each), accum) for each in distances])
    scaled = build.scaled(variance, len(layer.table), layer.range_power)
    index = build.graph.wrap(build.raw(scaled, 0), 32, True)  # C's int
    entry = build.looked_up(index, layer.table, layer.table_format)
    results = []
    for distance, scale, bias in zip(distances, layer.scale, layer.bias, strict=True):
        product = build.scaled(distance, int(scale), -layer.scale_format.fraction)
        shift = build.constant(int(bias), -layer.bias_format.fraction)
        total = build.total([build.multiply(product, entry), shift])
        results.append(build.cast(total, layer.result))
    return results
