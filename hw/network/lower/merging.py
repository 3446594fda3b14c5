"""Layers of two variables."""

from .builder import Builder, Value


def merge(build: Builder, layer, a: list[Value], b: list[Value]) -> list[Value]:
    operation = {
        "add": lambda x, y: build.total([x, y]),
        "average": lambda x, y: _half(build.total([x, y])),
        "maximum": build.maximum,
        "minimum": build.minimum,
        "multiply": build.multiply,
        "subtract": build.subtract,
    }[layer.operation]
    pairs = [(a[i % len(a)], b[i % len(b)]) for i in range(layer.size)]
    return [build.cast(operation(x, y), layer.result) for x, y in pairs]


def _half(value):
    return Value(value.node, value.exponent - 1)


def contraction(build: Builder, layer, a: list[Value], b: list[Value]) -> list[Value]:
    count, results = layer.contracted, []
    first, second = (len(each) // layer.batches for each in (a, b))
    for batch in range(layer.batches):
        for x in range(batch * first, (batch + 1) * first, count):
            for y in range(batch * second, (batch + 1) * second, count):
                products = [build.multiply(a[x + i], b[y + i]) for i in range(count)]
                if layer.cast_products:
                    products = [build.cast(each, layer.accum) for each in products]
                total = build.accumulate([build.constant(0), *products], layer.accum)
                results.append(build.cast(total, layer.result))
    return results
