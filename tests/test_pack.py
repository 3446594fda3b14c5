"""``matweave pack`` and ``matweave run --layer``: files of quantised weights, against what their
own packages make of them, in exact arithmetic."""

import json
from fractions import Fraction

import numpy as np
import pytest

from matweave import packing, weight_file
from matweave.hw import config
from matweave.hw.weights import NAMES, WeightFormat
from matweave.sim.cases import values
from matweave.sim.golden import gemm
from matweave.sim.packed import PackedLayer

reads_gguf = pytest.mark.requires_tool("gguf")
reads_safetensors = pytest.mark.requires_tool("safetensors")

TYPES = ("Q4_0", "Q4_1", "Q8_0", "TQ1_0", "TQ2_0")
N, K = 5, 512
ENGINE = ("tiny_lut_serial", ["b='uint8'", "limits={m=16, n=16, k=40}"])
"""Weights of any format; groups of more than 40 are cut."""
SETS = [f"--set={each}" for each in ENGINE[1]]


def small(rng, count, signed=True):
    """Scales that are exact in float16, as are sums of them and of their small multiples in
    float32."""
    least = -255 if signed else 1
    return (rng.integers(least, 256, count) / 64).astype(np.float16)


def blocks_of(kind: str, rng) -> np.ndarray:
    """Rows of random blocks (N × bytes), each code somewhere."""
    import gguf

    elements, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
    count = N * K // elements
    if kind.startswith("TQ"):  # no digit 3, nor what is no digit
        x = rng.integers(-1, 2, (N, K)).astype(np.float32)
        x[:, ::elements] = 1
        data = gguf.quants.quantize(x, gguf.GGMLQuantizationType[kind]).reshape(count, size)
        place = size - 2
    else:
        data, place = rng.integers(0, 256, (count, size), dtype=np.uint8), 0
    data[:, place : place + 2] = small(rng, count)[:, None].view(np.uint8).reshape(count, 2)
    if kind == "Q4_1":
        data[:, 2:4] = small(rng, count)[:, None].view(np.uint8).reshape(count, 2)
    return data.reshape(N, -1)


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory):
    import gguf

    path = tmp_path_factory.mktemp("gguf") / "layers.gguf"
    writer, rng = gguf.GGUFWriter(path, "test"), np.random.default_rng(1)
    for kind in TYPES:
        data = blocks_of(kind, rng)
        writer.add_tensor(kind.lower(), data, raw_dtype=gguf.GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def activations(rng, rows, k):
    a = values(config.load("tiny_lut").a, "random", (rows, k), rng)
    a[0] = -128
    return a


def exact(a, w) -> list:
    """``a @ w.T`` in fractions; every float is one."""
    return [[sum(Fraction(float(y)) * int(x) for x, y in zip(row, column, strict=True))
             for column in w] for row in a]  # fmt: skip


def check_rounded(found, expected):
    nearest = [[float(each) for each in row] for row in expected]
    np.testing.assert_array_equal(found, nearest)


@reads_gguf
@pytest.mark.parametrize("kind", TYPES)
def test_a_gguf_layer_is_what_the_package_says(matweave, tmp_path, gguf_file, kind):
    import gguf

    data = next(
        each.data for each in gguf.GGUFReader(gguf_file).tensors if each.name == kind.lower()
    )
    w = gguf.quants.dequantize(data, gguf.GGMLQuantizationType[kind])
    assert w.shape == (N, K)
    folder = tmp_path / "layer"
    ended = matweave("pack", ENGINE[0], *SETS, str(gguf_file), "--tensor", kind.lower(),
                     "-o", str(folder), "--json")  # fmt: skip
    assert ended.status == 0, ended.err
    assert {each.name for each in folder.iterdir()} == set(json.loads(ended.out)["files"])
    settings = config.load(*ENGINE)
    layer = packing.load(folder, settings)
    a = activations(np.random.default_rng(2), 3, K)
    golden = gemm.for_config(settings)
    found = layer.multiply(settings, a, lambda job: golden(**job.arguments()))
    expected = exact(a, w)
    for row, wanted in zip(found.integers, expected, strict=True):
        assert [Fraction(int(y)) * Fraction(2) ** found.exponent for y in row] == wanted
    check_rounded(found.rounded(), expected)


@reads_gguf
@pytest.mark.requires_tool("verilator")
@pytest.mark.parametrize("kind", ["Q4_0", "TQ2_0"])
def test_a_layer_runs_on_the_engine(matweave, tmp_path, gguf_file, kind):
    import gguf

    data = next(
        each.data for each in gguf.GGUFReader(gguf_file).tensors if each.name == kind.lower()
    )
    folder, a = tmp_path / "layer", activations(np.random.default_rng(3), 2, K)
    np.save(tmp_path / "a.npy", a)
    tensor = ["--tensor", kind.lower(), "-o", str(folder)]
    assert matweave("pack", ENGINE[0], *SETS, str(gguf_file), *tensor).status == 0
    ended = matweave("run", ENGINE[0], *SETS, "--a", str(tmp_path / "a.npy"), "--layer",
                     str(folder), "-o", str(tmp_path / "y.npy"), "--json")  # fmt: skip
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["checked"]
    w = gguf.quants.dequantize(data, gguf.GGMLQuantizationType[kind])
    check_rounded(np.load(tmp_path / "y.npy"), exact(a, w))


# GPTQ and AWQ


def gptq_words(codes, bits):
    """Codes (rows × K) packed along K as AutoGPTQ does it: the words are the rows."""
    rows = []
    for row in codes:
        stream = sum(int(code) << bits * place for place, code in enumerate(row))
        count = len(row) * bits // 32
        rows.append([stream >> 32 * word & 0xFFFF_FFFF for word in range(count)])
    return np.array(rows, np.uint32).view(np.int32)


def awq_words(codes):
    """Codes (rows × N) in AutoAWQ's order: nibble i of a word is of column order[i]."""
    order = (0, 2, 4, 6, 1, 3, 5, 7)
    groups = codes.reshape(len(codes), -1, 8)
    words = sum(groups[:, :, order[i]].astype(np.uint32) << np.uint32(4 * i) for i in range(8))
    return words.view(np.int32)


def saved(path, **tensors):
    from safetensors.numpy import save_file

    whole = {f"model.q_proj.{name}": np.ascontiguousarray(each) for name, each in tensors.items()}
    save_file(whole, path)
    return str(path)


@reads_safetensors
@pytest.mark.parametrize(
    ("layout", "bits", "ordered"),
    [
        ("gptq", 4, True), ("gptq-wrap", 4, True), ("gptq-v2", 4, False), ("gptq", 3, True),
        ("gptq", 2, False), ("gptq", 8, True), ("awq", 4, True),
    ],
)  # fmt: skip
def test_gptq_and_awq(matweave, tmp_path, layout, bits, ordered):
    rng, n, k, group = np.random.default_rng(bits), 32, 64, 32
    most = (1 << bits) - 1
    codes = rng.integers(0, most, (n, k), endpoint=True)
    stored = rng.integers(0, most, (k // group, n), endpoint=True)
    stored[:, 0], stored[:, 1] = 0, most  # both ends
    scales = small(rng, (k // group, n))
    zeros = {"gptq": stored + 1, "gptq-wrap": (stored + 1) % (most + 1)}.get(layout, stored)
    of_group = np.arange(k) // group
    if not ordered:
        of_group = rng.permutation(of_group)
    if layout == "awq":
        tensors = {"qweight": awq_words(codes.T), "qzeros": awq_words(stored)}
    else:
        tensors = {"qweight": gptq_words(codes, bits).T, "qzeros": gptq_words(stored, bits)}
        tensors["g_idx"] = of_group.astype(np.int32)
    path = saved(tmp_path / "model.safetensors", scales=scales, **tensors)
    engine = ("tiny_lut_serial", [f"b='uint{bits}'", "limits={m=4, n=24, k=64}"])
    sets = [f"--set={each}" for each in engine[1]]
    folder = tmp_path / "out"
    ended = matweave("pack", engine[0], *sets, path, "--layout", layout, "-o", str(folder))
    assert ended.status == 0, ended.err
    settings = config.load(*engine)
    a = activations(rng, 2, k)
    golden = gemm.for_config(settings)
    layer = packing.load(folder, settings)
    found = layer.multiply(settings, a, lambda job: golden(**job.arguments()))
    # w = (q - z) * s, by the definition of both formats.
    w = (codes - zeros.T[:, of_group]) * scales.T[:, of_group].astype(np.float64)
    check_rounded(found.rounded(), exact(a, w))


@pytest.mark.parametrize("name", [each for each in NAMES if each != "uint1"])
def test_arrays_of_every_format(matweave, tmp_path, name):
    rng, format = np.random.default_rng(4), WeightFormat.parse(name)
    weights = values(format, "random", (3, 12), rng)
    np.save(tmp_path / "w.npy", weights)
    scales = rng.normal(size=(3, 2)).astype(np.float32)
    np.save(tmp_path / "s.npy", scales)
    engine = ["tiny_lut_serial", "--set=b='uint8'"]
    files = [str(tmp_path / "w.npy"), "--format", name, "--scales", str(tmp_path / "s.npy")]
    ended = matweave("pack", *engine, *files, "-o", str(tmp_path / "out"), "--json")
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["format"] == name
    layer = packing.load(tmp_path / "out", config.load("tiny_lut_serial", ["b='uint8'"]))
    np.testing.assert_array_equal(layer.weights, weights)
    np.testing.assert_array_equal(layer.scales, scales)


# What is refused


def one_line(err: str) -> str:
    """The error; before it there may be progress."""
    (line,) = (each for each in err.splitlines() if each.startswith("matweave: "))
    assert err.endswith(line + "\n")
    return line


def refused(matweave, *arguments) -> str:
    ended = matweave("pack", *arguments)
    assert (ended.status, ended.out) == (2, ""), ended
    return one_line(ended.err)


@reads_gguf
@reads_safetensors
def test_files_that_are_not_what_they_say(matweave, tmp_path, gguf_file):
    data = gguf_file.read_bytes()
    out = ["-o", str(tmp_path / "out")]

    def broken(content, suffix=".gguf", *more):
        path = tmp_path / f"broken{suffix}"
        path.write_bytes(content)
        return refused(matweave, "tiny_lut", str(path), *more, *out)

    for content in (b"", b"GGUF", data[:100], data[: len(data) // 2], bytes(200)):
        assert "broken.gguf" in broken(content)
    assert "--tensor: there are several" in broken(data)
    assert "x is none of them" in broken(data, ".gguf", "--tensor", "x")
    assert "--layout" in broken(data, ".gguf", "--layout", "gptq")
    assert "is not a file of weights" in broken(data, ".pt")
    assert "broken.safetensors" in broken(data, ".safetensors", "--layout", "awq")
    assert "--layout: is needed" in broken(data, ".safetensors")
    assert "there is no such file" in refused(matweave, "tiny_lut", "none.gguf", *out)
    assert "weights are int4 and those of tiny_lut are int2" in broken(
        data, ".gguf", "--tensor", "q4_0"
    )
    assert not (tmp_path / "out").exists()


@reads_safetensors
def test_tensors_that_do_not_fit_together(matweave, tmp_path):
    words, scales = np.zeros((8, 8), np.int32), np.ones((2, 8), np.float16)
    good = {"qweight": words, "qzeros": np.zeros((2, 1), np.int32), "scales": scales}
    out = ["--layout", "gptq", "-o", str(tmp_path / "out")]
    nan = scales.copy()
    nan[1, 3] = np.nan
    for change, message in [
        ({"qzeros": np.zeros((2, 3), np.int32)}, "do not have the same columns"),
        ({"qzeros": np.zeros((3, 1), np.int32)}, "groups do not divide"),
        ({"qweight": np.zeros((8, 9), np.int32)}, "do not have the same columns"),
        ({"qweight": np.zeros((8, 8), np.float32)}, "must be a matrix of int32"),
        ({"qweight": np.zeros(8, np.int32)}, "must be a matrix of int32"),
        ({"scales": nan}, "scales are not all finite"),
        ({"scales": scales.astype(np.int32)}, "must be a matrix of floats"),
        ({"g_idx": np.zeros(64, np.int32)}, "must have every group"),
        ({"g_idx": np.zeros(3, np.int32)}, "must be 64 integers"),
    ]:
        path = saved(tmp_path / "model.safetensors", **good | change)
        assert message in refused(matweave, "tiny_lut_serial", path, *out), message
    path = saved(tmp_path / "model.safetensors", **good)
    assert "needs zero_points = 'channel'" in refused(
        matweave, "tiny_lut_serial", path, "--set=zero_points='none'", *out
    )
    assert matweave("pack", "tiny_lut_serial", path, *out).status == 0


def test_a_ternary_weight_that_is_none():
    block = np.full((1, 66), 0xFF, np.uint8)
    assert weight_file._tq2_0(block)[1].max() == 2  # which _gguf refuses


def test_an_engine_that_looks_nothing_up(matweave, tmp_path):
    """It is refused before anything is read: there is no such file."""
    arguments = ("none.gguf", "-o", str(tmp_path / "out"))
    assert "gemm_os_8x8 is no lookup engine: its kind is gemm" in refused(
        matweave, "gemm_os_8x8", *arguments
    )
    assert "output.mode is requantized" in refused(
        matweave, "tiny_lut", "--set=output.mode='requantized'", *arguments
    )


def test_a_folder_that_was_changed(matweave, tmp_path):
    np.save(tmp_path / "w.npy", np.ones((4, 8), int))
    np.save(tmp_path / "s.npy", np.ones((4, 1)))
    np.save(tmp_path / "a.npy", np.ones((1, 8), int))
    files = [str(tmp_path / "w.npy"), "--format", "int2", "--scales", str(tmp_path / "s.npy")]
    folder = tmp_path / "out"
    assert matweave("pack", "tiny_lut", *files, "-o", str(folder)).status == 0

    def run(*arguments):
        ended = matweave("run", *arguments, "--a", str(tmp_path / "a.npy"), "--layer", str(folder),
                         "-o", str(tmp_path / "y.npy"))  # fmt: skip
        assert ended.status == 2, ended
        return one_line(ended.err)

    assert "was packed for 'tiny_lut' in another configuration" in run("tiny_lut_serial")
    assert "nothing else is done to its results" in run("tiny_lut", "--relu")
    assert "exactly one of --b and --layer" in run("tiny_lut", "--b", "x.npy")
    data = (folder / "weights.bin").read_bytes()
    (folder / "weights.bin").write_bytes(data[:-1])
    assert "is not as it was packed: weights.bin has" in run("tiny_lut")
    (folder / "weights.bin").write_bytes(data)
    about = json.loads((folder / "layer.json").read_text())
    (folder / "layer.json").write_text(json.dumps(about | {"n": -1}))
    assert "is not as it was packed" in run("tiny_lut")
    (folder / "layer.json").write_text(json.dumps(about | {"group": 0}))
    assert "is not as it was packed" in run("tiny_lut")
    for changes in ({"n": [0, 3]}, {"k": [0, 4]}, {"n": [1, 5]}, {"beat": 1}):
        (folder / "layer.json").write_text(
            json.dumps(about | {"jobs": [about["jobs"][0] | changes, *about["jobs"][1:]]})
        )
        message = "is not as it was packed: jobs are not those of a layer with N = 4, K = 8"
        assert message in run("tiny_lut")
    (folder / "layer.json").write_text(json.dumps(about | {"jobs": []}))
    assert "is not as it was packed" in run("tiny_lut")
    for broken in ("{", "[" * 200_000):
        (folder / "layer.json").write_text(broken)
        assert "cannot be read" in run("tiny_lut")
    (folder / "layer.json").write_text(json.dumps(about))
    (folder / "weights.bin").unlink()
    assert "is not as it was packed" in run("tiny_lut")


@pytest.mark.parametrize("scales", [[1e300, 1e-300], [5e-324, 3e-320], [1.7e308, 1e308], [0, 0]])
def test_scales_of_any_size_are_rounded_once(scales):
    settings = config.load("tiny_lut")
    weights = np.array([[1, -2, 1, 1], [-1, -2, -2, -2]])
    layer = PackedLayer(settings.b, weights, 2, np.array([scales] * 2))
    a = np.array([[3, 5, -7, 1], [3, 1, 4, 0]])
    found = layer.multiply(settings, a, lambda job: job.expected(settings)).rounded()
    for row, of_a in enumerate(a.tolist()):
        for column, of_w in enumerate(weights.tolist()):
            terms = zip(of_a, of_w, np.repeat(scales, 2).tolist(), strict=True)
            exact = sum(x * y * Fraction(scale) for x, y, scale in terms)
            try:
                expected = float(exact)
            except OverflowError:
                expected = np.inf if exact > 0 else -np.inf
            assert found[row, column] == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"group": 3}, "groups of 3 do not divide K"),
        ({"scales": np.ones((2, 3))}, "scales must be 2 × 2"),
        ({"scales": np.full((2, 2), np.inf)}, "scales must be finite"),
        ({"zeros": np.ones((2, 2), int)}, "weights of int4 have no zero points"),
        ({"order": np.zeros(4, int)}, "order must have every element"),
        ({"weights": np.full((2, 4), 8)}, "b must be -8 to 7"),
    ],
)
def test_layers_that_are_none(changes, message):
    good = {"weights": np.ones((2, 4), int), "group": 2, "scales": np.ones((2, 2))}
    with pytest.raises(ValueError, match=message):
        PackedLayer(WeightFormat.parse("int4"), **good | changes)


def test_a_binary_weight_that_is_none(matweave, tmp_path):
    np.save(tmp_path / "a.npy", np.ones((2, 8), int))
    np.save(tmp_path / "b.npy", np.zeros((8, 4), int))
    files = ["--a", str(tmp_path / "a.npy"), "--b", str(tmp_path / "b.npy")]
    sets = ["--set=b='binary'", "--set=array.columns=8", "-o", str(tmp_path / "c.npy")]
    ended = matweave("run", "tiny_lut", *sets, *files)
    assert ended.status == 2, ended
    assert "b must be -1 or 1" in one_line(ended.err)
