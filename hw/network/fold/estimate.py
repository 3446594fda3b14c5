"""About how many LUTs of four inputs a folded network takes: what a budget is chosen by.

A LUT per bit that is added or chosen, as carry chains and selectors take; tables by their
entries; multipliers of arrays in DSP blocks where their PE leaves them to the synthesiser.
``bench/reuse.py`` prints it beside what Yosys maps.
"""

from ..graph import Graph
from ..timing import is_wiring, needed
from .matrix import DEFAULT_PE, LOOKUP, Matrix
from .plan import Folded

DEEP = 128
"""Steps from which on weights are in block RAM."""


def luts(folded: Folded, dsps: int = 0) -> int:
    """LUTs; the ``dsps`` widest products of two values are in DSP blocks."""
    products: list[int] = []
    total = 0
    for section in folded.sections:
        if section.matrix:
            total += of_matrix(section.matrix)
            continue
        total += of_graph(section.graph, products)
        if section.digits:
            total += _of_digits(section)
    if folded.input is not None:  # a shift register that is loaded
        total += sum(4 * len(phase) for phase in folded.input)
    return total + sum(sorted(products)[: len(products) - dsps])


def multipliers(folded: Folded) -> int:
    """Of arrays, those that are left to the synthesiser's DSP blocks."""
    arrays = [each.matrix for each in folded.sections if each.matrix]
    return sum(each.shape.columns * each.shape.depth for each in arrays if each.pe == DEFAULT_PE)


def of_graph(graph: Graph, products: list[int]) -> int:
    """LUTs of a graph without its products of two values, whose are appended to ``products``."""
    bits, total = needed(graph), 0
    for index in graph.live():
        node, wide = graph[index], bits[index]
        if is_wiring(graph, index):
            continue
        if node.op == "multiply":
            a, b = (graph[each].width for each in node.args)
            products.append(2 * a * b)
        elif node.op == "add":
            total += max(wide - max(node.parameters[:2]), 0)
        elif node.op == "table":
            total += wide * max(1, len(node.parameters[1]) // 16)
        elif node.op in ("maximum", "minimum", "clamp"):
            total += 2 * wide
        else:
            total += wide
    return total


def _of_digits(section) -> int:
    """Registers that shift digits out of inputs, and accumulators."""
    inputs = sum(feed.digits[0] for feed in section.feeds if feed.digits)
    return inputs + sum(section.graph[each].width + 1 for each in section.graph.outputs)


def of_matrix(matrix: Matrix) -> int:
    """An array with its weights and the choice of its inputs."""
    a, b, shape = matrix.a.width, matrix.b.width, matrix.shape
    lanes = shape.columns * shape.depth
    blocks = matrix.rows * -(-matrix.inputs // shape.depth)
    total = shape.depth * a * (blocks - 1) * 2 // 3
    if shape.steps < DEEP:
        total += lanes * b * -(-shape.steps // 16)
    total += shape.columns * (matrix.width + (shape.depth - 1) * (a + b + 1))
    if matrix.pe == LOOKUP:
        entries = 1 << (shape.depth - 1)
        total += entries * (a + 3) + shape.columns * b * (a + 3) * entries // 4
    elif matrix.pe != DEFAULT_PE:
        total += lanes * a * b
    return total
