"""The hls4ml backend: found, bit-exact with hls4ml's C++ emulation, clear about refusals."""

import json
import os
import re
import types
from pathlib import Path

import numpy as np
import pytest

from matweave.hw.errors import ConfigError, UserError
from matweave.hw.network.reading import read
from matweave.hw.network.reading.common import format_of
from matweave.sim.golden import network as golden
from matweave.sim.streams import EngineError

pytestmark = pytest.mark.requires_tool("hls4ml", "verilator", "g++", "make")

MODELS = Path(__file__).parents[2] / "shared" / "data" / "models"


def dense(name, weights, bias=0.0):
    inputs, outputs = np.shape(weights)
    return {
        "class_name": "Dense", "name": name, "n_in": inputs, "n_out": outputs, "use_bias": True,
        "weight_data": np.array(weights, float), "bias_data": np.full(outputs, bias),
        "weight_quantizer": None, "bias_quantizer": None,
    }  # fmt: skip


def small_model():
    """hls4ml's layers, as its front ends give them, and their configuration; all is traced."""
    rng = np.random.default_rng(1)
    layers = [
        {"class_name": "InputLayer", "name": "x", "input_shape": [2]},
        dense("dense0", rng.normal(0, 2, (2, 3)), 0.5),
        {"class_name": "Activation", "activation": "relu", "name": "relu0", "n_in": 3},
        {"class_name": "ApplyAlpha", "name": "alpha0", "n_in": 3, "n_filt": -1,
         "scale_data": rng.normal(0, 1, 3), "scale_quantizer": None, "bias_data": np.ones(3),
         "bias_quantizer": None, "scale_precision": None, "bias_precision": None},
        dense("dense1", rng.normal(0, 2, (3, 5))),
    ]  # fmt: skip
    results = {
        "x": "fixed<9,6,TRN,SAT_SYM>", "dense0": "fixed<8,6,RND_INF>", "alpha0": "fixed<7,4,RND>",
        "relu0": "ufixed<9,6,RND_CONV,SAT>", "dense1": "fixed<9,7,TRN_ZERO,WRAP>",
    }  # fmt: skip
    config = {
        name: {"Precision": {"result": result}, "Trace": True} for name, result in results.items()
    }
    config["dense0"]["Precision"] |= {"weight": "fixed<5,3,RND>", "accum": "fixed<11,7>"}
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


def test_a_small_model_and_its_layers_are_what_hls4ml_emulates(tmp_path):
    layers, config = small_model()
    x = np.random.default_rng(1).normal(0, 8, (1000, 2)).astype(np.float32)
    ours, theirs = (
        converted(layers, config, each, tmp_path / each) for each in ("Matweave", "Vitis")
    )
    (y, values), (expected, of_theirs) = ours.trace(x), theirs.trace(x)
    assert (y == expected).all()
    assert (ours.predict(x) == expected).all()
    assert list(values) == list(of_theirs) == ["dense0", "relu0", "alpha0", "dense1"]
    for name, wanted in of_theirs.items():
        assert values[name].shape == wanted.shape
        assert values[name].dtype == wanted.dtype == np.float32
        assert (values[name] == wanted).all()
        assert len(np.unique(wanted)) > 15


def test_a_trace_gives_only_what_is_the_rtl_s(tmp_path, monkeypatch):
    model = converted(*small_model(), "Matweave", tmp_path)
    y, values = model.trace(np.array([1.0, 2.0]))
    assert y.shape == (5,)  # as predict gives one sample
    assert values["dense0"].shape == (1, 3)
    assert (values["dense1"][0] == y).all()
    right = golden.trace

    def wrong(network, raw):
        return {name: found + 1 for name, found in right(network, raw).items()}

    monkeypatch.setattr(golden, "trace", wrong)
    with pytest.raises(EngineError, match="RTL's results are not the golden model's"):
        model.trace(np.array([1.0, 2.0]))


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
    layers, config = small_model()
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


@pytest.mark.requires_tool("yosys")
def test_build_gives_the_reports_of_hls4ml(tmp_path):
    model = converted(*small_model(), "Matweave", tmp_path)
    report = model.build(family="ecp5", place=False)
    assert "PlaceAndRoute" not in report["Matweave"]
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


@pytest.mark.requires_tool("yosys", "nextpnr-ecp5")
def test_build_places_and_routes(tmp_path):
    model = converted(*small_model(), "Matweave", tmp_path)
    report = model.build(family="ecp5", seeds=3)  # placing is the default where it is possible
    placed = report["Matweave"]["PlaceAndRoute"]
    reached = placed["fmax_mhz_by_seed"]
    assert len(set(reached)) == 3
    assert placed["fmax_mhz"] == sorted(reached)[1]
    assert placed["latency_cycles"] == int(report["CSynthesisReport"]["BestLatency"]) == 2
    assert placed["latency_ns"] == pytest.approx(2e3 / placed["fmax_mhz"], abs=1e-3)
    period = float(report["CSynthesisReport"]["EstimatedClockPeriod"])
    assert period == pytest.approx(1e3 / placed["fmax_mhz"], abs=1e-3)
    # The delay model is one of several ns, routing of all of them.
    assert period == pytest.approx(made_of(model, "ecp5").stages.period, rel=0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"place": True}, "place: no open tool places a pipeline by itself on xcup; allowed is"),
        ({"bitstream": True}, "bitstream: for which board? allowed are crosslink_nx_evn, hx8k, "),
        ({"clock": 50}, "clock: is a board's, and there is no board"),
        ({"board": "ulx3s"}, "--board ulx3s: is not a board; allowed are "),
        ({"board": 5}, "board: must be a name, not 5"),
        ({"board": "ulx3s_85f", "clock": 0}, "clock: must be a number of MHz above 0, not 0"),
        ({"seeds": 0}, "seeds: must be 1 to 64, not 0"),
        ({"seeds": 1.5}, "seeds: must be 1 to 64, not 1.5"),
    ],
)
@pytest.mark.requires_tool("yosys")
def test_builds_that_cannot_be(tmp_path, options, message):
    model = converted(*small_model(), "Matweave", tmp_path)
    with pytest.raises(UserError) as caught:
        model.build(**options)
    assert str(caught.value).startswith(message)


@pytest.mark.slow
@pytest.mark.requires_tool("yosys", "nextpnr-ecp5", "amaranth_boards", "jinja2")
def test_build_gives_a_bitstream(tmp_path):
    model = converted(*small_model(), "Matweave", tmp_path)
    model.config.config["Stages"] = 3
    board = model.build(board="ulx3s_12f", clock=30, place=False)["Matweave"]["Board"]
    assert Path(board["bitstream"]).stat().st_size > 100_000
    assert Path(board["folder"]) == tmp_path / "ulx3s_12f"
    assert board["fmax_mhz"] >= board["clock_mhz"] == pytest.approx(30, rel=1e-3)
    assert board["latency_cycles"] == 3
    assert board["latency_ns"] == pytest.approx(100, rel=1e-3)
    with pytest.raises(UserError, match=r"timing: net on ulx3s_12f reaches .* MHz are wanted"):
        model.build(board="ulx3s_12f", clock=200, place=False)


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

    model = converted(*small_model(), "Matweave", tmp_path)
    model.config.config[option] = value
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        made_of(model)
    name = {"Stages": "stages", "ClockPeriod": "clock_period", "Family": "family"}[option]
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        hls4ml.backends.get_backend("Matweave").create_initial_config(**{name: value})


def test_what_is_not_compiled_does_not_predict(tmp_path):
    model = converted(*small_model(), "Matweave", tmp_path)
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


def test_a_strategy_that_is_none_is_refused(tmp_path):
    layers, config = small_model()
    config["dense0"] |= {"Strategy": "Unrolled"}
    model = converted(layers, config, "Matweave", tmp_path)
    with pytest.raises(ConfigError, match=r"layer dense0 \(Dense\): Strategy is unrolled; allowed"):
        model.write()


def test_resource_layers_are_on_arrays(tmp_path):
    """hls4ml's strategy and reuse factors: cycles per sample, and still its emulation's results."""
    layers, config = small_model()
    for name, reuse in (("dense0", 3), ("dense1", 5)):
        config[name] |= {"Strategy": "Resource", "ReuseFactor": reuse}
        config[name]["Precision"]["accum"] = "fixed<32,16>"
    x = np.random.default_rng(1).normal(0, 8, (1000, 2)).astype(np.float32)
    theirs = converted(layers, config, "Vitis", tmp_path / "Vitis")
    theirs.compile()
    expected = theirs.predict(x)
    for pe in ("mac", "ent"):
        ours = converted(layers, config, "Matweave", tmp_path / pe)
        ours.config.config["PE"] = pe
        ours.compile()
        assert (ours.predict(x) == expected).all()
        manifest = json.loads((tmp_path / pe / "net.json").read_text())
        assert manifest["performance"]["initiation_interval"] == 5
        assert [(each["layer"], each["pe"], each["cycles"]) for each in manifest["arrays"]] == [
            ("dense0", pe, 3), ("dense1", pe, 5)
        ]  # fmt: skip


def test_a_reuse_factor_alone_is_the_interval(tmp_path):
    layers, config = small_model()
    config["dense1"] |= {"ReuseFactor": 4}
    made = made_of(converted(layers, config, "Matweave", tmp_path))
    assert made.manifest["performance"]["initiation_interval"] == 4
    assert not made.manifest["arrays"]


@pytest.mark.parametrize("reuse", [0, -4])
def test_a_reuse_factor_below_one(tmp_path, reuse):
    layers, config = small_model()
    config["dense1"] |= {"ReuseFactor": reuse}
    with pytest.raises(ConfigError, match=rf"^layer dense1 .*: ReuseFactor {reuse} is no number"):
        made_of(converted(layers, config, "Matweave", tmp_path))


def test_a_reuse_factor_does_not_make_tokens_take_turns():
    """Of an input of several axes it is for layers on arrays, which say how many cycles."""
    from matweave.hls4ml_backend import _without_fold

    def shaped(*shape):
        return types.SimpleNamespace(input=types.SimpleNamespace(shape=shape))

    assert _without_fold(shaped(6), 4, {}) == 4
    assert _without_fold(shaped(6, 6, 1), 36, {"conv": 36}) is None
    with pytest.raises(ConfigError, match=r"^ReuseFactor: 4 with the strategy Latency is for"):
        _without_fold(shaped(6, 2), 4, {})


def test_unknown_options_are_refused():
    import hls4ml

    backend = hls4ml.backends.get_backend("Matweave")
    with pytest.raises(ConfigError, match="did you mean 'clock_period'"):
        backend.create_initial_config(clock_perid=4)
    with pytest.raises(ConfigError, match="did you mean 'ecp5'"):
        backend.create_initial_config(family="ecp")
    assert backend.create_initial_config(clock_period=4, part="x")["ClockPeriod"] == 4
