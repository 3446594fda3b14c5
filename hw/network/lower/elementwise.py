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


def lookup(build: Builder, layer, x: list[Value]) -> list[Value]:
    def function(build, value):
        scaled = build.scaled(value, layer.numerator, 1 - layer.denominator.bit_length())
        index = build.graph.wrap(build.raw(scaled, 0), 32, True)  # C's int
        index = build.graph.add(index, build.graph.constant(layer.offset))
        found = build.looked_up(index, layer.contents, layer.contents_format)
        result = build.cast(found, layer.result)
        if layer.slope is None:
            return result
        other = build.scaled(value, layer.slope, -layer.slope_format.fraction)
        return build.select(value.node, result, build.cast(other, layer.result))

    return [build.function(value, function) for value in x]


def leaky_relu(build: Builder, layer, x: list[Value]) -> list[Value]:
    def function(slope):
        def of(build, value):
            product = build.scaled(value, slope, -layer.slope_format.fraction)
            parts = (build.cast(each, layer.result) for each in (product, value))
            return build.select(value.node, *parts)

        return of

    return [
        build.function(value, function(int(slope)))
        for value, slope in zip(x, layer.slope, strict=True)
    ]


def threshold(build: Builder, layer, x: list[Value]) -> list[Value]:
    def function(build, value):
        theta = build.constant(layer.theta, -layer.theta_format.fraction)
        below = build.subtract(theta, value)  # negative above theta
        return build.select(below.node, build.cast(value, layer.result), build.constant(0))

    return [build.function(value, function) for value in x]


def hard_sigmoid(build: Builder, layer, x: list[Value]) -> list[Value]:
    def function(build, value):
        product = build.scaled(value, layer.slope, -layer.slope_format.fraction)
        y = build.total([product, build.constant(layer.shift, -layer.shift_format.fraction)])
        y = build.minimum(build.maximum(y, build.constant(0)), build.constant(1))
        if layer.symmetric:
            y = build.subtract(Value(y.node, y.exponent + 1), build.constant(1))
        return build.cast(y, layer.result)

    return [build.function(value, function) for value in x]
