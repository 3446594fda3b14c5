"""What a configuration means, and that sizes, caps and parts that do not fit are refused."""

import hashlib
import json
import pickle
import subprocess
import sys
import time

import jsonschema
import pydantic
import pytest

from matweave.hw import array_tables, catalog, config, cost, source
from matweave.hw.errors import ConfigError
from matweave.hw.floats import BF16, FP16, FP32
from matweave.hw.formats import Format, Overflow, Rounding
from matweave.hw.geometry import Geometry, Stationary

PRESETS = list(source.presets())


def refused(origin="gemm_os_8x8", *overrides):
    """The message with which the configuration is refused; always one printable line."""
    with pytest.raises(ConfigError) as caught:
        config.load(origin, overrides)
    message = str(caught.value)
    assert message.isprintable()
    assert message.isascii()
    return message


# What presets there are


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_loads_under_its_own_name_and_fits_the_schema(name):
    loaded = config.load(name)
    assert loaded.name == name
    jsonschema.validate(loaded.canonical(), config.schema())


def test_there_is_a_preset_for_every_array_and_every_pe():
    loaded = [config.load(name) for name in config.presets(config.GemmConfig)]
    assert {config.load(name).kind for name in PRESETS} == set(config.ENGINES)
    gemm = [each for each in loaded if each.kind == "gemm"]
    assert {each.array.kind for each in gemm} == set(config.ARRAYS)
    assert {each.pe.kind for each in gemm} == set(catalog.pes())


# What a configuration means


@pytest.mark.parametrize(
    ("name", "geometry"),
    [
        ("gemm_os_8x8", Geometry(Stationary.OUTPUT, 8, 8, 1)),
        ("gemm_matrix_8x8", Geometry(Stationary.OUTPUT, 8, 8, 1)),
        ("gemm_cube_4x4x4", Geometry(Stationary.OUTPUT, 4, 4, 4)),
        ("lut_m2n64k4", Geometry(Stationary.OUTPUT, 2, 64, 4)),
        ("gemm_ws_8x8", Geometry(Stationary.WEIGHT, 1, 8, 8)),
        ("gemm_tree_8x8", Geometry(Stationary.WEIGHT, 1, 8, 8)),
        ("gemm_tree1d_16", Geometry(Stationary.WEIGHT, 1, 1, 16)),
        ("tiny_os", Geometry(Stationary.OUTPUT, 2, 3, 1)),
        ("tiny_ws", Geometry(Stationary.WEIGHT, 1, 2, 3)),
        ("tiny_cube", Geometry(Stationary.OUTPUT, 2, 3, 2)),
        ("tiny_tree", Geometry(Stationary.WEIGHT, 1, 2, 3)),
        ("gemm_opt4e_8x8", Geometry(Stationary.OUTPUT, 8, 8, 1)),
    ],
)
def test_geometry(name, geometry):
    assert config.load(name).geometry == geometry


def test_values_have_the_types_that_rtl_and_golden_model_use():
    loaded = config.load("gemm_mixed_4x12")
    assert (loaded.a, loaded.b) == (Format(4, signed=False), Format(12))
    assert loaded.output.format == Format(8, signed=False)
    assert loaded.output.rounding is Rounding.HALF_EVEN
    assert loaded.accumulator.overflow is Overflow.SATURATE
    assert loaded.accumulator_format == Format(24)
    assert loaded.result_format == Format(32)


@pytest.mark.parametrize(
    ("overrides", "accumulator", "result"),
    [
        (["limits.k=255"], 23, 32),
        (["limits.k=256"], 24, 32),
        (["accumulator.width=32"], 32, 32),
        (["accumulator.width=33"], 33, 64),
        (["a=uint16", "b=uint16", "limits.k=65536", "limits.n=8"], 49, 64),
    ],
)
def test_accumulator_and_result_formats(overrides, accumulator, result):
    loaded = config.load("gemm_os_8x8", overrides)
    assert (loaded.accumulator_format, loaded.result_format) == (
        Format(accumulator),
        Format(result),
    )


@pytest.mark.parametrize(
    ("kind", "sides", "tile"),
    [
        ("output_stationary", (8, 8), (1, 4)),
        ("output_stationary", (8, 3), (1, 3)),
        ("weight_stationary", (8, 8), (4, 4)),
        ("weight_stationary", (2, 3), (2, 3)),
        ("weight_stationary", (5, 7), (4, 4)),
    ],
)
def test_tiles_by_default(kind, sides, tile):
    array = f"array={{kind='{kind}', rows={sides[0]}, columns={sides[1]}}}"
    loaded = config.load("gemm_os_8x8", [array])
    assert (loaded.array.tile_rows, loaded.array.tile_columns) == tile


def test_the_hash_is_of_the_meaning_not_of_the_spelling(tmp_path):
    spelt_out = tmp_path / "a.toml"
    spelt_out.write_text(
        "name = 'x'\nkind = 'gemm'\nb = 'int8'\na = \"int8\"\narray.kind = 'matrix'\n"
        "array.columns = 0x8\narray.rows = 8\nlimits = { k = 16, n = 16, m = 16 }\n"
        "output = { mode = 'both', scale = 'channel' }\n"
    )
    short = tmp_path / "b.toml"
    short.write_text(
        "kind='gemm'\nname='x'\na='int8'\nb='int8'\n[limits]\nm=16\nn=16\nk=16\n"
        "[array]\nkind='matrix'\nrows=8\ncolumns=8\n"
    )
    one, other = config.load(spelt_out), config.load(str(short))
    assert one == other
    text = json.dumps(one.canonical(), sort_keys=True, separators=(",", ":"))
    assert one.hash == other.hash == hashlib.sha256(text.encode()).hexdigest()
    assert one.hash != config.load(short, ["array.rows=7"]).hash


def test_a_configuration_cannot_be_changed():
    loaded = config.load("tiny_os")
    with pytest.raises(pydantic.ValidationError):
        loaded.name = "other"
    with pytest.raises(pydantic.ValidationError):
        loaded.array.rows = 3


def test_loading_needs_neither_amaranth_nor_numpy():
    code = (
        "import sys; from matweave.hw import config; config.load('gemm_os_8x8');"
        "print([m for m in ('amaranth', 'numpy', 'typer') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


# Bounds


def bound(key, low, high):
    return [
        pytest.param(key, low, True, id=f"{key}={low}"),
        pytest.param(key, low - 1, False, id=f"{key}={low - 1}"),
        pytest.param(key, high, True, id=f"{key}={high}"),
        pytest.param(key, high + 1, False, id=f"{key}={high + 1}"),
    ]


@pytest.mark.parametrize(
    ("key", "value", "good"),
    [
        *bound("array.rows", 1, array_tables.MAX_SIDE),
        *bound("array.columns", 4, array_tables.MAX_SIDE)[2:],
        *bound("limits.m", 1, config.MAX_LIMIT),
        *bound("limits.n", 1, config.MAX_LIMIT),
        *bound("limits.k", 1, config.MAX_LIMIT),
        *bound("accumulator.width", 16, config.MAX_ACCUMULATOR),
        *bound("array.tile_rows", 1, 8),
        *bound("array.tile_columns", 1, 8),
    ],
)
def test_sizes_are_bounded(key, value, good):
    if good:
        config.load("gemm_os_8x8", [f"{key}={value}"])
    else:
        assert key in refused("gemm_os_8x8", f"{key}={value}")


@pytest.mark.parametrize(
    ("key", "value", "good"),
    [
        *bound("array.depth", 1, array_tables.MAX_DEPTH),
        *bound("array.pipeline", 0, array_tables.MAX_PIPELINE),
    ],
)
def test_sizes_of_a_cube_are_bounded(key, value, good):
    if good:
        config.load("gemm_cube_4x4x4", [f"{key}={value}"])
    else:
        assert key in refused("gemm_cube_4x4x4", f"{key}={value}")


@pytest.mark.parametrize(
    ("field", "cap"),
    [
        ("multipliers", cost.MAX_MULTIPLIERS),
        ("buffer_bits", cost.MAX_BUFFER_BITS),
        ("stream_bits", cost.MAX_STREAM_BITS),
    ],
)
def test_a_cost_at_its_cap_is_allowed_and_one_more_is_not(field, cap):
    nothing = {"multipliers": 1, "buffer_bits": 1, "stream_bits": 1}
    assert cost.Cost(**nothing | {field: cap - 1}).refusal() is None
    assert cost.Cost(**nothing | {field: cap}).refusal() is None
    table, reason = cost.Cost(**nothing | {field: cap + 1}).refusal()
    assert str(cap + 1) in reason and table in ("array", "limits")


def cube(rows, columns, depth):
    return f"array={{kind='cube', rows={rows}, columns={columns}, depth={depth}}}"


def test_as_many_multipliers_as_allowed_and_one_row_more():
    assert config.load("tiny_os", [cube(32, 32, 64)]).cost.multipliers == cost.MAX_MULTIPLIERS
    assert "multipliers are needed" in refused("tiny_os", cube(33, 32, 64))
    largest = config.load("tiny_os", ["array.rows=256", "array.columns=256"])
    assert largest.cost.multipliers == cost.MAX_MULTIPLIERS


def test_as_wide_a_stream_as_allowed_and_one_row_more():
    wide = ["a=int16", "b=int8"]
    assert config.load("tiny_os", [*wide, cube(16, 4, 64)]).cost.stream_bits == 16_384
    assert "stream" in refused("tiny_os", *wide, cube(17, 4, 64))


def test_as_large_buffers_as_allowed_and_one_more():
    largest = ["limits.m=1", "limits.n=1024"]
    low, high = 1, config.MAX_LIMIT
    while low < high:  # the largest k that the cap admits, by bisection
        k = (low + high + 1) // 2
        try:
            config.load("gemm_os_8x8", [*largest, f"limits.k={k}"])
            low = k
        except ConfigError:
            high = k - 1
    assert config.load("gemm_os_8x8", [*largest, f"limits.k={low}"]).cost.buffer_bits <= (
        cost.MAX_BUFFER_BITS
    )
    assert "bits of buffers" in refused("gemm_os_8x8", *largest, f"limits.k={low + 1}")


def test_an_absurd_size_is_refused_at_once():
    config.load("gemm_os_8x8")
    start = time.perf_counter()
    refused("gemm_os_8x8", "array.rows=1000000", "array.columns=1000000")
    refused("gemm_os_8x8", "limits.m=65536", "limits.n=65536", "limits.k=65536")
    assert time.perf_counter() - start < 0.1


# What does not fit together


MODULAR = [
    name for name, pe in catalog.pes().items() if not pe.saturates_in_array and not pe.arrays
]
SERIAL = catalog.fitting("digit_serial")


@pytest.mark.parametrize("pe", SERIAL)
def test_serial_pes_work_only_in_their_array(pe):
    message = refused("gemm_os_8x8", f"pe.kind={pe}")
    assert f"pe.kind: {pe} works only in the array digit_serial; allowed in output_" in message
    config.load("tiny_opt4c", [f"pe.kind={pe}"])
    wide = [f"pe.kind={pe}", "accumulator.width=20", "accumulator.overflow=saturate"]
    assert f"pe.kind: {pe} cannot saturate inside" in refused("tiny_opt4c", *wide)


def test_other_pes_do_not_work_in_the_serial_array():
    for pe in sorted(set(catalog.pes()) - set(SERIAL)):
        message = refused("tiny_opt4c", f"pe.kind={pe}")
        assert f"pe.kind: {pe} does not work in the array digit_serial; allowed" in message


@pytest.mark.parametrize("pe", MODULAR)
@pytest.mark.parametrize("preset", ["gemm_os_8x8", "gemm_matrix_8x8", "gemm_cube_4x4x4"])
def test_a_pe_that_only_wraps_cannot_saturate_in_the_array(pe, preset):
    saturating = [f"pe.kind={pe}", "accumulator.width=20", "accumulator.overflow=saturate"]
    message = refused(preset, *saturating)
    assert f"pe.kind: {pe} cannot saturate inside" in message
    config.load(preset, [*saturating, "accumulator.overflow=wrap"])
    config.load(preset, [*saturating, "accumulator.width=exact"])
    config.load(preset, [*saturating, "pe.kind=mac"])


@pytest.mark.parametrize("pe", MODULAR)
@pytest.mark.parametrize("preset", ["gemm_ws_8x8", "gemm_tree_8x8"])
def test_it_may_where_the_accumulator_is_outside_of_it(pe, preset):
    saturating = [f"pe.kind={pe}", "accumulator.width=20", "accumulator.overflow=saturate"]
    config.load(preset, saturating)


def test_the_double_rounding_of_tflite_needs_32_bits():
    config.load("gemm_os_8x8", ["output.rounding=tflite_double", "accumulator.width=32"])
    wide = ["output.rounding=tflite_double", "accumulator.width=33"]
    assert "output.rounding: tflite_double" in refused("gemm_os_8x8", *wide)
    config.load("gemm_os_8x8", [*wide, "output.mode=raw"])


def test_an_accumulator_holds_at_least_one_product():
    message = refused("gemm_mixed_4x12", "accumulator.width=15")
    assert "accumulator.width: 15 bits do not hold one product of uint4 and int12" in message
    config.load("gemm_mixed_4x12", ["accumulator.width=16"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("b=int5", "b: 'int5' is not a format of weights; allowed are binary, ternary, int2, int3"),
        ("zero_points=channel", "zero_points: weights of int3 have no zero points; allowed is 'no"),
        ("array.planes=both", "array.planes: 'both' is not an order of planes; allowed are paral"),
        ("a=uint8", "a: 'uint8' is not a format of activations; allowed are int2 to int16, fp16, "),
        (
            "accumulator.width=30",
            "accumulator.width: 30 is not a width of this engine's sums; allowed are exact",
        ),
        ("array.sign=4", "array.sign: 4 is no element of 4; allowed are 0 to 3"),
        ("array.k=7", "array.k: 7 is out of range; allowed are 2 to 6"),
        ("array.columns=1", "array.columns: a beat of B, 4 weights of 3 bits, must be whole bytes"),
        ("array.kind=cube", "array.kind: 'cube' is not an array of this engine; allowed are look"),
        ("pe.kind=mac", "pe.kind: 'mac' is not a PE of this engine; allowed are table"),
        (
            "a=fp32",
            "a: 'fp32' is not a format of activations; allowed are int2 to int16, fp16, bf16",
        ),
        (
            "a=bf16",
            "output.mode: results of bf16 activations are not requantised; set output.mode ",
        ),
        ("array.depth=4", "array.depth: unknown key; allowed are kind, rows, columns, k, sign"),
        ("accumulator.format=fp16", "accumulator.format: is of sums of floats, and a is int8"),
    ],
)
def test_a_lookup_engine_refuses_what_does_not_fit(override, message):
    assert message in refused("tiny_lut", "b=int3", "array.columns=8", override)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "accumulator.format=bf16",
            "accumulator.format: bf16 has not all numbers of fp16; allowed ",
        ),
        ("accumulator.format=fp64", "accumulator.format: 'fp64' is not a format of sums of floats"),
        (
            "accumulator.overflow=saturate",
            "accumulator.overflow: sums of fp16 activations that are",
        ),
        ("output.mode=both", "output.mode: results of fp16 activations are not requantised"),
        ("b=fp16", "b: 'fp16' is not a format of weights"),
    ],
)
def test_floats_refuse_what_they_have_not(override, message):
    assert message in refused("tiny_lut_fp16", override)


def test_formats_of_floats():
    loaded = config.load("tiny_lut_fp16")
    assert loaded.floats and not config.load("tiny_lut").floats
    assert (loaded.a, loaded.accumulator_format) == (FP16, FP32)
    assert loaded.result_format == loaded.bias_format == FP32
    narrow = config.load("tiny_lut_fp16", ["a=bf16", "accumulator.format=bf16"])
    assert (narrow.a, narrow.result_format) == (BF16, BF16)
    message = refused("gemm_os_8x8", "a=fp16")
    assert "a: 'fp16' has floating-point numbers, which only A of a lookup engine" in message


# The JSON Schema


def test_the_schema_is_one_and_refuses_what_the_loader_refuses():
    schema = config.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    good = config.load("gemm_os_8x8").canonical()
    for key, value in [("nmae", "x"), ("name", "1x"), ("a", "int17"), ("array", {"kind": "ring"})]:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(good | {key: value}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(good | {"pe": {"kind": "abacus"}}, schema)
    lut = config.load("tiny_lut").canonical()
    for key, value in [("a", "uint8"), ("b", "int5"), ("b", "uint16"), ("b", "int1")]:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(lut | {key: value}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(lut | {"accumulator": {"width": 30}}, schema)
    for value in ("binary", "ternary", "uint1", "int8"):
        jsonschema.validate(lut | {"b": value}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(good | {"limits": {"m": 0, "n": 1, "k": 1}}, schema)


# The catalogue of PEs


def test_a_file_with_facts_is_a_pe_and_others_are_not(tmp_path):
    pe = tmp_path / "pe.py"
    pe.write_text(
        'import nothing\nFACTS = {"name": "x", "title": "X", "summary": "y.", "new": 1}\n'
    )
    assert catalog.read_facts(pe) == catalog.PeFacts("x", "X", "y.", saturates_in_array=True)
    pe.write_text("raise SystemExit\n")
    assert catalog.read_facts(pe) is None


def test_the_plain_pe_and_the_booth_pe_are_there():
    assert {"mac", "booth"} <= set(catalog.pes())


# Options of PEs


@pytest.mark.parametrize("value", [3, 0, True, 4.0, "4", [4]])
def test_an_option_is_one_of_its_values_and_of_their_type(value):
    message = refused("tiny_opt2", f"pe.lanes={json.dumps(value)}")
    assert "pe.lanes: " in message and "allowed are 1, 2, 4, 8" in message
    assert config.load("tiny_opt2", ["pe.lanes=8"]).pe.options["lanes"] == 8


def test_an_option_belongs_to_its_pe():
    assert "unknown key; allowed are kind" in refused("tiny_os", "pe.encode='a'")


def test_a_configuration_goes_to_another_process():
    for name in ("gemm_os_8x8", "gemm_opt4c_8x8", "tiny_lut"):
        loaded = config.load(name)
        assert pickle.loads(pickle.dumps(loaded)) == loaded
