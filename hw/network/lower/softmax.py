"""Softmax in the ways that hls4ml has."""

import functools

from .builder import Builder, Value


def _by_slices(build, layer, x, of):
    """``of`` of each slice's values, and where they belong."""
    count, results = layer.slice, [None] * layer.size
    for outer in range(layer.outer):
        for inner in range(layer.inner):
            places = [(outer * count + i) * layer.inner + inner for i in range(count)]
            for place, value in zip(places, of(build, layer, [x[i] for i in places]), strict=True):
                results[place] = build.cast(value, layer.result)
    return results


def softmax(build: Builder, layer, x: list[Value]) -> list[Value]:
    return _by_slices(build, layer, x, _softmax)


def _softmax(build, layer, x):
    if layer.stable:
        largest = functools.reduce(build.maximum, x)
        x = [build.cast(build.subtract(largest, each), layer.norm) for each in x]
    terms = [build.entry(each, layer.norm, layer.exp_table, layer.exp_table_format) for each in x]
    terms = [build.cast(each, layer.accum) for each in terms]
    total = build.cast(_tree(build, terms, layer.accum), layer.inv_input)
    inverse = build.entry(total, layer.inv_input, layer.inv_table, layer.inv_table_format)
    return [build.multiply(each, inverse) for each in terms]


def _tree(build, terms, accum):
    """The sum of the first half that is a power of two, and of the rest (``reduce`` of
    ``nnet_common.h``)."""
    if len(terms) == 1:
        return terms[0]
    left = 1 << ((len(terms) - 1).bit_length() - 1)
    parts = [_tree(build, each, accum) for each in (terms[:left], terms[left:])]
    return build.cast(build.total(parts), accum)


def legacy(build: Builder, layer, x: list[Value]) -> list[Value]:
    return _by_slices(build, layer, x, _legacy)


def _legacy(build, layer, x):
    to = layer.table_format
    one = build.cast(build.constant(1), to)
    results = []
    for place, value in enumerate(x):
        terms = [build.constant(0)]
        for other, rival in enumerate(x):
            difference = build.subtract(rival, value)
            terms.append(
                one if other == place else _step(build, difference, layer.exp_table, 16, to)
            )
        total = build.accumulate(terms, to)
        results.append(_step(build, total, layer.inv_table, 64, to, centred=False))
    return results


def _step(build, value, contents, span, to, centred=True):
    """A table over ``span``, half of it below zero if it is centred."""
    scaled = build.scaled(value, len(contents), -(span.bit_length() - 1))
    index = build.raw(scaled, 0)
    if centred:
        index = build.graph.add(index, build.graph.constant(len(contents) // 2))
    return build.looked_up(index, contents, to)


def argmax(build: Builder, layer, x: list[Value]) -> list[Value]:
    return _by_slices(build, layer, x, _argmax)


def _argmax(build, layer, x):
    """Above all before it, and not below any behind it."""
    graph = build.graph
    nodes, _ = build.aligned(*x)
    one, zero = graph.constant(1), graph.constant(0)
    results = []
    for place, node in enumerate(nodes):
        short = []
        if place:
            before = functools.reduce(graph.maximum, nodes[:place])
            short.append(graph.add(graph.add(node, before, minus=True), graph.constant(-1)))
        if nodes[place + 1 :]:
            behind = functools.reduce(graph.maximum, nodes[place + 1 :])
            short.append(graph.add(node, behind, minus=True))
        won = one
        for each in short:
            won = graph.select(each, zero, won)
        results.append(Value(won, 0))
    return results
