"""The hls4ml backend: found, bit-exact with hls4ml's C++ emulation, clear about refusals."""

import os
import re
import types
from pathlib import Path

import numpy as np
import pytest

from matweave.hw.errors import ConfigError, UserError
from matweave.hw.fixed import FixedOverflow, FixedRounding
from matweave.hw.network.reading import read
from matweave.hw.network.reading.common import format_of
from matweave.sim.golden import network as golden

pytestmark = pytest.mark.requires_tool("hls4ml", "verilator", "g++", "make")

LIVELY = (
    8,
    10,
    21,
    22,
    27,
    51,
    55,
    62,
    66,
    67,
    72,
    82,
    88,
    89,
    90,
    96,
    97,
    106,
    115,
    119,
    121,
    128,
)
"""Seeds of networks whose results all vary; of many others a saturated layer makes constants."""

MODELS = Path(__file__).parents[2] / "shared" / "data" / "models"


def precision(rng, *, least=3, most=9, signed=True):
    width = int(rng.integers(least, most + 1))
    integer = width - int(rng.integers(0, 4))
    rounding = rng.choice([each.value for each in FixedRounding])
    overflow = rng.choice([each.value for each in FixedOverflow])
    kind = "fixed" if signed or rng.integers(2) else "ufixed"
    return f"{kind}<{width},{integer},{rounding},{overflow}>"


def random_model(seed):
    """hls4ml's layers, as its front ends give them, and their configuration."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 6))
    layers = [{"class_name": "InputLayer", "name": "x", "input_shape": [size]}]
    config = {"x": {"Precision": {"result": precision(rng)}}}
    for block in range(int(rng.integers(1, 3))):
        outputs = int(rng.integers(2, 6))
        name = f"dense{block}"
        layers.append(
            {"class_name": "Dense", "name": name, "n_in": size, "n_out": outputs,
             "weight_data": rng.normal(0, 2, (size, outputs)), "use_bias": True,
             "bias_data": rng.normal(0, 2, outputs), "weight_quantizer": None,
             "bias_quantizer": None}
        )  # fmt: skip
        config[name] = {
            "Precision": {
                "weight": precision(rng, most=6), "bias": precision(rng, most=6),
                "accum": precision(rng, least=8, most=16), "result": precision(rng, least=6),
            }
        }  # fmt: skip
        if rng.integers(2):
            layers.append({"class_name": "Activation", "activation": "relu",
                           "name": f"relu{block}", "n_in": outputs})  # fmt: skip
            config[f"relu{block}"] = {"Precision": {"result": precision(rng, signed=False)}}
        if rng.integers(2):
            layers.append(
                {"class_name": "ApplyAlpha", "name": f"alpha{block}", "n_in": outputs,
                 "n_filt": -1, "scale_data": rng.normal(0, 1, outputs), "scale_quantizer": None,
                 "bias_data": rng.normal(0, 1, outputs), "bias_quantizer": None,
                 "scale_precision": None, "bias_precision": None}
            )  # fmt: skip
            config[f"alpha{block}"] = {
                "Precision": {"scale": precision(rng, most=6), "bias": precision(rng, most=6),
                              "result": precision(rng, least=6)}
            }  # fmt: skip
        size = outputs
    return layers, config


def converted(layers, config, backend, folder):
    from hls4ml.model import ModelGraph

    settings = {
        "OutputDir": str(folder), "ProjectName": "net", "Backend": backend,
        "IOType": "io_parallel", "ClockPeriod": None if backend == "Matweave" else 5, "Part": "x",
        "HLSConfig": {
            "Model": {"Precision": "fixed<16,6>", "ReuseFactor": 1, "Strategy": "Latency"},
            "LayerName": config,
        },
    }  # fmt: skip
    return ModelGraph.from_layer_list(settings, [dict(each) for each in layers])


def made_of(model, *family):
    from matweave import hls4ml_backend  # needs hls4ml

    return hls4ml_backend.made_of(model, *family)


def compare(ours, theirs, x):
    ours.compile()
    theirs.compile()
    expected = theirs.predict(x)
    assert (ours.predict(x) == expected).all()
    return expected


def emulated(seed, folder):
    layers, config = random_model(seed)
    x = np.random.default_rng(seed).normal(0, 8, (2000, layers[0]["input_shape"][0]))
    ours, theirs = (
        converted(layers, config, each, folder / each) for each in ("Matweave", "Vitis")
    )
    return compare(ours, theirs, x.astype(np.float32))


def test_a_small_network_is_what_hls4ml_emulates(tmp_path):
    results = emulated(79, tmp_path)
    assert all(len(np.unique(column)) > 15 for column in results.T)


@pytest.mark.slow
@pytest.mark.parametrize("seed", LIVELY)
def test_small_networks_are_what_hls4ml_emulates(tmp_path, seed):
    emulated(seed, tmp_path)


def dense(name, weights):
    inputs, outputs = np.shape(weights)
    return {
        "class_name": "Dense", "name": name, "n_in": inputs, "n_out": outputs, "use_bias": True,
        "weight_data": np.array(weights, float), "bias_data": np.zeros(outputs),
        "weight_quantizer": None, "bias_quantizer": None,
    }  # fmt: skip


def test_scales_of_two_bits_are_ternary_as_hls4ml_emulates(tmp_path):
    layers = [
        {"class_name": "InputLayer", "name": "x", "input_shape": [4]},
        {"class_name": "ApplyAlpha", "name": "a", "n_in": 4, "n_filt": -1,
         "scale_data": np.array([-2.0, -1, 0, 1]), "scale_quantizer": None,
         "bias_data": np.zeros(4), "bias_quantizer": None, "scale_precision": None,
         "bias_precision": None},
    ]  # fmt: skip
    config = {"a": {"Precision": {"scale": "int<2>", "bias": "fixed<4,4>"}}}
    x = np.random.default_rng(1).normal(0, 3, (200, 4)).astype(np.float32)
    ours, theirs = (
        converted(layers, config, each, tmp_path / each) for each in ("Matweave", "Vitis")
    )
    expected = compare(ours, theirs, x)
    assert len(np.unique(expected[:, 0])) > 15


def test_a_reshape_keeps_the_format_of_its_source(tmp_path):
    layers = [
        {"class_name": "InputLayer", "name": "x", "input_shape": [2, 1]},
        {"class_name": "Reshape", "name": "r", "target_shape": [2]},
        dense("d", [[1], [1]]),
    ]
    config = {"x": {"Precision": {"result": "fixed<8,4>"}},
              "r": {"Precision": {"result": "fixed<16,6>"}}}  # fmt: skip
    network = read(converted(layers, config, "Matweave", tmp_path))
    assert network["r"].result == network["x"].result
    raw = golden.quantised(np.array([[1.5, 2.0]]), network.input.result)
    assert golden.predict(network, raw) * 2.0 ** -network["d"].result.fraction == 3.5


def test_quantisers_that_are_too_wide_name_their_layer():
    node = types.SimpleNamespace(name="q", class_name="FixedPointQuantizer")
    with pytest.raises(ConfigError, match=r"layer q \(Fixed\w+\): its type: width must be 1 to 64"):
        format_of(node, 70, 3, True, "TRN", "WRAP", "its type")
    with pytest.raises(ConfigError, match=r"layer q \(Fixed\w+\): its type has the mode 'UP'"):
        format_of(node, 7, 3, True, "UP", "WRAP", "its type")


def jet_classifier(backend, folder):
    from hls4ml.converters import keras_v2_to_hls

    return keras_v2_to_hls(
        {"KerasH5": str(MODELS / "hgq_jet_classifier.h5"), "OutputDir": str(folder),
         "ProjectName": "jets", "Backend": backend, "IOType": "io_parallel", "Part": "x",
         "ClockPeriod": None if backend == "Matweave" else 5,
         "HLSConfig": {"Model": {"Precision": "ap_fixed<16,6>", "ReuseFactor": 1}}}
    )  # fmt: skip


def openml(name):
    def model(backend, folder):
        # Its layers register themselves with Keras.
        import hgq  # noqa: F401
        import hls4ml
        import keras

        return hls4ml.converters.convert_from_keras_model(
            keras.models.load_model(MODELS / name, compile=False), output_dir=str(folder),
            project_name="openml", backend=backend, io_type="io_parallel",
            hls_config={"Model": {"Precision": "ap_fixed<16,6>", "ReuseFactor": 1}},
        )  # fmt: skip

    return model


SHARED = {
    "hgq_jet_classifier.h5": jet_classifier,
    "hgq2_openml_768.keras": openml("hgq2_openml_768.keras"),
    "hgq2_openml_750.keras": openml("hgq2_openml_750.keras"),
}
HGQ2 = pytest.mark.requires_tool("keras", "hgq", "jax")


@pytest.mark.slow
@pytest.mark.requires_tool("models")
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[HGQ2] * name.endswith(".keras")) for name in SHARED],
)
def test_published_models_are_what_hls4ml_emulates(tmp_path, monkeypatch, name):
    monkeypatch.setitem(os.environ, "KERAS_BACKEND", "jax")
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(0, scale, (4000, 16)) for scale in (0.5, 2, 20, 1000)])
    ours, theirs = (SHARED[name](each, tmp_path / each) for each in ("Matweave", "Vitis"))
    results = compare(ours, theirs, x.astype(np.float32))
    assert len(np.unique(results)) > 1000


def test_files_are_written_and_results_have_the_type_of_the_inputs(tmp_path):
    layers, config = random_model(9)
    model = converted(layers, config, "Matweave", tmp_path)
    model.compile()
    assert {path.name for path in tmp_path.iterdir()} == {"net.v", "net.json"}
    x = np.zeros((3, layers[0]["input_shape"][0]))
    assert model.predict(x).dtype == np.float64
    assert model.predict(x.astype(np.float32)).dtype == np.float32
    assert model.predict(x.astype(np.float16)).dtype == np.float64  # which holds all results
    assert model.predict(x[0]).ndim == 1
    with pytest.raises(UserError, match="inputs must be finite"):
        model.predict(x * np.nan)
    with pytest.raises(ConfigError, match="trace: "):
        model.trace(x)


@pytest.mark.requires_tool("yosys")
def test_build_gives_the_reports_of_hls4ml(tmp_path):
    model = converted(*random_model(10), "Matweave", tmp_path)
    report = model.build(family="ecp5")
    core, shell = (report["Matweave"][each] for each in ("Core", "Shell"))
    assert int(report["CSynthesisReport"]["FF"]) == core["flops"] > 0
    assert int(report["CSynthesisReport"]["LUT"]) == core["luts"] + 2 * core["carries"]
    assert report["VivadoSynthReport"]["LUT"] == report["CSynthesisReport"]["LUT"]
    assert report["CSynthesisReport"]["EstimatedClockPeriod"] == str(
        made_of(model, "ecp5").manifest["estimate"]["period_ns"]
    )
    assert made_of(model, "ecp5").stages.period > 2 * made_of(model).stages.period
    assert shell["luts"] + shell["carries"] > core["luts"] + core["carries"] > 0
    assert report["CSynthesisReport"]["BestLatency"] == "2"
    with pytest.raises(ConfigError, match="did you mean 'xcup'"):
        model.build(family="xcu")


def test_a_changed_model_is_made_again(tmp_path):
    x = np.array([[1.0, 2.0], [0.5, 0.25]])
    layers = [{"class_name": "InputLayer", "name": "x", "input_shape": [2]}, dense("d", [[1], [1]])]
    model = converted(layers, {}, "Matweave", tmp_path)
    model.compile()
    assert model.predict(x).ravel().tolist() == [3.0, 0.75]
    assert made_of(model) is made_of(model)
    model.graph["d"].weights["weight"].data = np.full((2, 1), 2.0)
    with pytest.raises(UserError, match=r"^model: was changed after compile\(\); call compile"):
        model.predict(x)
    model.compile()
    assert model.predict(x).ravel().tolist() == [6.0, 1.5]


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("Stages", "2", "Stages: must be a whole number, not '2'"),
        ("Stages", 2.5, "Stages: must be a whole number, not 2.5"),
        ("Stages", True, "Stages: must be a whole number, not true"),
        ("ClockPeriod", "abc", "ClockPeriod: must be a number of ns above 0, not 'abc'"),
        ("ClockPeriod", 0, "ClockPeriod: must be a number of ns above 0, not 0"),
        ("ClockPeriod", float("nan"), "ClockPeriod: must be a number of ns above 0, not nan"),
        ("Family", ["ecp5"], "Family: must be a name, not "),
    ],
)
def test_impossible_options_are_one_line(tmp_path, option, value, message):
    import hls4ml

    model = converted(*random_model(9), "Matweave", tmp_path)
    model.config.config[option] = value
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        made_of(model)
    name = {"Stages": "stages", "ClockPeriod": "clock_period", "Family": "family"}[option]
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        hls4ml.backends.get_backend("Matweave").create_initial_config(**{name: value})


def test_what_is_not_compiled_does_not_predict(tmp_path):
    model = converted(*random_model(9), "Matweave", tmp_path)
    with pytest.raises(UserError, match="is not compiled"):
        model.predict(np.zeros((1, 2)))


X = {"class_name": "InputLayer", "name": "x", "input_shape": [4]}
REFUSED = {
    "recurrent": (
        {"class_name": "SimpleRNN", "name": "r", "n_out": 4, "n_in": 4, "n_timesteps": 1,
         "activation": "relu", "return_sequences": False, "return_state": False,
         "weight_data": np.zeros((4, 4)), "recurrent_weight_data": np.zeros((4, 4)),
         "bias_data": np.zeros(4), "recurrent_bias_data": np.zeros(4)},
        r"layer r \(SimpleRNN\): cannot be unrolled yet; allowed are Input, Activation",
    ),
    "ternary": (
        {"class_name": "Activation", "name": "t", "n_in": 4, "activation": "binary_tanh"},
        r"layer t \(Activation\): the activation binary_tanh is none of ours; allowed: elu, hard",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_other_layers_are_refused_by_name(tmp_path, kind):
    layer, message = REFUSED[kind]
    model = converted([X, layer], {}, "Matweave", tmp_path)
    with pytest.raises(ConfigError, match=message):
        model.compile()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("option", "message"),
    [({"Strategy": "Resource"}, "Strategy is resource; allowed is Latency"),
     ({"ReuseFactor": 4}, "ReuseFactor is 4; allowed is 1")],
)  # fmt: skip
def test_folded_layers_are_refused(tmp_path, option, message):
    layers, config = random_model(10)
    config["dense0"] |= option
    model = converted(layers, config, "Matweave", tmp_path)
    with pytest.raises(ConfigError, match=rf"layer dense0 \(Dense\): {message}"):
        model.write()


def test_unknown_options_are_refused():
    import hls4ml

    backend = hls4ml.backends.get_backend("Matweave")
    with pytest.raises(ConfigError, match="did you mean 'clock_period'"):
        backend.create_initial_config(clock_perid=4)
    with pytest.raises(ConfigError, match="did you mean 'ecp5'"):
        backend.create_initial_config(family="ecp")
    assert backend.create_initial_config(clock_period=4, part="x")["ClockPeriod"] == 4
