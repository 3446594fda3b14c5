"""Engines of bit-weight serial arrays, compiled: extremes, pauses, and what zeros cost.

The shared tests (``test_engine``, ``test_native``, ``test_cocotb``) have ``tiny_opt4c`` and
``tiny_opt3`` as well; here is what is particular: data-dependent order, and the traps of the
published RTL.
"""

import functools

import numpy as np
import pytest

from matweave.hw import config
from matweave.sim.cases import case, values
from matweave.sim.driver import Pause
from matweave.sim.golden import gemm
from matweave.sim.jobs import Job
from matweave.sim.native import Engine
from matweave.sim.perf import predict_serial
from matweave.sim.perf.serial import digits_of

LONG = {
    name: (f"tiny_{pe}", [f"name='long_{name}'", "limits={m=24,n=9,k=300}", *changes])
    for name, pe, changes in (
        ("opt4c", "opt4c", []),
        ("opt4e", "opt4e", ["array.rows=5", "array.share=2"]),
        ("ent", "opt4e", ["pe.digits=ent", "array.rows=3", "array.share=1", "b=uint8"]),
        ("opt2", "opt2", []),
        ("opt3", "opt3", ["array.share=2", "array.rows=5"]),
        ("groups", "opt3", ["array.synchronise=barrier", "a=uint7", "b=int12", "pe.digits=booth"]),
        ("barrier", "opt4c", ["array.synchronise=barrier", "array.share=1", "a=uint7", "b=int12"]),
        ("mixed", "opt4e", ["a=int3", "b=uint9", "array.columns=1", "accumulator.width=14"]),
    )
}

compiled = pytest.mark.requires_tool("verilator", "g++", "perl")


@functools.cache
def long(name):
    preset, changes = LONG[name]
    return config.load(preset, changes)


def raw(engine, a, b, **more) -> Job:
    return Job(a=np.asarray(a), b=np.asarray(b), **more).checked(engine)


def exact(running, job, **how):
    result = running.job(job, **how)
    np.testing.assert_array_equal(result.c, gemm.for_config(running.config)(**job.arguments()))
    return result


@compiled
@pytest.mark.parametrize("name", LONG)
def test_extremes_over_a_long_k(name):
    """Every pair of constant matrices from the ends of both ranges, and the worst digits."""
    engine = long(name)
    with Engine(engine) as running:
        for x in {engine.a.min, engine.a.min + 1, -2, -8, 2, engine.a.max, 0}:
            for y in (engine.b.min, engine.b.max):
                if engine.a.min <= x:
                    job = raw(engine, np.full((6, 300), x), np.full((300, 4), y))
                    exact(running, job)


@compiled
@pytest.mark.parametrize("name", LONG)
def test_random_jobs_under_pauses(name, seed):
    engine = long(name)
    rng = np.random.default_rng(seed)
    with Engine(engine, seed=seed) as running:
        for index in range(60):
            pauses = dict.fromkeys(("a", "b", "c0", "c"), Pause(rng.random() * 0.6, 1 + index % 9))
            exact(running, case(engine, seed, index).job, pauses=pauses, fill=rng)


@compiled
@pytest.mark.parametrize("name", ["opt3", "opt4c", "opt4e", "barrier"])
def test_zeros_cost_next_to_nothing_and_are_zero(name, seed):
    """Rows, columns and whole matrices of zeros, among dense ones."""
    engine = long(name)
    rng = np.random.default_rng(seed)
    with Engine(engine) as running:
        a = values(engine.a, "random", (22, 260), rng)
        b = values(engine.b, "random", (260, 8), rng)
        full = exact(running, raw(engine, a, b)).cycles
        for rows in ([0], [3], range(4), range(1, 22), range(22)):
            for columns in (slice(0), slice(250), slice(None)):
                holes = a.copy()
                holes[np.ix_(list(rows), range(260)[columns])] = 0
                result = exact(running, raw(engine, holes, b))
                assert result.cycles <= full + 20  # who waits for whom may change
                assert result.cycles == predict_serial(engine, holes, 8)
        # All zero: nothing but loading A and B takes time.
        panels, tiles = -(-22 // engine.array.rows), -(-8 // engine.array.columns)
        assert result.cycles < (panels + tiles) * 260 + 50
        b[:, 3] = 0
        exact(running, raw(engine, a, b))


@compiled
@pytest.mark.parametrize("name", ["opt3", "opt4c", "opt4e", "groups"])
def test_an_empty_weight_adds_nothing_of_an_earlier_job(name, seed):
    """It takes a cycle all the same, in which lists and memories still have what was there: a group
    far behind this job's last, with digits of that weight."""
    engine = long(name)
    rng = np.random.default_rng(seed)
    with Engine(engine) as running:
        before = np.zeros((12, 300), int)
        before[:, 200:] = 4
        for x in (17, 16, 81):  # digits 1 0 1, 0 0 1 and 1 0 1 1, lowest first
            for k in (1, 3, 8):
                exact(running, raw(engine, before, values(engine.b, "random", (300, 4), rng)))
                b = values(engine.b, "random", (k, 4), rng)
                exact(running, raw(engine, np.full((12, k), x), b))


@compiled
@pytest.mark.parametrize("pe", ["opt3", "opt4c"])
def test_pitfall_9_a_new_pass_costs_no_cycle_and_clears_nobody_else(pe, seed):
    """One row: exactly a cycle per nonzero digit. Another row's passes begin and end at other
    times, and its results are right."""
    engine = config.load(
        f"tiny_{pe}", ["name='one_row'", "array.rows=1", "array.columns=3", "limits.k=256"]
    )
    rng = np.random.default_rng(seed)
    a = rng.integers(-128, 128, (16, 256))
    b = rng.integers(-128, 128, (256, 15))
    digits = int((digits_of(engine, a) != 0).sum())
    with Engine(engine) as running:
        result = exact(running, raw(engine, a, b))
    tiles = 5
    start, end = 256 + 2 + 4, 40
    assert digits * tiles <= result.cycles <= start + digits * tiles + end
    with Engine(long(pe)) as running:
        a[::2, 9:] = 0  # short passes next to long ones
        exact(running, raw(long(pe), a, b[:, :9]))


@compiled
@pytest.mark.parametrize("pe", ["opt3", "opt4c"])
def test_groups_of_zeros_cost_no_cycle(pe, seed):
    """Where the published schedule spends a cycle on every four zeros of a weight. One row, and A
    and B are there in time: a further row of A takes its digits, once per tile, and nothing else
    but a cycle for a weight that is empty below the highest; be they all in one group or each in a
    group of its own, of one weight or of all."""
    engine = config.load(
        f"tiny_{pe}",
        ["name='few'", "array.rows=1", "array.columns=2", "limits={m=16,n=64,k=256}"],
    )
    rng = np.random.default_rng(seed)
    b = rng.integers(-128, 128, (256, 64))
    with Engine(engine) as running:
        for values, places in (
            ([64], range(5, 256, 16)),
            ([1], range(128, 140)),
            ([64, 16, -4, 1], range(0, 256, 8)),
            ([85, -43], range(3, 256, 11)),
            ([-128], range(256)),
            ([-2], range(256)),
        ):
            row = np.zeros(256, int)
            row[list(places)] = np.resize(values, len(places))
            few, more = (
                exact(running, raw(engine, np.tile(row, (m, 1)), b)).cycles for m in (6, 10)
            )
            digits = (digits_of(engine, row) != 0).sum(axis=0)
            assert more - few == 4 * 32 * sum(max(int(n), 1) for n in np.trim_zeros(digits, "b"))


@compiled
@pytest.mark.parametrize("pe", ["opt3", "opt4c"])
@pytest.mark.parametrize("synchronise", ["fifo", "barrier"])
def test_pitfall_12_rows_of_very_different_density(synchronise, pe, seed):
    """A row may be dense where its neighbours are empty, panel by panel; results keep their order.

    The slowest row decides: with dense digits in turn the rows run ahead of each other, and a
    barrier costs more than FIFOs do.
    """
    engine = config.load(
        f"tiny_{pe}",
        [f"name='uneven_{synchronise}'", f"array.synchronise='{synchronise}'", "limits.m=64",
         "array.rows=4", "array.columns=3"],
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    a = rng.integers(-128, 128, (64, 16))
    a[(np.arange(64) % 4 != np.arange(64) // 4 % 4)] = 0  # row n of panel n mod 4 is dense
    b = rng.integers(-128, 128, (16, 16))
    with Engine(engine) as running:
        cycles = exact(running, raw(engine, a, b)).cycles
        for pauses in ({"c": Pause(0.7, 9)}, {"a": Pause(0.5, 4)}, {"c0": Pause(0.9, 30)}):
            exact(running, raw(engine, a, b, c0=-(a @ b)), pauses=pauses)
    assert cycles == predict_serial(engine, a, 16)
    twin = engine.model_copy(
        update={"array": engine.array.model_copy(update={"synchronise": "barrier"})}
    )
    if synchronise == "fifo":
        assert cycles < predict_serial(twin, a, 16)
