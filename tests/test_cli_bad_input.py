"""Bad input: one clear line on standard error, exit status 2, earlier results whole."""

import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from matweave.hw import source

TINY = source.presets()["tiny_os"].read_text()


@pytest.fixture
def earlier(tmp_path):
    """A folder and a file with earlier results, which no bad input may touch."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "tiny_os.v").write_text("earlier")
    (tmp_path / "c.npy").write_bytes(b"earlier")
    yield tmp_path
    assert [path.name for path in folder.iterdir()] == ["tiny_os.v"]
    assert (folder / "tiny_os.v").read_text() == "earlier"
    assert (tmp_path / "c.npy").read_bytes() == b"earlier"
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".partial")]


# Configurations (tests/hw/test_config_refusals.py has the long list)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(TINY + "x = 1\n", "array.x: unknown key", id="unknown key"),
        pytest.param(TINY.replace("rows = 2", "rows = '2'"), "not the string '2'", id="wrong type"),
        pytest.param(TINY.replace('"tiny_os"', '"a;b"'), "is not a name", id="semicolon"),
        pytest.param(TINY.replace('"tiny_os"', '"../x"'), "is not a name", id="parent folder"),
        pytest.param(TINY.replace('"tiny_os"', r'"a\nb"'), "is not a name", id="newline"),
        pytest.param(TINY.replace('"tiny_os"', '"module"'), "is a keyword", id="keyword"),
        pytest.param(TINY.replace("rows = 2", "rows = 0"), "0 is out of range", id="zero"),
        pytest.param(TINY.replace("rows = 2", "rows = -1"), "-1 is out of range", id="negative"),
        pytest.param(TINY.replace("rows = 2", "rows = 1000000"), "out of range", id="absurd"),
        pytest.param(
            TINY + "[pe]\nkind = 'booth'\n[accumulator]\nwidth = 20\noverflow = 'saturate'\n",
            "booth cannot saturate inside the array output_stationary",
            id="PE and array",
        ),
        pytest.param("PK\3\4 this is a zip", "is not TOML", id="not TOML"),
        pytest.param("", "kind: is missing", id="empty"),
    ],
)
@pytest.mark.parametrize("command", ["generate", "test", "run"])
def test_a_bad_configuration(matweave, earlier, command, text, message):
    file = earlier / "engine.toml"
    file.write_text(text)
    arguments = {
        "generate": ["-o", earlier / "out"],
        "test": ["-o", earlier / "out"],
        "run": ["--a", "a.npy", "--b", "b.npy", "-o", earlier / "c.npy"],
    }[command]
    ended = matweave(command, file, *arguments)
    assert ended.status == 2
    assert ended.error.startswith(f"error: {file}: ")
    assert message in ended.error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate", "tiny_oss", "-o", "out"], "did you mean 'tiny_os'?"),
        (["generate", "none.toml", "-o", "out"], "none.toml: does not exist"),
        (
            ["generate", "tiny_os", "-o", "out", "--set", "rows"],
            "is not of the form key.path=value",
        ),
        (["generate", "tiny_os"], "Missing option '--output'"),
        (["generate"], "Missing"),
        (["genrate"], "No such command 'genrate'"),
        (["generate", "tiny_os", "--colour"], "No such option"),
        (["test", "tiny_os", "--simulator", "verilog"], "did you mean 'verilator'?"),
        (["test", "tiny_os", "--cases", "many"], "'--cases'"),
        (["test", "tiny_os", "--cases", "0"], "'--cases'"),
        (["test"], "Missing"),
    ],
)
def test_a_bad_command_line(matweave, earlier, monkeypatch, arguments, message):
    monkeypatch.chdir(earlier)
    ended = matweave(*arguments)
    assert ended.status == 2
    assert message in ended.error


# Places that cannot be written


@pytest.mark.parametrize("target", ["/dev/null", "/dev/null/x", "c.npy", "c.npy/below"])
def test_a_folder_that_cannot_be_written(matweave, earlier, monkeypatch, target):
    monkeypatch.chdir(earlier)
    ended = matweave("generate", "tiny_os", "-o", target)
    assert ended.status == 2
    assert "is not a folder" in ended.error


@pytest.mark.parametrize("target", ["/dev/null", "out", "none/c.npy", "c.npy/c.npy"])
def test_a_file_that_cannot_be_written_is_told_before_the_work(
    matweave, earlier, monkeypatch, target
):
    monkeypatch.chdir(earlier)
    ended = matweave("run", "tiny_os", "--a", "a.npy", "--b", "b.npy", "-o", target)
    assert ended.status == 2
    assert ended.err.count("\n") == 1
    assert ended.error.startswith(f"error: {target}: ")


# Matrices


class Trap:
    """Leaves a mark if somebody unpickles it."""

    def __reduce__(self):
        return (os.mkdir, ("unpickled",))


def terabytes(path):
    header = "{'descr': '<i8', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    padded = header.ljust(117) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode())


def huge_header(path):
    path.write_bytes(b"\x93NUMPY\x02\x00" + (2**32 - 1).to_bytes(4, "little") + b"{" * 100)


def huge_shape(path):
    header = "{'descr': '|i1', 'fortran_order': False, 'shape': (" + "9" * 4000 + ", 1), }\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())


def negative_shape(path):
    header = "{'descr': '|i1', 'fortran_order': False, 'shape': (-1, -1), }\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())


def truncated(path):
    np.save(path, np.zeros((16, 16), np.int8))
    path.write_bytes(path.read_bytes()[:-1])


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"")


def array(value, dtype=None):
    return lambda path: np.save(path, np.array(value, dtype))


BAD_MATRICES = {
    "missing": (lambda path: None, "does not exist"),
    "a folder": (lambda path: path.mkdir(), "is not a regular file"),
    "a pipe": (os.mkfifo, "is not a regular file"),
    "empty file": (lambda path: path.touch(), "is not an .npy file"),
    "text": (lambda path: path.write_text("1 2 3"), "is not an .npy file"),
    "npz": (zipped, "is not an .npy file"),
    "truncated": (truncated, "claims 16 × 16 elements, more than the file holds"),
    "terabytes": (terabytes, "claims 1000000 × 1000000 elements, more than the file holds"),
    "huge header": (huge_header, "is not an .npy file"),
    "huge shape": (huge_shape, "elements, more than the file holds"),
    "negative shape": (negative_shape, "every size must be at least 1"),
    "pickle": (array([[Trap()]], object), "has elements of type object; allowed are integers"),
    "floats": (array([[1.0] * 3]), "has elements of type float64; allowed are integers"),
    "NaN": (array([[np.nan] * 3]), "has elements of type float64; allowed are integers"),
    "booleans": (array([[True] * 3]), "has elements of type bool; allowed are integers"),
    "complex": (array([[1j] * 3]), "has elements of type complex128"),
    "strings": (array([["1"] * 3]), "allowed are integers"),
    "records": (array([(1, 2)], "i4,i4"), "allowed are integers"),
    "one dimension": (array([1, 2, 3]), "is 3; it must be M × K"),
    "three dimensions": (array([[[1, 2, 3]]]), "is 1 × 1 × 3; it must be M × K"),
    "a number": (array(3), "is a single number; it must be M × K"),
    "no rows": (array(np.zeros((0, 3), int)), "is 0 × 3; every size must be at least 1"),
    "too many rows": (array(np.zeros((17, 3), int)), "M is 17; tiny_os takes 1 to 16 (limits.m)"),
    "too large": (array([[0, 128, 0]]), "element [0, 1] is 128; allowed are -128 to 127"),
    "too small": (array([[0, 0], [0, -129]]), "element [1, 1] is -129; allowed are -128 to 127"),
    "unsigned": (array([[2**64 - 1]], np.uint64), f"is {2**64 - 1}; allowed are -128 to 127"),
}


@pytest.mark.parametrize("kind", BAD_MATRICES)
def test_a_bad_matrix(matweave, earlier, monkeypatch, kind):
    make, message = BAD_MATRICES[kind]
    monkeypatch.chdir(earlier)
    make(earlier / "a.npy")
    np.save("b.npy", np.zeros((3, 4), np.int8))
    ended = matweave("run", "tiny_os", "--a", "a.npy", "--b", "b.npy", "-o", "c.npy")
    assert ended.status == 2
    assert message in ended.error
    assert len(ended.error) < 300
    assert not (earlier / "unpickled").exists()


def test_a_header_that_claims_terabytes_allocates_nothing(earlier):
    terabytes(earlier / "a.npy")
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31));"
        "from matweave.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["run", "tiny_os", "--a", "a.npy", "--b", "a.npy", "-o", "c.npy"]
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=earlier,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    assert ended.returncode == 2
    assert "claims 1000000 × 1000000 elements" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("b", np.zeros((4, 4), int), "B b.npy: is 4 × 4; it must be 3 × N"),
        ("b", np.zeros((3, 17), int), "N is 17; tiny_os takes 1 to 16 (limits.n)"),
        ("b", np.full((3, 4), 200), "B b.npy: element [0, 0] is 200; allowed are -128 to 127"),
        ("c0", np.zeros((2, 3), int), "C0 c0.npy: is 2 × 3; it must be 2 × 4"),
        ("c0", np.full((2, 4), 2**31), f"is {2**31}; allowed are {-(2**31)} to {2**31 - 1}"),
        ("bias", np.zeros(3, int), "bias bias.npy: is 3; it must be 4"),
        ("bias", np.zeros((1, 4), int), "bias bias.npy: is 1 × 4; it must be 4"),
        ("bias", np.full(4, -(2**31) - 1), f"is {-(2**31) - 1}; allowed are"),
        ("multiplier", np.zeros(3, int), "--multiplier multiplier.npy: is 3; it must be 4"),
        ("multiplier", np.full(4, 2**31), f"is {2**31}; allowed are 0 to {2**31 - 1}"),
        ("shift", np.full(4, 63), "element [0] is 63; allowed are 0 to 62"),
        ("shift", np.full(4, 0.5), "has elements of type float64; allowed are integers"),
    ],
)
def test_a_bad_companion_of_a(matweave, earlier, monkeypatch, name, value, message):
    monkeypatch.chdir(earlier)
    good = {
        "a": np.zeros((2, 3), np.int8), "b": np.zeros((3, 4), np.int8),
        "c0": np.zeros((2, 4), np.int32), "bias": np.zeros(4, np.int32),
        "multiplier": np.ones(4, np.int32), "shift": np.ones(4, np.int8),
    }  # fmt: skip
    arguments = []
    for key, array in (good | {name: value}).items():
        np.save(f"{key}.npy", array)
        arguments += [f"--{key}", f"{key}.npy"]
    ended = matweave("run", "tiny_os", *arguments, "-o", "c.npy")
    assert ended.status == 2
    assert message in ended.error


@pytest.mark.parametrize(
    ("overrides", "arguments", "message"),
    [
        ([], ["--multiplier", "1"], "--multiplier and --shift are needed together"),
        ([], ["--shift", "1"], "--multiplier and --shift are needed together"),
        ([], ["--zero-point", "1"], "--zero-point needs --multiplier and --shift"),
        ([], ["--multiplier", "-1", "--shift", "1"], "--multiplier: -1 is out of range"),
        ([], ["--multiplier", "9" * 5000, "--shift", "1"], "is out of range"),
        ([], ["--multiplier", "1", "--shift", "63"], "--shift: 63 is out of range"),
        ([], ["--multiplier", "1.5", "--shift", "1"], "--multiplier 1.5: does not exist"),
        (
            [], ["--multiplier", "1", "--shift", "1", "--zero-point", "65536"],
            "--zero-point: 65536 is out of range; allowed are -65536 to 65535",
        ),
        (["output.mode=requantized"], [],
         "--multiplier and --shift are needed: tiny_os requantizes"),
        (["output.mode=raw"], ["--multiplier", "1", "--shift", "1"], "gives raw results only"),
        (["output.scale=tensor"], ["--multiplier", "m.npy", "--shift", "1"],
         "--multiplier: 'm.npy' is not an integer; this engine has one scale per tensor"),
    ],
)  # fmt: skip
def test_a_bad_scale(matweave, earlier, monkeypatch, overrides, arguments, message):
    monkeypatch.chdir(earlier)
    np.save("a.npy", np.zeros((3, 3), np.int8))
    sets = [part for each in overrides for part in ("--set", each)]
    operands = ["--a", "a.npy", "--b", "a.npy", "-o", "c.npy"]
    ended = matweave("run", "tiny_os", *operands, *sets, *arguments)
    assert ended.status == 2
    assert message in ended.error
    assert len(ended.error) < 300


# Mistakes of ours, and how to see where


def test_an_unexpected_error_is_one_line_and_not_status_2(matweave, earlier, monkeypatch):
    from matweave.hw import emit

    def fail(_):
        raise KeyError("x\ny")

    monkeypatch.setattr(emit, "generate", fail)
    ended = matweave("generate", "tiny_os", "-o", earlier / "out")
    assert ended.status == 3
    assert ended.error.startswith("internal error: KeyError: ")


@pytest.mark.parametrize("way", ["option", "environment"])
def test_a_traceback_is_shown_on_request(matweave, earlier, monkeypatch, way):
    if way == "environment":
        monkeypatch.setenv("MATWEAVE_DEBUG", "1")
    options = ["--debug"] if way == "option" else []
    ended = matweave(*options, "generate", "tiny_so", "-o", earlier / "out")
    assert ended.status == 2
    assert "Traceback" in ended.err
    assert ended.err.splitlines()[-1].startswith("matweave: error: tiny_so: ")
