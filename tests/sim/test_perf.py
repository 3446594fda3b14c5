"""The cycle model against the RTL, to the cycle."""

import numpy as np
import pytest

from matweave.hw import config as configuration
from matweave.sim.cases import VALUES, values
from matweave.sim.jobs import Job
from matweave.sim.native import Engine
from matweave.sim.perf import predict, predict_job, utilisation

from .engines import KINDS, VARIANTS, engine

PIPELINES = {
    "matrix_0": ("tiny_matrix", ["array.pipeline=0"]),
    "matrix_2": ("tiny_matrix", ["array.pipeline=2"]),
    "cube_0": ("tiny_cube", ["array.pipeline=0", "array.rows=1"]),
    "tree_0": ("tiny_tree", ["array.pipeline=0"]),
    "tree_2": ("tiny_tree", ["array.pipeline=2", "array.columns=1"]),
    "opt4e": ("tiny_opt4e", ["array.share=2"]),
    "opt4e_barrier": ("tiny_opt4e", ["array.synchronise=barrier", "array.rows=5"]),
    "opt4c_barrier": ("tiny_opt4c", ["array.synchronise=barrier", "a=int7"]),
    "opt2": ("tiny_opt2", ["a=uint5"]),
    "opt3_barrier": ("tiny_opt3", ["array.synchronise=barrier", "array.rows=5", "a=uint7"]),
    "opt3_ent": ("tiny_opt3", ["pe.digits=ent", "array.rows=2"]),
    "opt4c_ent": ("tiny_opt4c", ["pe.digits=ent", "a=int9"]),
    "opt3_booth": ("tiny_opt3", ["pe.digits=booth", "array.share=1", "a=int5"]),
    "two_stages": ("tiny_os", ["output.multiplier_stages=2"]),
    "opt2_two_stages": ("tiny_opt2", ["output.multiplier_stages=2"]),
    "ws_wide": ("tiny_ws", ["array.columns=5", "array.tile_columns=2", "array.tile_rows=1"]),
}

SHAPES = 60


@pytest.mark.requires_tool("verilator", "g++", "perl")
@pytest.mark.parametrize("name", [*KINDS, "raw", "tflite", "one_tile", *PIPELINES])
def test_the_model_is_exact(name, seed):
    if name in PIPELINES:
        preset, overrides = PIPELINES[name]
        config = configuration.load(preset, [f"name='tiny_{name}'", *overrides])
    else:
        assert name in KINDS or name in VARIANTS
        config = engine(name)
    rng = np.random.default_rng(seed)
    limits = config.limits
    with Engine(config) as tested:
        for index in range(SHAPES):
            # All sizes small, or any of them large.
            most = [(limits.m, limits.n, limits.k), (4, 4, 4), (3, limits.n, 5), (limits.m, 3, 2)]
            bounds = [min(a, b) for a, b in zip(most[index % 4], most[0], strict=True)]
            m, n, k = (int(rng.integers(1, bound + 1)) for bound in bounds)
            job = Job(
                a=values(config.a, VALUES[index % len(VALUES)], (m, k), rng),
                b=values(config.b, "random", (k, n), rng),
                c0=np.ones((m, n), int) if index % 2 else None,
            )
            result = tested.job(job)
            assert result.cycles == predict_job(config, job.a, n), (m, n, k)
            if config.array.kind != "digit_serial":
                assert result.utilisation == utilisation(config, m, n, k)


def test_data_decide_for_serial_engines():
    config = configuration.load("tiny_opt4c")
    with pytest.raises(ValueError, match="depend on A"):
        predict(config, 4, 4, 4)
    zero, ones = np.zeros((16, 16), int), np.ones((16, 16), int)
    times = [predict_job(config, a, 16) for a in (zero, ones, 5 * ones, 127 * ones, 85 * ones)]
    assert times == sorted(times) and times[0] < times[1] < times[2] < times[4]


@pytest.mark.parametrize(
    "preset",
    ["gemm_os_8x8", "gemm_ws_8x8", "gemm_matrix_8x8", "gemm_cube_4x4x4", "gemm_tree_8x8"],
)
def test_utilisation_at_equal_numbers_of_multipliers(preset):
    config = configuration.load(preset)
    assert config.geometry.macs == 64
    assert utilisation(config, 64, 64, 64) >= 0.95
    assert utilisation(config, 16, 16, 16) >= 0.80


def test_a_long_job_is_predicted_at_once():
    config = configuration.load(
        "tiny_ws", ["limits={m=64,n=65536,k=4096}", "array.rows=2", "array.columns=2"]
    )
    rows = 3
    assert predict(config, rows, 65536, 4096) == pytest.approx(65536 / 2 * 2048 * rows, rel=1e-3)
