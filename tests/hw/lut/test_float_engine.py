"""Lookup engines with floating-point activations, compiled: bit by bit against the golden model,
with predicted cycles; through the command line, and layers of them."""

import dataclasses
import json
from fractions import Fraction

import numpy as np
import pytest

from matweave.hw import config, emit
from matweave.hw.weights import Coding
from matweave.sim import perf
from matweave.sim.cases import VALUES, cases, formats_up_to, values
from matweave.sim.golden import gemm
from matweave.sim.golden.operands import same
from matweave.sim.jobs import Job
from matweave.sim.native import Engine
from matweave.sim.packed import NotFinite, PackedLayer

PRESET = "tiny_lut_fp16"
SERIAL = "array={rows=2, columns=4, k=4, sign=3, planes='serial'}"
PLAIN = ["zero_points='none'", "groups=1"]


@pytest.mark.requires_tool("verilator")
@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["a='bf16'", "b='uint4'", SERIAL],
        pytest.param(["b='int4'", "array={rows=1, columns=2, k=5, sign=1}", *PLAIN],
                     marks=pytest.mark.slow),
        pytest.param(["b='ternary'", "accumulator.format='fp16'", *PLAIN], marks=pytest.mark.slow),
        pytest.param(["a='bf16'", "b='binary'", "array.columns=4", *PLAIN],
                     marks=pytest.mark.slow),
        pytest.param(["a='bf16'", "b='uint8'", "accumulator.format='bf16'"],
                     marks=pytest.mark.slow),
        pytest.param(["b='uint8'", SERIAL, "accumulator.format='fp16'", *PLAIN],
                     marks=pytest.mark.slow),
        pytest.param(["b='uint3'", "array={rows=3, columns=4, k=6, sign=5}"],
                     marks=pytest.mark.slow),
    ],
    ids=str,
)  # fmt: skip
def test_compiled(overrides, seed):
    engine = config.load(PRESET, overrides)
    golden, fill = gemm.for_config(engine), np.random.default_rng(seed)
    finite = total = 0
    with Engine(engine) as dut:
        for job in [*extremes(engine, fill), *(case.job for case in cases(engine, seed, 300))]:
            result = dut.job(job, fill=fill)
            wanted = golden(**job.arguments())
            assert same(result.c, wanted)
            assert result.cycles == perf.predict(engine, *job.shape, job.b_format, job.groups)
            finite, total = finite + np.isfinite(wanted).sum(), total + wanted.size
    assert 0.3 < finite / total < 0.95, "both kinds are there"


def extremes(engine, rng):
    """Every class of A against every class of B, format of B and both ends of zero points; alone,
    and with C0 and bias that leave something of it."""
    m, n, k = engine.geometry.m + 1, engine.geometry.n + 1, engine.geometry.k + 1
    for format in formats_up_to(engine.b.width) if engine.serial else [engine.b]:
        zeros = [None]
        if engine.subtracts_zeros and format.coding is Coding.ASYMMETRIC:
            zeros += [np.zeros(n, int), np.full(n, 1 << format.width)]
        for a in VALUES:
            for b in ("lowest", "highest", "random"):
                for each in zeros:
                    job = Job(
                        values(engine.a, a, (m, k), rng), values(format, b, (k, n), rng),
                        zeros=each, b_format=format if engine.serial else None, relu=b == "random",
                    )  # fmt: skip
                    yield job.checked(engine)


@pytest.mark.requires_tool("verilator")
def test_weights_that_stay(seed):
    engine = config.load(PRESET)
    golden, rng = gemm.for_config(engine), np.random.default_rng(seed)
    with Engine(engine) as dut:
        for each in cases(engine, seed, 8):
            dut.job(each.job)
            a = values(engine.a, "random", (3, each.job.a.shape[1]), rng)
            again = dataclasses.replace(each.job, a=a, c0=None, keep_b=True)
            assert same(dut.job(again).c, golden(**again.arguments()))


def test_the_manifest_names_the_formats():
    files = emit.generate(config.load(PRESET)).files
    told = json.loads(files[f"{PRESET}.json"])
    assert told["formats"] == {
        "a": "fp16", "b": "uint2", "accumulator": "fp32", "result": "fp32", "output": None,
    }  # fmt: skip
    streams = {name: (each["format"], each["lane_width"]) for name, each in told["streams"].items()}
    assert (streams["a"], streams["c0"], streams["c"]) == (
        ("fp16", 16), ("fp32", 32), ("fp32", 32)
    )  # fmt: skip
    assert "a code of fp32, added to channel n" in files[f"{PRESET}_regs.md"]


@pytest.mark.requires_tool("verilator")
def test_run(matweave, tmp_path):
    """Files of float16 in, float32 out; what is no number of the format is refused."""
    rng = np.random.default_rng(5)
    engine = config.load(PRESET)
    a, bias = rng.normal(size=(3, 9)).astype(np.float16), rng.normal(size=5).astype(np.float32)
    b = rng.integers(0, 4, (9, 5))
    paths = {name: tmp_path / f"{name}.npy" for name in ("a", "b", "bias", "c")}
    for name, array in (("a", a), ("b", b), ("bias", bias)):
        np.save(paths[name], array)
    files = [f"--{name}={paths[name]}" for name in ("a", "b", "bias")]
    ended = matweave("run", PRESET, *files, "-o", str(paths["c"]), "--json")
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["checked"]
    c = np.load(paths["c"])
    assert c.dtype == np.float32 and same(c, gemm.for_config(engine)(a, b, bias=bias))
    for array, message in (
        (np.full((3, 9), 0.1), "must be numbers of fp16; element (0, 0), 0.1, is none"),
        (np.ones((3, 9), int), "has elements of type int64; allowed are floating-point numbers"),
    ):
        np.save(paths["a"], array)
        ended = matweave("run", PRESET, *files, "-o", str(paths["c"]))
        assert ended.status == 2 and message in ended.err and ended.err.count("\n") == 1


def test_a_layer_is_scaled_exactly():
    """Groups, parts of them and offsets; the engine's sums are rounded, what is done to them is
    not."""
    engine = config.load(PRESET)
    rng = np.random.default_rng(6)
    n, k, group = 5, 64, 32  # longer than the engine's 16
    codes, scales = rng.integers(0, 4, (n, k)), rng.normal(size=(n, 2))
    offsets, zeros = rng.normal(size=(n, 2)), rng.integers(0, 5, (n, 2))
    layer = PackedLayer(engine.b, codes, group, scales, zeros, offsets)
    a = values(engine.a, "random", (3, k), rng)
    golden, sums = gemm.for_config(engine), {}

    def run(job):
        return golden(**job.arguments())

    found = layer.multiply(engine, a, run)
    for part in layer.parts(engine):
        c = run(layer.job(engine, a, part))
        sums[part.k0] = c, part.g0
    assert len(sums) == 4
    for m in range(3):
        for column in range(n):
            exact = sum(
                Fraction(float(c[m, column])) * Fraction(scales[column, g])
                for c, g in sums.values()
            )
            for g in range(2):
                of_group = a[m, g * group : (g + 1) * group]
                exact += sum(Fraction(float(x)) for x in of_group) * Fraction(offsets[column, g])
            assert found.integers[m, column] * Fraction(2) ** found.exponent == exact
    a[1, 3] = np.inf
    with pytest.raises(NotFinite, match="infinite or NaN in fp"):
        layer.multiply(engine, a, run)
