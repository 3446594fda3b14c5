"""Lookup engines, compiled, against the golden GEMM, with predicted cycles."""

import dataclasses
import json

import numpy as np
import pytest

from matweave.hw import config, emit
from matweave.hw.weights import CODINGS, WIDTHS, Coding, WeightFormat
from matweave.sim import driver, perf
from matweave.sim.cases import VALUES, cases, formats_up_to, values
from matweave.sim.golden import gemm
from matweave.sim.jobs import Job
from matweave.sim.native import Engine
from matweave.sim.registers import (
    GROUPS,
    WEIGHTS,
    Control,
    Error,
    Mode,
    Register,
    Response,
    zero_table,
)

ZEROS = "zero_points='channel'"


@pytest.mark.requires_tool("verilator")
@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["a='int16'", "b='uint8'", "array={rows=1, columns=3, k=3, sign=1}", ZEROS],
        ["name='tiny_lut_serial'"],
        ["b='ternary'"],
        pytest.param(["b='binary'", "array.columns=4"], marks=pytest.mark.slow),
        pytest.param(["b='uint4'", ZEROS], marks=pytest.mark.slow),
        pytest.param(["name='tiny_lut_serial'", "a='int16'", "b='int8'", "zero_points='none'"],
                     marks=pytest.mark.slow),
        pytest.param(["name='tiny_lut_serial'", "b='uint1'", "array.rows=1"],
                     marks=pytest.mark.slow),
        pytest.param(["a='int4'", "b='uint4'", "array={rows=3, columns=2, k=6, sign=5}"],
                     marks=pytest.mark.slow),
        pytest.param(["b='int3'", "array={rows=2, columns=4, k=2}"], marks=pytest.mark.slow),
    ],
    ids=str,
)  # fmt: skip
def test_compiled(overrides, seed):
    name = "tiny_lut_serial" if "name='tiny_lut_serial'" in overrides else "tiny_lut"
    engine = config.load(name, overrides)
    golden = gemm.for_config(engine)
    rng = np.random.default_rng(seed)
    with Engine(engine) as dut:
        for job in [*extremes(engine, rng), *(case.job for case in cases(engine, seed, 100))]:
            result = dut.job(job)
            np.testing.assert_array_equal(result.c, golden(**job.arguments()))
            assert result.cycles == perf.predict(engine, *job.shape, job.b_format, job.groups)


def extremes(engine, rng):
    """The largest job with every class of operands, format of B and both ends of zero points."""
    m, n, groups = engine.limits.m, engine.limits.n, engine.max_groups
    k, of = groups * engine.limits.k, (groups, n) if groups > 1 else (n,)
    for format in formats_up_to(engine.b.width) if engine.serial else [engine.b]:
        zeros = [None]
        if engine.subtracts_zeros and format.coding is Coding.ASYMMETRIC:
            zeros += [np.zeros(of, int), np.full(of, 1 << format.width)]
        for a in ("lowest", "highest", "alternating") if engine.serial else VALUES:
            for b in ("lowest", "highest", "random"):
                for each in zeros:
                    yield Job(
                        values(engine.a, a, (m, k), rng), values(format, b, (k, n), rng),
                        zeros=each, b_format=format if engine.serial else None, groups=groups,
                    ).checked(engine)  # fmt: skip


@pytest.mark.requires_tool("verilator")
def test_formats_and_zero_points_that_there_are_not():
    engine = config.load("tiny_lut_serial")
    with Engine(engine) as dut:

        def answers(address, data):
            (done,) = dut.access([driver.write(address, data)])
            return Response(done.response)

        assert dut.read(WEIGHTS) == 4  # uint4
        for bits in range(16):
            for number, coding in enumerate(CODINGS):
                try:
                    fits = bits <= 4 and bool(bits in WIDTHS and WeightFormat(bits, coding))
                except ValueError:
                    fits = False
                found = answers(WEIGHTS, bits + 16 * number)
                assert found == (Response.OKAY if fits else Response.SLVERR), (bits, coding)
        assert dut.read(Register.ERROR) == Error.ILLEGAL_SHIFT
        entries = 16 * 3  # of three groups
        table = zero_table(engine.limits.n, entries)
        assert answers(table, 16) == Response.OKAY
        assert answers(table, 17) == answers(table, 1 << 31) == Response.SLVERR
        assert answers(table + 4 * (entries - 1), 16) == Response.OKAY
        assert answers(table + 4 * entries, 0) == Response.DECERR
        for groups in (0, 4, 1 << 16):
            assert answers(GROUPS, groups) == Response.OKAY
            dut.access([*(driver.write(Register[name], 1) for name in "MNK"),
                        driver.write(Register.CONTROL, Control.START)])  # fmt: skip
            assert dut.read(Register.ERROR) & Error.ILLEGAL_SIZE
            dut.write(Register.ERROR, Error.ILLEGAL_SIZE)
        dut.write(GROUPS, 1)
        assert dut.read(Register.ERROR) == Error.ILLEGAL_SHIFT
        dut.write(Register.ERROR, 15)
        for name in "MNK":
            dut.write(Register[name], 1)
        dut.write(WEIGHTS, 4 + 16 * CODINGS.index(Coding.SYMMETRIC))
        dut.write(Register.MODE, Mode.SUBTRACT_ZEROS)
        dut.write(Register.CONTROL, Control.START)
        assert dut.read(Register.ERROR) == Error.MODE_NOT_BUILT_IN


@pytest.mark.parametrize(
    ("name", "job", "message"),
    [
        ("tiny_lut", {"zeros": [0]}, "this engine subtracts no zero points"),
        ("tiny_lut", {"b_format": WeightFormat(1)}, "this engine's weights are int2"),
        ("tiny_lut_serial", {"b_format": WeightFormat(6)}, "6 bits; this engine takes 1 to 4"),
        ("tiny_lut_serial", {"groups": 4}, "groups is 4; this engine takes 1 to 3"),
        ("tiny_lut_serial", {"groups": 2}, "2 groups do not divide K, which is 1"),
        ("tiny_lut", {"groups": 2}, "groups is 2; this engine takes 1 to 1"),
        ("tiny_lut_serial", {"zeros": [17]}, "zeros must be 0 to 16, not 17"),
        ("tiny_lut_serial", {"zeros": [0], "b_format": WeightFormat(4, Coding.SYMMETRIC)},
         "weights of int4 have no zero points"),
        ("tiny_lut_serial", {"b_format": WeightFormat(1, Coding.BINARY)}, "b must be -1 or 1"),
    ],
)  # fmt: skip
def test_a_job_that_the_engine_does_not_take(name, job, message):
    with pytest.raises(ValueError, match=message):
        Job([[1]], [[0]], **job).checked(config.load(name))


def test_the_manifest_says_what_fewer_bits_bring():
    engine = config.load("tiny_lut_serial")
    told = json.loads(emit.generate(engine).files["tiny_lut_serial.json"])["performance"]
    assert told["macs_per_cycle"] == engine.macs_per_cycle == 2 * 4 * 4 / 4
    assert told["macs_per_cycle_by_bits"] == {"1": 32, "2": 16, "3": 32 / 3, "4": 8}


def test_utilisation_of_the_preset():
    """At least 95 % on jobs of eight tiles and more per side, and what one row of A leaves."""
    engine = config.load("lut_m2n64k4", ["limits.m=64", "limits.n=512", "limits.k=1024"])
    assert perf.utilisation(engine, 16, 512, 1024) > 0.95
    assert perf.utilisation(engine, 1, 512, 1024) > 0.47  # of two tables one is used


@pytest.mark.requires_tool("verilator")
def test_weights_that_stay(seed):
    """Jobs that use the B of the one before: as fast, and refused where it cannot be what is
    wanted."""
    engine = config.load("tiny_lut_serial")
    golden, rng = gemm.for_config(engine), np.random.default_rng(seed)
    with Engine(engine) as dut:
        keep = [driver.write(Register.MODE, Mode.KEEP_B), driver.write(Register.CONTROL, 1)]
        dut.access([*(driver.write(Register[name], 1) for name in "MNK"), *keep])  # there is none
        assert dut.read(Register.ERROR) == Error.MODE_NOT_BUILT_IN
        dut.write(Register.ERROR, 15)
        for each in cases(engine, seed, 12):
            job = each.job
            dut.job(job)
            for m in (1, 3, 2):
                a = values(engine.a, "random", (m, job.shape[2] * job.groups), rng)
                again = dataclasses.replace(job, a=a, c0=None, keep_b=True)
                result = dut.job(again)
                np.testing.assert_array_equal(result.c, golden(**again.arguments()))
                assert result.cycles == perf.predict(engine, *again.shape, job.b_format, job.groups)
        for register, value in ((Register.N, 1), (Register.K, 1), (WEIGHTS, 4), (GROUPS, 1)):
            dut.job(job)
            dut.write(register, value)
            dut.access(keep)
            assert dut.read(Register.ERROR) == Error.MODE_NOT_BUILT_IN, register
            dut.write(Register.ERROR, 15)
        dut.job(job)
        dut.reset()
        dut.access(keep)
        assert dut.read(Register.ERROR) == Error.MODE_NOT_BUILT_IN
