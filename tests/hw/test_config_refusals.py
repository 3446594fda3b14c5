"""Bad configurations: each is refused with one line that tells where, what and what instead."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matweave.hw import config, names, source
from matweave.hw.errors import ConfigError

GOOD = """\
kind = "gemm"
name = "x"
a = "int8"
b = "int8"
[limits]
m = 16
n = 16
k = 16
[array]
kind = "output_stationary"
rows = 4
columns = 4
"""


def refusal(path, *overrides) -> str:
    with pytest.raises(ConfigError) as caught:
        config.load(path, overrides)
    message = str(caught.value)
    assert message.isprintable()
    assert message.isascii()
    assert len(message) < 500
    return message


@pytest.fixture
def file(tmp_path):
    def write(text: str | bytes):
        path = tmp_path / "engine.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_the_good_one_is_good(file):
    assert config.load(file(GOOD)).name == "x"


# Messages


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("nam=x", "nam: unknown key; allowed are kind, name, a, b, limits, array, pe, accumulator, "
                  "output; did you mean 'name'?"),
        ("array.rwos=3", "array.rwos: unknown key; allowed are kind, rows, columns, tile_rows, "
                         "tile_columns; did you mean 'rows'?"),
        ("output.zero=3", "output.zero: unknown key; allowed are mode, format, rounding, scale, "
         "multiplier_stages"),
        ("array.rows=0", "array.rows: 0 is out of range; allowed are 1 to 256"),
        ("array.rows=-8", "array.rows: -8 is out of range; allowed are 1 to 256"),
        ("array.rows=8.0",
         "array.rows: must be an integer, not the float 8.0; allowed are 1 to 256"),
        ("array.rows=true",
         "array.rows: must be an integer, not the boolean true; allowed are 1 to 256"),
        ("array.rows=\"8\"",
         "array.rows: must be an integer, not the string '8'; allowed are 1 to 256"),
        ("array.rows=[8]", "array.rows: must be an integer, not an array; allowed are 1 to 256"),
        ("array.rows={a=1}", "array.rows: must be an integer, not a table; allowed are 1 to 256"),
        ("limits.k=nan", "limits.k: must be an integer, not the float nan; allowed are 1 to 65536"),
        ("limits.k=-inf",
         "limits.k: must be an integer, not the float -inf; allowed are 1 to 65536"),
        ("limits.k=2024-01-01",
         "limits.k: must be an integer, not a date or time; allowed are 1 to 65536"),
        ("array=5", "array: must be a table, not an integer"),
        ("limits=\"big\"", "limits: must be a table, not a string"),
        ("pe=[]", "pe: must be a table, not an array"),
        ("array.kind=systolic", "array.kind: 'systolic' is not an array; allowed are "
         "output_stationary, weight_stationary, matrix, tree, cube, digit_serial"),
        ("array.kind=Cube", "array.kind: 'Cube' is not an array; allowed are output_stationary, "
         "weight_stationary, matrix, tree, cube, digit_serial; did you mean 'cube'?"),
        ("array={rows=2}", "array.kind: is missing; allowed are output_stationary, "
         "weight_stationary, matrix, tree, cube, digit_serial"),
        ("a=int17", "a: 'int17' is not a number format; allowed are int2 to int16 and uint2 to "
         "uint16; did you mean 'int7'?"),
        ("a=8", "a: 8 is not a number format; allowed are int2 to int16 and uint2 to uint16"),
        ("accumulator.width=49",
         "accumulator.width: 49 is out of range; allowed are 'exact' and 2 to 48"),
        ("accumulator.overflow=clip",
         "accumulator.overflow: 'clip' is not an overflow; allowed are wrap, saturate"),
        ("output.rounding=half_upp", "output.rounding: 'half_upp' is not a rounding; allowed are "
         "floor, truncate, half_up, half_even, half_away, tflite_double; did you mean 'half_up'?"),
        ("output.mode=requantised", "output.mode: 'requantised' is not an output mode; allowed are "
         "raw, requantized, both; did you mean 'requantized'?"),
        ("output.scale=[]", "output.scale: an array is not a scale; allowed are channel, tensor"),
        ("kind=gem",
         "kind: 'gem' is not an engine; allowed are gemm, lut, attention, encoder; did you mean "
         "'gemm'?"),
        ("array.tile_columns=5",
         "array.tile_columns: 5 is more than columns, which is 4; allowed are 1 to 4"),
    ],
)  # fmt: skip
def test_a_message_tells_where_what_and_what_instead(file, override, message):
    path = file(GOOD)
    assert refusal(path, override) == f"{path}: {message}"


def test_of_several_mistakes_the_first_is_told_and_the_others_counted(file):
    message = refusal(file(GOOD), "limits={m=0, n=0}")
    assert message.endswith("limits.m: 0 is out of range; allowed are 1 to 65536 (and 2 more)")


def test_a_misspelt_key_is_told_before_the_missing_one(file):
    message = refusal(file(GOOD.replace("rows = 4", "row = 4")))
    assert "array.row: unknown key" in message
    assert "did you mean 'rows'?" in message


def test_a_missing_key_is_named(file):
    assert refusal(file(GOOD.replace('a = "int8"', ""))).endswith(": a: is missing")
    assert ": kind: is missing; allowed are gemm, lut" in refusal(file(""))


def test_an_unknown_preset_gets_the_nearest_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = refusal("gemm_os8x8")
    assert message == (
        "gemm_os8x8: is neither a preset nor a file; `matweave list` names the presets; "
        "did you mean 'gemm_os_8x8'?"
    )


# Names


@pytest.mark.parametrize(
    "name",
    ["", "1x", "_x", "x-y", "x y", "x;y", "../x", "/x", "x/y", "..", "x\n", "\nx", "x\ny", "x\0",
     "x\ty", "`include", "$x", "\\x", "x.v", "é", "xé", "ｘ", "x\u202ey", "a" * 64, "x'", 'x"',
     "x\r", " x", "x ", "x{}", "%s"],
    ids=ascii,
)  # fmt: skip
def test_a_name_is_of_one_small_alphabet(file, name):
    assert names.refusal(name)
    # As TOML's own escapes, so that the name reaches the check as it is.
    escaped = "".join(f"\\U{ord(character):08x}" for character in name)
    message = refusal(file(GOOD.replace('"x"', f'"{escaped}"')))
    assert "name: " in message
    assert "is not a name; allowed are 1 to 63 ASCII letters" in message


@pytest.mark.parametrize(
    "name",
    ["module", "Module", "MODULE", "begin", "wire", "logic", "always_ff", "interface", "uwire",
     "entity", "downto", "std", "signal", "Process", "clk", "CLK", "rst", "Rst"],
)  # fmt: skip
def test_keywords_and_ports_are_not_names_in_any_case(file, name):
    if name == "std":
        assert names.refusal(name) is None  # a library, not a keyword
        return
    assert "choose another name" in refusal(file(GOOD), f"name={name}")


@pytest.mark.parametrize("name", ["x", "X", "a1", "A_b_9", "gemm", "a" * 63, "clk_gen", "modules"])
def test_other_names_are_fine(file, name):
    assert config.load(file(GOOD), [f"name={name}"]).name == name


@pytest.mark.parametrize("name", [5, 1.5, True, [], {}])
def test_a_name_is_a_string(file, name):
    tables = source.read(file(GOOD))[1] | {"name": name}
    with pytest.raises(ConfigError, match="name: must be a string, not"):
        config.from_tables(tables)


# Files


@pytest.mark.parametrize(
    "text",
    ["a = ", "= 3", "[array", "x = 1\nx = 2", "\x00", "<html>", '{"json": 1}', "a = 'b", "a = 01",
     "[a]\n[a]", "a.b = 1\na = 2", "a = 1e", b"\xff\xfe", b"name = '\xe9'", b"PK\x03\x04",
     "a = " + "9" * 5000],
    ids=lambda text: ascii(text[:12]),
)  # fmt: skip
def test_a_file_that_is_not_toml(file, text):
    assert ": is not TOML: " in refusal(file(text))


def test_a_file_of_64_kib_is_read_and_a_larger_one_is_not(file):
    filled = GOOD + "#" * (source.MAX_BYTES - len(GOOD))
    assert config.load(file(filled)).name == "x"
    assert refusal(file(filled + "#")).endswith("is larger than the 64 KiB allowed")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(".".join("a" * 30_000) + " = 1", id="dotted key"),
        pytest.param("[" + ".".join("a" * 30_000) + "]", id="dotted table"),
        pytest.param("a = " + "[" * 60_000, id="arrays"),
        pytest.param("a = " + "[" * 10_000 + "]" * 10_000, id="closed arrays"),
        pytest.param("a = " + "{a=" * 15_000, id="tables"),
        pytest.param('"#" . ' + " . ".join("a" * 15_000) + " = 1", id="after a quoted #"),
    ],
)
def test_deep_nesting_is_refused_without_cost(file, text):
    start = time.perf_counter()
    assert "nested more deeply than the 64 levels" in refusal(file(text))
    assert time.perf_counter() - start < 1


def test_many_shallow_keys_cost_little(file):
    text = "".join(f"k{i}.a = 1\n" for i in range(4_000))
    start = time.perf_counter()
    assert "unknown key" in refusal(file(GOOD.replace("[limits]", text + "[limits]")))
    assert time.perf_counter() - start < 2


def test_a_huge_integer_is_told_by_its_size(file):
    text = GOOD.replace("rows = 4", "rows = 0x" + "f" * 30_000)
    assert "an integer of 120000 bits is out of range" in refusal(file(text))
    text = GOOD.replace('"output_stationary"', "0x" + "f" * 30_000)
    assert "an integer of 120000 bits is not an array" in refusal(file(text))


def test_a_path_that_is_no_file(tmp_path):
    assert refusal(tmp_path / "none.toml").endswith("none.toml: does not exist")
    assert refusal(tmp_path).endswith("is not a regular file")
    assert refusal(tmp_path / "a\nb.toml").endswith("a\\nb.toml: does not exist")
    assert "preset" in refusal("x\0y")
    assert "cannot be read: File name too long" in refusal_tail("a" * 5000 + ".toml")


def refusal_tail(path):
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    return str(caught.value)


# Overrides


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("array.rows", "is not of the form key.path=value"),
        ("", "is not of the form key.path=value"),
        ("=3", "is not a dotted key"),
        ("array..rows=3", "is not a dotted key"),
        ("array.rows\n=3", None),
        ("ar ray.rows=3", "is not a dotted key"),
        ("name.first=x", "name is a value, not a table"),
        ("array.rows.x=3", "array.rows is a value, not a table"),
        (".".join("a" * 65) + "=3", "is not of the form key.path=value"),
    ],
)
def test_an_override_that_is_none(file, override, message):
    if message is None:
        assert config.load(file(GOOD), [override]).array.rows == 3
        return
    found = refusal(file(GOOD), override)
    assert found.startswith("--set ")
    assert found.endswith(message)


def test_overrides_are_toml_or_else_strings(file):
    path = file(GOOD)
    assert config.load(path, ["array.rows=0x10"]).array.rows == 16
    assert config.load(path, ["name=other"]).name == "other"
    assert config.load(path, ['name="other"']).name == "other"
    assert config.load(
        path, ["accumulator.width=24", "accumulator.width=exact"]
    ).accumulator.width == ("exact")
    assert config.load(path, ["pe={kind='mac'}"]).pe.kind == "mac"


def test_an_override_cannot_smuggle_a_second_key_in(file):
    message = refusal(file(GOOD), "array.rows=4\nname='evil'")
    assert "array.rows: must be an integer, not the string" in message


# Random ones: the figures that `make regress` asks for are these tests' numbers of examples.

SIDE = st.integers(1, 32)
ARRAY = st.one_of(
    st.fixed_dictionaries(
        {"kind": st.just("output_stationary"), "rows": SIDE, "columns": SIDE},
        optional={"tile_rows": st.just(1), "tile_columns": st.just(1)},
    ),
    st.fixed_dictionaries({"kind": st.just("weight_stationary"), "rows": SIDE, "columns": SIDE}),
    st.fixed_dictionaries(
        {"kind": st.just("matrix"), "rows": SIDE, "columns": SIDE},
        optional={"pipeline": st.integers(0, 2)},
    ),
    st.fixed_dictionaries({"kind": st.just("tree"), "columns": SIDE, "depth": SIDE}),
    st.fixed_dictionaries(
        {"kind": st.just("cube"), "rows": SIDE, "columns": SIDE, "depth": st.integers(1, 8)}
    ),
)
FORMAT = st.builds("{}int{}".format, st.sampled_from(["", "u"]), st.integers(2, 16))
ROUNDING = st.sampled_from(["floor", "truncate", "half_up", "half_even", "half_away"])
VALID = st.fixed_dictionaries(
    {
        "kind": st.just("gemm"),
        "name": st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,62}", fullmatch=True).filter(
            lambda name: names.refusal(name) is None
        ),
        "a": FORMAT,
        "b": FORMAT,
        "limits": st.fixed_dictionaries({key: st.integers(1, 2048) for key in "mnk"}),
        "array": ARRAY,
    },
    optional={
        "pe": st.just({"kind": "mac"}),
        "accumulator": st.fixed_dictionaries(
            {},
            optional={
                "width": st.one_of(st.just("exact"), st.integers(32, 48)),
                "overflow": st.sampled_from(["wrap", "saturate"]),
            },
        ),
        "output": st.fixed_dictionaries(
            {},
            optional={
                "mode": st.sampled_from(["raw", "requantized", "both"]),
                "format": FORMAT,
                "rounding": ROUNDING,
                "scale": st.sampled_from(["channel", "tensor"]),
                "multiplier_stages": st.integers(1, 2),
            },
        ),
    },
)

ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.floats(),
        st.text(),
        st.integers(),
        st.integers(-(2**300), 2**300),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=4,
)
NOT_A_SIZE = st.one_of(
    st.booleans(), st.floats(), st.text(), st.integers(max_value=0), st.integers(65_537),
    st.lists(st.integers()), st.none(), st.dictionaries(st.text(), st.integers()),
)  # fmt: skip
NOT_A_WORD = st.one_of(
    ANYTHING.filter(lambda value: not isinstance(value, str)), st.text(max_size=2)
)


def spoilt(path, value):
    return st.tuples(st.just(path), value)


SPOILT = st.one_of(
    *(spoilt(("limits", key), NOT_A_SIZE) for key in "mnk"),
    spoilt(("array", "columns"), NOT_A_SIZE),
    spoilt(("array", "kind"), NOT_A_WORD),
    spoilt(("array", "surprise"), ANYTHING),
    spoilt(("surprise",), ANYTHING),
    spoilt(("kind",), NOT_A_WORD),
    spoilt(("a",), NOT_A_WORD),
    spoilt(("b",), NOT_A_WORD),
    spoilt(("name",), ANYTHING.filter(lambda v: not isinstance(v, str) or bool(names.refusal(v)))),
    spoilt(("output", "rounding"), NOT_A_WORD),
    spoilt(("output", "scale"), NOT_A_WORD),
    spoilt(("output", "surprise"), ANYTHING),
    spoilt(("pe", "kind"), NOT_A_WORD),
    spoilt(("accumulator", "overflow"), NOT_A_WORD),
    spoilt(
        ("accumulator", "width"), st.one_of(st.integers(49), st.integers(max_value=3), st.floats())
    ),
    spoilt(("limits",), st.one_of(st.just({}), st.integers(), st.text(), st.none())),
    spoilt(("array",), st.one_of(st.just({}), st.integers(), st.text(), st.none())),
)


@settings(max_examples=250, deadline=None)
@given(VALID)
def test_valid_configurations_are_accepted_and_read_back(tables):
    loaded = config.from_tables(tables)
    again = config.from_tables(loaded.canonical())
    assert again == loaded
    assert again.hash == loaded.hash
    assert loaded.cost.refusal() is None


@settings(max_examples=250, deadline=None)
@given(VALID, SPOILT)
def test_bad_configurations_are_refused_in_one_line(tables, spoil):
    path, value = spoil
    table = tables
    for key in path[:-1]:
        table = table.setdefault(key, {})
    table[path[-1]] = value
    with pytest.raises(ConfigError) as caught:
        config.from_tables(tables)
    assert str(caught.value).isprintable()
    assert str(caught.value).isascii()
    assert len(str(caught.value)) < 500
