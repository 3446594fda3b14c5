"""Lookup engines at the longest sums that a configuration allows, against int64: A at its least
everywhere or almost, all weights at one end, zero points at both."""

import functools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matweave.hw import config
from matweave.hw.weights import Coding
from matweave.sim.cases import formats_up_to
from matweave.sim.native import Engine

pytestmark = pytest.mark.requires_tool("verilator")

K = 65_536
"""limits.k at its bound."""
LIMITS = f"limits={{m=2, n=4, k={K}}}"
ENGINES = {
    "parallel": ["b='uint4'", "zero_points='channel'", "array={rows=2, columns=4, k=4}"],
    "serial": ["b='uint8'", "zero_points='channel'",
               "array={rows=2, columns=4, k=4, planes='serial'}"],
}  # fmt: skip


@functools.cache
def engine(name):
    return Engine(config.load("tiny_lut", [LIMITS, "output.mode='raw'", *ENGINES[name]]))


def operand(kind, low, high, shape):
    if kind == "alternating":
        return np.where(np.arange(shape[0])[:, None] % 2, low, high) + np.zeros(shape, int)
    return np.full(shape, low if kind == "lowest" else high)


ALL = {"seed": 0, "short": 0, "odd": 0, "number": 0}


@pytest.mark.parametrize("name", ["parallel", pytest.param("serial", marks=pytest.mark.slow)])
@settings(max_examples=10, deadline=None, database=None)
@given(
    seed=st.integers(0, 1 << 32),
    short=st.integers(0, 3),
    odd=st.integers(0, 3),
    number=st.integers(0, 99),
    kind=st.sampled_from(["lowest", "highest", "random", "alternating"]),
    zeros=st.sampled_from(["none", "least", "most", "both"]),
)
@example(kind="highest", zeros="least", **ALL)
@example(kind="lowest", zeros="most", **ALL)
@example(kind="alternating", zeros="both", **ALL)
def test_the_longest_sums(name, seed, short, odd, number, kind, zeros):
    """``short``: of the longest K; ``odd``: columns of A that are not the least; ``number``: which
    format of B, where the engine takes several."""
    dut, rng = engine(name), np.random.default_rng(seed)
    formats = formats_up_to(8)[::-1] if name == "serial" else [dut.config.b]
    format = formats[number % len(formats)]
    k = K - short
    a = np.full((2, k), -128)
    a[:, rng.integers(0, k, odd)] = rng.integers(-128, 128, (2, odd))
    if kind == "random":  # weights with steps have not all numbers between
        b = format.number(rng.integers(0, 1 << format.width, (k, 4)))
    else:
        b = operand(kind, format.min, format.max, (k, 4))
    of_columns = None
    if format.coding is Coding.ASYMMETRIC and zeros != "none":
        most = 1 << format.width
        ends = {"least": [0] * 4, "most": [most] * 4, "both": [0, most, most, 0]}
        of_columns = np.array(ends[zeros])
    own = {"b_format": format} if name == "serial" else {}
    found = dut.gemm(a, b, zeros=of_columns, **own).c
    wanted = a.astype(np.int64) @ (b if of_columns is None else b - of_columns)
    np.testing.assert_array_equal(found, wanted)
