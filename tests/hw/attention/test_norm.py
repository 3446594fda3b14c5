"""Norms and square roots against their golden models."""

import math

import numpy as np
import pytest

from matweave.hw.arith.square_root import SquareRoot
from matweave.hw.attention.norm import RowNorm
from matweave.hw.formats import Format
from matweave.sim import ports
from matweave.sim.golden.attention import integers, norm

from .rows import run


def test_square_roots_of_every_number():
    dut = SquareRoot(width=10)
    start = ([1] + [0] * dut.latency) * 1024
    given = [n for n in range(1024) for _ in range(dut.latency + 1)]
    found = ports.simulated(dut, {"start": start, "i": given})["o"]
    assert found[dut.latency :: dut.latency + 1] == [math.isqrt(n) for n in range(1024)]
    with pytest.raises(ValueError, match="width must be even and at least 2, not 5"):
        SquareRoot(width=5)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize(("size", "lanes"), [(8, 4), (12, 2), (7, 7)])
def test_rows_are_the_golden_model_s(size, lanes, centred):
    rng = np.random.default_rng(size)
    rows = [rng.integers(-128, 128, size) for _ in range(6)]
    rows += [np.full(size, 127), np.full(size, -128), np.zeros(size, int)]
    rows += [rng.choice([-128, 127], size), rng.integers(-2, 3, size)]
    o_format = Format(10)
    dut = RowNorm(
        size=size, lanes=lanes, format=Format(8), o_format=o_format, centred=centred, epsilon=2
    )
    counts = [np.ones(size, bool)] * len(rows)
    given, taken_at, given_at = run(dut, rows, counts, lanes=lanes, bits=(8, 10), rng=rng)
    for row, y in zip(rows, given, strict=True):
        golden = norm.normalised(row, epsilon=2, centred=centred)
        golden = integers.clamped(golden, o_format)
        assert [v - 1024 if v > 511 else v for v in y] == golden.tolist()
    assert given_at - taken_at == dut.latency + 2 * dut.beats


def test_what_does_not_fit_is_refused():
    arguments = {"size": 8, "lanes": 4, "format": Format(8), "o_format": Format(8)}
    for changes, message in (
        ({"lanes": 3}, "lanes must divide size, which is 8, and are 3"),
        ({"epsilon": 0}, "epsilon must be at least 1, not 0"),
        ({"format": Format(8, False)}, "format must be signed, not uint8"),
    ):
        with pytest.raises(ValueError, match=message):
            RowNorm(**arguments | changes)
