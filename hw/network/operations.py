"""What each operation of the adder graph computes, on NumPy's integers.

``EVALUATE`` has a function of the node, its arguments and the inputs (samples, inputs) for each;
the arguments are one array of samples each.
"""

import numpy as np

from ..fixed import FixedRounding


def _add(node, args, _):
    left, right, minus = node.parameters
    a, b = args[0] * (1 << left), args[1] * (1 << right)
    return a - b if minus else a + b


def _wrap(node, args, _):
    width, signed = node.parameters
    least = -(1 << (width - 1)) if signed else 0
    return ((args[0] - least) & ((1 << width) - 1)) + least


def _clamp(node, args, _):
    return np.minimum(np.maximum(args[0], node.parameters[0]), node.parameters[1])


def _zero(node, args, _):
    least, most = node.parameters
    return np.where((args[0] >= least) & (args[0] <= most), args[0], 0)


def _table(node, args, _):
    first, contents = node.parameters
    places = (args[0] - first).astype(np.int64)
    return np.array(contents, args[0].dtype)[places]


# Every mode as the RTL does it: the floor, and one that is added under a condition on the bits
# that go (``last``: the highest of them; ``rest``: any below it), the sign and the bit that stays.
ROUND = {
    FixedRounding.TRN: lambda a, drop: a >> drop,
    FixedRounding.TRN_ZERO: lambda a, drop: (a + (a < 0) * ((1 << drop) - 1)) >> drop,
    FixedRounding.RND_ZERO: lambda a, drop: (a + (1 << (drop - 1)) - (a >= 0)) >> drop,
    FixedRounding.RND_INF: lambda a, drop: (a + (1 << (drop - 1)) - (a < 0)) >> drop,
    FixedRounding.RND_MIN_INF: lambda a, drop: (a + (1 << (drop - 1)) - 1) >> drop,
    FixedRounding.RND_CONV: lambda a, drop: (a + (1 << (drop - 1)) - 1 + ((a >> drop) & 1)) >> drop,
}

EVALUATE = {
    "input": lambda node, args, x: x[:, node.parameters[0]],
    "constant": lambda node, args, x: np.full(len(x), node.low, x.dtype),
    "add": _add,
    "negate": lambda node, args, x: -args[0],
    "multiply": lambda node, args, x: args[0] * args[1],
    "round": lambda node, args, x: ROUND[node.parameters[1]](args[0], node.parameters[0]),
    "wrap": _wrap,
    "clamp": _clamp,
    "zero": _zero,
    "relu": lambda node, args, x: np.maximum(args[0], 0),
    "maximum": lambda node, args, x: np.maximum(args[0], args[1]),
    "minimum": lambda node, args, x: np.minimum(args[0], args[1]),
    "select": lambda node, args, x: np.where(args[0] < 0, args[1], args[2]),
    "table": _table,
}

OF_ONE = ("negate", "round", "wrap", "clamp", "zero", "relu", "table")
"""Operations of a single argument."""
