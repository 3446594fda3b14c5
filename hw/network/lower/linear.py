"""Layers that multiply by constants, as sums for the solver.

Where casts to the accumulator change nothing, or only wrap (a wrap of the last sum is then enough),
the whole matrix is one problem, and rows of equal matrices are solved once. Else products are made
one by one, shared among each other, and added up in hls4ml's order.
"""

from ...fixed import FixedOverflow, FixedRounding
from ..layers import Cast, Dense, PhasedCast, Relu, Reshape, Select
from .builder import Builder, Value, fits
from .sums import CHOICES, shifted, trailing


def dense(build: Builder, layer: Dense, x: list[Value]) -> list[Value]:
    matrices = layer.matrices
    _, inputs, outputs = matrices.shape
    fraction = layer.weight_format.fraction
    bias = [(int(raw), -layer.bias_format.fraction) for raw in layer.bias]
    rows = []  # of products, per row and output
    for row in range(layer.n_rows):
        values = x[row * inputs : (row + 1) * inputs]
        rows.append([
            [(value, int(w), value.exponent - fraction)
             for value, w in zip(values, column, strict=True)
             if w and not build.graph.is_zero(value.node)]
            for column in matrices[row % len(matrices)].T
        ])  # fmt: skip
    products = [each for row in rows for each in row]
    exact = all(_exact(build, *each, layer) for each in zip(products, bias, strict=True))
    make = _sums if exact else _stepwise
    return [build.cast(value, layer.result) for value in make(build, layer, rows, bias, outputs)]


def affine(build: Builder, layer, x: list[Value]) -> list[Value]:
    fraction = layer.scale_format.fraction
    products = [
        [(value, int(w), value.exponent - fraction)] if w else []
        for value, w in zip(x, layer.scale, strict=True)
    ]
    bias = [(int(raw), -layer.bias_format.fraction) for raw in layer.bias]
    sums = _sums(build, layer, [products], bias, layer.size)
    return [build.cast(value, layer.result) for value in sums]


def _exact(build, products, bias, layer):
    """Whether casts to the accumulator change nothing, or only wrap: then one is enough."""
    raw, exponent = bias
    accum = layer.accum
    lowest = min([e for *_, e in products] + [exponent] * (raw != 0), default=0)
    for _, w, e in products:
        if e + trailing(w) < -accum.fraction:
            return False
    if raw and exponent + trailing(raw) < -accum.fraction:
        return False
    if accum.overflow is FixedOverflow.WRAP:
        return True
    low = high = raw << (exponent - lowest) if raw else 0
    good = fits(low, high, lowest, accum)
    for value, w, e in products:  # every product, and every sum on the way
        least, most = _times(build, value, w << (e - lowest))
        low, high = low + least, high + most
        good &= fits(least, most, lowest, accum) and fits(low, high, lowest, accum)
    return good


def _times(build, value, weight):
    node = build.graph[value.node]
    return sorted((node.low * weight, node.high * weight))


def _sums(build, layer, rows, bias, outputs) -> list[Value]:
    """Exact sums of products and bias, in the solver's additions; those of a dense layer are
    wrapped as its accumulator does."""
    accum = getattr(layer, "accum", None)
    parts = [(w, e) for row in rows for each in row for _, w, e in each] + bias
    lowest = min((e + trailing(w) for w, e in parts if w), default=0)
    wanted, halves = [], []
    for at, row in enumerate(rows):
        wanted.append([])
        for place, (each, (raw, exponent)) in enumerate(
            zip(row, bias[at * outputs : (at + 1) * outputs], strict=True), at * outputs
        ):
            constant = shifted(raw, exponent - lowest)
            weights = []
            for value, w, e in each:
                node = build.graph[value.node]
                if node.low == node.high:
                    constant += node.low * shifted(w, e - lowest)
                else:
                    weights.append((value, shifted(w, e - lowest)))
            pending = half(build, layer, place, weights, constant, lowest) if weights else None
            if isinstance(pending, tuple):
                added = [constant + _half(each, lowest) for each in pending]
                constant = added[0]
                if len(set(added)) > 1:
                    weights.append((Value(build.graph.table(build.phase(), added), lowest), 1))
                    constant = 0
            elif pending is not None:
                constant += _half(pending, lowest)
            wanted[-1].append(([(value.node, w) for value, w in weights], constant))
            halves.append(pending)
    solved = [each for row in build.solved_rows(wanted) for each in row]
    values = [
        Value(node, lowest + shift, pending)
        for (node, shift), pending in zip(solved, halves, strict=True)
    ]
    return [value if value.half is not None or accum is None else build.cast(value, accum)
            for value in values]  # fmt: skip


def _half(pending, lowest):
    """Half of ``2**pending``, in units of ``2**lowest``."""
    return 0 if pending is None else 1 << (pending - 1 - lowest)


def half(
    build: Builder, layer, place, weights, constant, exponent
) -> int | tuple[int | None, ...] | None:
    """Where (the weight of the last bit that stays) the sum is going to be rounded half up before
    anything else changes it, or where in every phase; else ``None``."""
    bounds = [_times(build, value, w) for value, w in weights]
    low, high = (constant + sum(each) for each in zip(*bounds, strict=True))
    for to in _upcoming(build.network, layer, place):
        if to is Relu:
            low, high = max(low, 0), max(high, 0)
        elif isinstance(to, tuple):
            return _of_phases(to, exponent)
        elif -exponent > to.fraction:
            return -to.fraction if to.rounding is FixedRounding.RND else None
        elif not fits(low, high, exponent, to):
            return None
    return None


def _of_phases(formats, exponent):
    """The same of a cast whose format depends on the phase, and differs."""
    halves = []
    for to in formats:
        rounded = to is not None and -exponent > to.fraction
        if rounded and to.rounding not in (FixedRounding.RND, FixedRounding.TRN):
            return None
        halves.append(-to.fraction if rounded and to.rounding is FixedRounding.RND else None)
    return tuple(halves) if any(each is not None for each in halves) else None


def _upcoming(network, layer, place):
    """The formats that value ``place`` is cast to, and ``Relu``, while it goes one way only; last
    those of each phase, where they differ."""
    if isinstance(layer, Dense):
        yield layer.accum
    yield layer.result
    while layer.name != network.output:
        readers = [each for each in network.layers if layer.name in each.sources]
        if len(readers) != 1 or readers[0].sources.count(layer.name) != 1:
            return
        before, layer = layer, readers[0]
        if isinstance(layer, Relu):
            yield Relu
        elif isinstance(layer, Cast):
            if layer.formats[place] is None:
                return
            yield layer.formats[place]
        elif isinstance(layer, PhasedCast):
            formats = tuple(each[place] for each in layer.formats)
            if len(set(formats)) > 1:
                yield formats
                return
            if formats[0] is None:
                return
            yield formats[0]
        elif isinstance(layer, Select):
            first = layer.sources.index(before.name)
            place += sum(network[name].size for name in layer.sources[:first])
            places = (layer.index == place).nonzero()[0]
            if len(places) != 1:
                return
            place = int(places[0])
        elif not isinstance(layer, Reshape):
            return
        yield layer.result


def _stepwise(build, layer, rows, bias, outputs) -> list[Value]:
    """Every product, and every sum, cast to the accumulator."""
    accum = layer.accum
    wanted = [[_product(build, value, w) for each in row for value, w, _ in each] for row in rows]
    solved = iter([each for row in build.solved_rows(wanted, CHOICES[:1]) for each in row])
    sums = []
    columns = [each for row in rows for each in row]
    for each, (raw, exponent) in zip(columns, bias, strict=True):
        terms = [build.cast(build.constant(raw, exponent), accum)]
        for _, _, e in each:
            node, shift = next(solved)
            terms.append(build.cast(Value(node, e + shift), accum))
        sums.append(build.accumulate(terms, accum))
    return sums


def _product(build, value, weight):
    node = build.graph[value.node]
    if node.low == node.high:
        return [], node.low * weight
    return [(value.node, weight)], 0
