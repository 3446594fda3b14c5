"""``matweave import``: a model file to Verilog, or one line."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.requires_tool("hls4ml")

MODELS = Path(__file__).parents[2] / "shared" / "data" / "models"
JETS = MODELS / "hgq_jet_classifier.h5"


def dense(name, units, activation="linear"):
    return {
        "class_name": "Dense",
        "config": {"name": name, "units": units, "activation": activation, "use_bias": True},
    }


def keras_file(path, *layers):
    """A Keras 2 file of a Sequential model with 3 inputs, weights 0.5 and biases 0.25."""
    import h5py
    import numpy as np

    shape = {"name": "x", "batch_input_shape": [None, 3], "dtype": "float32"}
    first = {"class_name": "InputLayer", "config": shape}
    model = {"class_name": "Sequential", "config": {"name": "m", "layers": [first, *layers]}}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(model)
        size = 3
        for layer in layers:
            if layer["class_name"] == "Dense":
                name, units = layer["config"]["name"], layer["config"]["units"]
                group = file.create_group(f"model_weights/{name}/{name}")
                group["kernel:0"] = np.full((size, units), 0.5)
                group["bias:0"] = np.full(units, 0.25)
                size = units
    return path


def test_a_model_becomes_verilog_and_manifest(matweave, tmp_path):
    path = keras_file(tmp_path / "two.h5", dense("a", 4, "relu"), dense("b", 2))
    ended = matweave("import", str(path), "-o", str(tmp_path / "out"), "--stages", "3", "--json")
    assert ended.status == 0, ended.err
    result = json.loads(ended.out)
    assert result["latency"] == 3
    assert result["initiation_interval"] == 1
    assert {each.name for each in (tmp_path / "out").iterdir()} == set(result["files"])
    manifest = json.loads((tmp_path / "out" / "two.json").read_text())
    assert manifest["kind"] == "network"
    assert [each["kind"] for each in manifest["layers"]][:2] == ["input", "dense"]
    assert "module two(" in (tmp_path / "out" / "two.v").read_text()


def test_the_softmax_that_is_asked_for(matweave, tmp_path):
    path = keras_file(tmp_path / "s.h5", dense("a", 4, "softmax"))
    tables = {}
    for name in ("model", "hls4ml", "exact"):
        folder = tmp_path / name
        ended = matweave("import", str(path), "-o", str(folder), "--softmax", name)
        assert ended.status == 0, ended.err
        layers = json.loads((folder / "s.network.json").read_text())["layers"]
        tables[name] = next(each for each in layers if each["kind"] == "Softmax")["exp_table"]
    assert tables["model"] == tables["hls4ml"] != tables["exact"]
    ended = matweave("import", str(path), "-o", str(tmp_path / "no"), "--softmax", "exakt")
    assert ended.status == 2
    assert "softmax: 'exakt' is none; allowed are" in ended.err
    assert "exact" in ended.err and not (tmp_path / "no").exists()


def test_the_tables_that_are_asked_for(matweave, tmp_path):
    path = keras_file(tmp_path / "s.h5", dense("a", 4, "sigmoid"))
    found = {}
    for name in ("hls4ml", "exact"):
        folder = tmp_path / name
        ended = matweave("import", str(path), "-o", str(folder), "--tables", name)
        assert ended.status == 0, ended.err
        layers = json.loads((folder / "s.network.json").read_text())["layers"]
        found[name] = next(each for each in layers if each["kind"] == "Lookup")["contents"]
    assert found["hls4ml"] != found["exact"]
    ended = matweave("import", str(path), "-o", str(tmp_path / "no"), "--tables", "fine")
    assert ended.status == 2
    assert "tables: 'fine' is none; allowed are" in ended.err


def image_file(path):
    """A Keras 2 file of a small convolutional network for 6 × 6 pixels."""
    import h5py
    import numpy as np

    rng = np.random.default_rng(1)
    square = {"padding": "same", "data_format": "channels_last"}
    layers = [
        ("InputLayer", {"name": "x", "batch_input_shape": [None, 6, 6, 1], "dtype": "float32"}, {}),
        ("Conv2D", {"name": "conv", "filters": 2, "kernel_size": [3, 3], "strides": [1, 1],
                    "dilation_rate": [1, 1], "activation": "linear", "use_bias": True, **square},
         {"kernel": (3, 3, 1, 2), "bias": (2,)}),
        ("BatchNormalization", {"name": "norm", "axis": [3], "epsilon": 1e-3, "scale": True,
                                "center": True},
         {"gamma": (2,), "beta": (2,), "moving_mean": (2,), "moving_variance": (2,)}),
        ("Activation", {"name": "relu", "activation": "relu"}, {}),
        ("MaxPooling2D", {"name": "max", "pool_size": [2, 2], "strides": [2, 2], **square}, {}),
        ("Flatten", {"name": "flat", "data_format": "channels_last"}, {}),
        ("Dense", {"name": "dense", "units": 3, "activation": "linear", "use_bias": True},
         {"kernel": (18, 3), "bias": (3,)}),
    ]  # fmt: skip
    described = [{"class_name": kind, "config": config} for kind, config, _ in layers]
    model = {"class_name": "Sequential", "config": {"name": "m", "layers": described}}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(model)
        for _, config, weights in layers:
            name = config["name"]
            for part, shape in weights.items():
                values = np.abs(rng.normal(0, 1, shape)) + 0.1
                file[f"model_weights/{name}/{name}/{part}:0"] = np.round(values * 4) / 4
    return path


def test_an_image_comes_pixel_by_pixel(matweave, tmp_path):
    path, out = image_file(tmp_path / "cnn.h5"), tmp_path / "out"
    ended = matweave("import", str(path), "-o", str(out), "--fold", "stream", "--json")
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["initiation_interval"] == 36
    streams = json.loads((out / "cnn.json").read_text())["streams"]
    assert [streams[each]["beats"] for each in ("input", "output")] == [36, 1]
    assert [len(streams[each]["values"]) for each in ("input", "output")] == [1, 3]


def test_nothing_of_the_working_directory_is_run(matweave, tmp_path, monkeypatch):
    path = keras_file(tmp_path / "net.h5", dense("a", 2))
    for name in ("json", "h5py", "numpy", "keras", "hls4ml", "matweave"):
        (tmp_path / f"{name}.py").write_text("open('executed', 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    ended = matweave("import", path.name, "-o", "out")
    assert not (tmp_path / "executed").exists()
    assert ended.status == 0, ended.err


@pytest.mark.requires_tool("models")
def test_the_jet_classifier_is_imported(matweave, tmp_path):
    ended = matweave("import", str(JETS), "-o", str(tmp_path / "out"))
    assert ended.status == 0, ended.err
    assert "4 cycles, one sample per cycle" in ended.out


LAMBDA = {"class_name": "Lambda", "config": {"name": "evil", "function": "import os"}}


def test_layers_with_code_are_refused(matweave, tmp_path):
    path = keras_file(tmp_path / "code.h5", dense("a", 2), LAMBDA)
    ended = matweave("import", str(path), "-o", str(tmp_path / "out"))
    assert ended.status == 2
    assert ended.error == (
        "error: code.h5: layer evil (Lambda): carries code, which is not run; write it as layers"
    )
    with zipfile.ZipFile(tmp_path / "code.keras", "w") as archive:
        nested = {"class_name": "Functional", "config": {"layers": [LAMBDA]}}
        archive.writestr("config.json", json.dumps(nested))
    ended = matweave("import", str(tmp_path / "code.keras"), "-o", str(tmp_path / "out"))
    assert ended.status == 2
    assert "layer evil (Lambda): carries code" in ended.error
    assert not (tmp_path / "out").exists()


def answered(body):
    """What the child answers, if this is how it reads models."""
    code = f"import os\nfrom matweave import model_file\ndef load(**_):\n    {body}\n"
    code += "model_file.load = load\nmodel_file.main()"
    child = [sys.executable, "-P", "-c", code]
    ended = subprocess.run(child, input="{}", capture_output=True, text=True, check=True)
    return json.loads(ended.stdout), ended.stderr


def test_what_libraries_print_is_no_part_of_the_answer():
    body = "os.write(1, b'of C'); print('of Python'); raise model_file.ConfigError('wrong')"
    answer, err = answered(body)
    assert answer == {"error": "wrong"}
    assert "of C" in err
    assert "of Python" in err


@pytest.mark.parametrize(
    ("module", "packages"),
    [
        ("hls4ml", "'matweave[networks]'"),
        ("keras", "'matweave[keras]'"),
        ("jax", "'matweave[keras]'"),
        ("qonnx", "'matweave[onnx]'"),
        ("onnx", "'matweave[onnx]'"),
        ("scipy", "scipy"),
    ],
)
def test_what_is_missing_is_named(module, packages):
    raised = f"raise ModuleNotFoundError('No module named {module}', name='{module}.sub')"
    answer, _ = answered(raised)
    assert answer == {"error": f"No module named {module}: pip install {packages}"}


def test_weights_of_another_shape_name_their_layer(matweave, tmp_path):
    import h5py

    path = keras_file(tmp_path / "net.h5", dense("a", 4), dense("b", 2))
    with h5py.File(path, "a") as file:
        del file["model_weights/b/b/kernel:0"]
        file["model_weights/b/b/kernel:0"] = [[0.5, 0.5]] * 3
    ended = matweave("import", str(path), "-o", str(tmp_path / "out"))
    assert ended.status == 2
    assert "layer b: weight has the shape [3, 2]; it must be [4, 2]" in ended.error


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.txt", b"", "model.txt: is not a model file; allowed are .h5, .hdf5, .json, .keras"),
        ("model.h5", b"no HDF5", "model.h5: hls4ml cannot read it: "),
        (
            "model.pt",
            b"",
            "model.pt: is a pickle, which is code and is not run; export it",
        ),
        ("model.keras", b"no zip", "model.keras: hls4ml cannot read it: BadZipFile"),
        ("model.json", b"{}", "model.json: has no weights; give them with --weights"),
        ("always.h5", b"", "name: 'always' is a keyword of Verilog"),
        ("missing.h5", None, "there is no such file"),
    ],
)
def test_other_files_are_one_line(matweave, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    ended = matweave("import", str(tmp_path / name), "-o", str(tmp_path / "out"))
    assert ended.status == 2
    assert message in ended.error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--stages", "65"], "stages: must be 1 to 64, not 65"),
        (["--clock", "0"], "clock: must be above 0 MHz and finite, not 0"),
        (["--clock", "inf"], "clock: must be above 0 MHz and finite, not inf"),
        (["--fold", "tokens"], "fold: an input of the shape [3] has no tokens"),
        (["--fold", "all"], "fold: must be 'tokens', 'stream' or a number of cycles, not 'all'"),
        (["--clock", "5000"], "clock: no 64 stages reach a period of 0.2 ns"),
        (["--family", "xcu"], "family: 'xcu' is none; allowed are xcup, ecp5, ice40; did you mean"),
    ],
)
def test_impossible_options_are_one_line(matweave, tmp_path, options, message):
    path = keras_file(tmp_path / "one.h5", dense("a", 2))
    ended = matweave("import", str(path), "-o", str(tmp_path / "out"), *options)
    assert ended.status == 2
    assert message in ended.error


def test_a_softmax_can_be_left_out(matweave, tmp_path):
    path = keras_file(tmp_path / "tagger.h5", dense("a", 2, "softmax"))
    for options, there in (((), True), (("--logits",), False)):
        out = tmp_path / f"softmax_{there}"
        ended = matweave("import", str(path), "-o", str(out), *options)
        assert ended.status == 0, ended.err
        manifest = json.loads((out / "tagger.json").read_text())
        assert any(each["kind"] == "softmax" for each in manifest["layers"]) == there
