"""Lookup engines, compiled, against the golden GEMM, with predicted cycles."""

import numpy as np
import pytest

from matweave.hw import config
from matweave.sim import perf
from matweave.sim.cases import VALUES, cases, values
from matweave.sim.golden import gemm
from matweave.sim.jobs import Job
from matweave.sim.native import Engine


@pytest.mark.requires_tool("verilator")
@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["a='int16'", "b='uint8'", "array={rows=1, columns=3, k=3, sign=1}"],
        pytest.param(["a='int4'", "b='uint4'", "array={rows=3, columns=2, k=6, sign=5}"],
                     marks=pytest.mark.slow),
        pytest.param(["b='int3'", "array={rows=2, columns=4, k=2}"], marks=pytest.mark.slow),
    ],
    ids=str,
)  # fmt: skip
def test_compiled(overrides, seed):
    engine = config.load("tiny_lut", overrides)
    golden = gemm.for_config(engine)
    rng = np.random.default_rng(seed)
    m, n, k = engine.limits.m, engine.limits.n, engine.limits.k
    extremes = [
        Job(values(engine.a, a, (m, k), rng), values(engine.b, b, (k, n), rng)).checked(engine)
        for a in VALUES
        for b in ("lowest", "highest", "random")
    ]
    with Engine(engine) as dut:
        for job in [*extremes, *(case.job for case in cases(engine, seed, 100))]:
            result = dut.job(job)
            np.testing.assert_array_equal(result.c, golden(**job.arguments()))
            assert result.cycles == perf.predict(engine, *job.shape)


def test_utilisation_of_the_preset():
    """At least 95 % on jobs of eight tiles and more per side, and what one row of A leaves."""
    engine = config.load("lut_m2n64k4", ["limits.m=64", "limits.n=512", "limits.k=1024"])
    assert perf.utilisation(engine, 16, 512, 1024) > 0.95
    assert perf.utilisation(engine, 1, 512, 1024) > 0.47  # of two tables one is used
