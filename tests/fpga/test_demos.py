"""Demos on simulated boards: the host program, a pseudo-terminal, the line's real bytes."""

import contextlib
import dataclasses
import importlib
import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from matweave import cli, demonstrating
from matweave.failure import CheckFailed
from matweave.fpga import boards, demos, engines, loader, simulation
from matweave.fpga.demos.digits import host
from matweave.fpga.demos.digits.inference import engine
from matweave.fpga.demos.digits.sample import packed
from matweave.fpga.demos.jet_tagging import host as jets
from matweave.fpga.demos.jet_tagging.sample import contents
from matweave.fpga.targets.vendor import VENDORS
from matweave.hw import config
from matweave.hw.errors import UserError
from matweave.sim import toolchain
from matweave.sim.golden import gemm, network, transformer
from matweave.sim.serial_board import Pins, SerialBoard
from matweave.sim.transformer import floating, store

BOARD = pytest.mark.requires_tool("amaranth_boards", "serial", "verilator", "g++", "make", "perl")
SAMPLE = Path(__file__).with_name("sample_build")
SMALL = "tang_nano_9k"
"""The board with the smallest engine of the demos: the soonest compiled."""


def matweave(*arguments):
    return cli.main([str(argument) for argument in arguments])


def silent(*_):
    pass


ELEMENTS = {"attention": 8 * 32, "digits": 32 + 10, "digits-ent": 32 + 10, "jet-attention": 5,
            "jet-tagging": 5, "lut-gemv": 64 + 10}  # fmt: skip
"""Results of the engine per sample."""
SLOW = ("attention", "jet-attention")
"""Transformers take the C++ compiler, or a simulated line, minutes."""


@BOARD
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in demos.demos()],
)
def test_a_demo_on_a_simulated_board(name, capsys):
    arguments = ("--board", SMALL, "--baud", 3_000_000, "--samples", 4, "--json")
    assert matweave("demo", name, "--simulate", *arguments) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["demo"], result["board"], result["simulated"]) == (name, SMALL, True)
    assert result["samples"] == 4
    assert result["right"] >= 1
    assert result["elements"] == 4 * ELEMENTS[name]
    assert result["wrong"] == result["retries"] == 0
    told = demonstrating.text(result)
    assert demos.load(name).title in told
    if "latency_ns" in result:
        design = engines.load(demos.load(name).engine)
        assert result["clock_mhz"] == 27
        assert result["latency_cycles"][0] == result["latency_cycles"][1] > 1
        assert result["latency_ns"][0] == pytest.approx(
            result["latency_cycles"][0] * 1e3 / 27, abs=1e-3
        )
        assert result["classes"] == ["g", "q", "W", "Z", "t"]
        assert [sum(jet["scores"]) for jet in result["jets"]] == pytest.approx([1] * 4, abs=1e-3)
        assert len(design.network.layers) > 5


@BOARD
@pytest.mark.slow
@pytest.mark.parametrize("name", demos.demos())
def test_a_demo_on_the_largest_board(name, capsys):
    assert matweave("demo", name, "--simulate", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["board"], result["samples"], result["wrong"]) == ("ulx3s_85f", 16, 0)


@BOARD
@pytest.mark.slow
@pytest.mark.requires_tool("ice40", "nextpnr-ecp5", "nexus")
@pytest.mark.parametrize(
    ("name", "board"),
    [
        ("digits", "icebreaker"),
        ("digits-ent", "icebreaker"),
        ("digits", "ulx3s_85f"),
        ("digits", "crosslink_nx_evn"),
        ("jet-tagging", "ulx3s_85f"),
        ("lut-gemv", "ulx3s_85f"),
    ],
)
def test_the_netlist_of_a_demo(name, board):
    """What synthesis made of the whole board gives what its RTL gives: the sample's results."""
    from matweave.fpga import build, flow, simulation
    from matweave.fpga.host import Device

    demo = demos.load(name)
    variant = demo.on(board)
    settings = engines.load(demo.engine, variant.set)
    request = build.Request(settings, board, name, variant.clock, 1_500_000, dsp=variant.dsp)
    plan = build.make_plan(request, build.linked())
    step, _ = flow.synthesise(plan.design)
    simulated = simulation.netlist(plan, (step.folder / "netlist.v").read_text())
    with simulated.open() as serial, Device(serial.port, baud=plan.baud, timeout=120) as device:
        engine = engines.of(plan.request.config).device(device)
        found = demo.host.run(engine, samples=2, progress=silent)
    assert (found["samples"], found["wrong"]) == (2, 0)


def test_the_sample_is_what_the_golden_model_gives():
    settings = engine()
    golden = gemm.for_config(settings)
    found = host.classified(golden, settings.limits.m)
    assert (found["samples"], found["wrong"]) == (256, 0)
    assert found["right"] > 0.95 * found["samples"]


def test_the_attention_sample_is_what_the_golden_model_gives():
    from matweave.fpga.demos.attention import host, sample

    settings = host.engine()
    numbers = transformer.for_config(settings)
    with np.load(host.SAMPLE) as stored:
        stored = dict(stored)

    def encode(job):
        return transformer.encoder(job.checked(settings).x, job.parameters, numbers)

    found = host.read(stored, settings, encode)
    assert (found["samples"], found["wrong"], found["elements"]) == (128, 0, 128 * 256)
    assert found["right"] > 0.95 * 128
    assert abs(found["right"] - found["float_right"]) <= 2
    assert packed(stored) == host.SAMPLE.read_bytes()
    assert host.read(stored, settings, lambda job: 1 - encode(job), 2)["wrong"] > 400
    assert set(sample.HEAD) < set(stored)


def test_the_attention_demo_s_gradients_are_those_of_its_loss():
    from matweave.fpga.demos.attention import host, training

    settings = host.engine()
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 17, (3, 64)), np.array([4, 0, 9])
    tensors = training.initial(settings)

    def loss(name, at, change):
        moved = dict(tensors)
        moved[name] = tensors[name].copy()
        moved[name][at] += change
        real = floating.encoder(training.tokens(moved, images), moved, settings)
        scores = training.logits(moved, real)
        return (np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(3), labels]).mean()

    for name, gradient in training.gradients(settings, tensors, images, labels).items():
        at = tuple(rng.integers(size) for size in gradient.shape)
        slope = (loss(name, at, 1e-5) - loss(name, at, -1e-5)) / 2e-5
        assert gradient[at] == pytest.approx(slope, abs=1e-8), name


@pytest.mark.requires_tool("matplotlib")
def test_the_attention_map_is_drawn():
    from matweave.fpga.demos.attention import host, picture

    with np.load(host.SAMPLE) as stored:
        stored = dict(stored)
    settings, model = host.engine(), store.from_arrays(stored)
    x = model.quantised(training_tokens(stored), settings.activation)[0]
    numbers = transformer.for_config(settings)
    maps = picture.weights(x, model.parameters, numbers)
    assert len(maps) == 8
    assert all(np.allclose(each.sum(axis=1), 1) for each in maps)
    # The first layer's results are these weights times the values, to the rounding of both.
    seen = {}
    transformer.encoder(x, model.parameters, numbers, seen.__setitem__)
    values = transformer.by_heads(seen["0.v"], 4)
    scale = model.parameters.layers[0].scale
    real = np.concatenate([w @ v for w, v in zip(maps, values, strict=False)], axis=1)
    real = np.clip(real * scale.multiplier / 2.0**scale.shift, -128, 127)
    assert np.abs(real - seen["0.attention"]).max() < 1.5
    files = host.pictures({"read": [1, 2]})
    assert files["attention.png"].startswith(b"\x89PNG")


def training_tokens(stored):
    from matweave.fpga.demos.attention import training

    return training.tokens(stored, stored["images"][:1])


@pytest.mark.requires_tool("gguf", "sklearn")
def test_the_lookup_sample_is_what_gguf_says():
    """Products are those of the package's dequantised weights, exactly; and what the golden model
    makes of the integers."""
    import gguf

    from matweave.fpga.demos.lut_gemv import host, sample

    settings = engines.load(demos.load("lut-gemv").engine)
    golden = gemm.for_config(settings)
    with np.load(host.SAMPLE) as stored:
        stored = dict(stored)
    found = host.classified(stored, settings, lambda job: golden(**job.arguments()), 32)
    assert (found["samples"], found["wrong"], found["elements"]) == (32, 0, 32 * 74)
    assert found["right"] > 28
    assert sample.packed(stored) == host.SAMPLE.read_bytes()
    activations = stored["images"][:3].astype(int)
    for number, layer in enumerate(host.layers(stored)):
        # The blocks that these integers and scales are of, and what the package makes of them.
        halves = (layer.weights + 8).reshape(-1, 2, 16).astype(np.uint8)
        scales = layer.scales.astype("<f2").reshape(-1, 1).view(np.uint8)
        blocks = np.concatenate([scales, halves[:, 0] | halves[:, 1] << 4], axis=1)
        kind = gguf.GGMLQuantizationType.Q4_0
        weights = gguf.quants.dequantize(blocks.reshape(len(layer.weights), -1), kind)
        products = sample.exact(activations, weights)
        assert (products == stored[f"products_{number}"][:3]).all()
        biased = products * stored[f"scale_{number}"] + stored[f"bias_{number}"]
        activations = host.hidden(biased)
    codes, scales, weights = sample.quantised(np.random.default_rng(1).normal(size=(3, 64)))
    assert (codes * np.repeat(scales, 32, axis=1).astype(float) == weights).all()


class Computed:
    """The tagger as a host sees it, computed; ``fault`` is added to one raw score of each jet."""

    def __init__(self, fault=0):
        self.config, self.fault = engines.load(demos.load("jet-tagging").engine), fault

    def predict_raw(self, raw):
        scores = network.predict(self.config.network, raw)
        scores[:, 0] += self.fault
        return scores

    def real(self, raw):
        last = self.config.network[self.config.network.output]
        return raw * 2.0**-last.result.fraction

    def latency(self):
        from matweave.fpga.host.network import Latency  # needs pyserial

        return Latency(7, 50_000_000)


@pytest.mark.requires_tool("serial")
def test_the_jets_are_scored_as_the_golden_model_scores_them():
    seen = []
    found = jets.run(Computed(), progress=lambda *now: seen.append(now))
    assert (found["samples"], found["elements"], found["wrong"]) == (1000, 5000, 0)
    assert found["right"] > 600
    assert (found["latency_cycles"], found["latency_ns"]) == ([7, 7], [140, 140])
    assert [done for done, _, _ in seen] == list(range(4, 1001, 4))
    assert re.fullmatch(r"[gqWZt] with \d+%, 140 ns", seen[-1][2])
    rows = jets.rows(found | {"accuracy": 0.7})
    assert rows["latency"] == "7 cycles, 140 ns at 50 MHz, as the engine counted 250 times"
    assert [name for name in rows if name.startswith("jet ")] == [f"jet {n}" for n in range(1, 6)]
    assert jets.run(Computed(fault=1), samples=10)["wrong"] == 10


@pytest.mark.parametrize("name", ["jet-tagging", "jet-attention"])
def test_the_jets_are_those_that_ship(name):
    folder = demos.load(name).package
    script = importlib.import_module(f"{folder}.sample")
    made, path = contents(script.TAGGER, script.JETS), demos.load(name).folder / "sample.npz"
    with np.load(path) as stored:
        assert made.keys() == stored.keys()
        assert all((made[name] == stored[name]).all() for name in made)
        assert set(np.unique(stored["labels"])) == {0, 1, 2, 3, 4}
        again = packed({name: stored[name] for name in stored.files})
    assert again == path.read_bytes()


@pytest.mark.requires_tool("sklearn")
def test_the_sample_is_made_by_its_script():
    """Its images and the shapes of all; which weights training gives depends on its version."""
    from matweave.fpga.demos.digits import sample

    made = sample.contents()
    with np.load(host.SAMPLE) as stored:
        assert made.keys() == stored.keys()
        for name, array in made.items():
            assert (array.shape, array.dtype) == (stored[name].shape, stored[name].dtype)
        assert (made["images"] == stored["images"]).all()
        assert (made["labels"] == stored["labels"]).all()
        again = sample.packed({name: stored[name] for name in stored.files})
    assert again == host.SAMPLE.read_bytes()


def test_a_wrong_result_is_told(monkeypatch):
    """From an engine whose every sum has a fault in its lowest bit."""
    golden = gemm.for_config(engine())

    class Faulty:
        config = engine()
        device = type("Device", (), {"port": "nowhere", "baud": 1, "retries": 0})

        def gemm(self, **job):
            return type("Result", (), {"c": golden(**job) ^ 1, "cycles": 1})

    monkeypatch.setattr(demonstrating, "_engine", lambda *_: contextlib.nullcontext(Faulty()))
    wanted = demonstrating.Wanted("digits", "ulx3s_85f")
    with pytest.raises(CheckFailed, match="results of the board are not the expected"):
        demonstrating.run(wanted, silent)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--simulate"], "which one? --simulate, --port and --program need a NAME"),
        (["digits"], "either --simulate or --port PORT"),
        (["digits", "--simulate", "--port", "x"], "either --simulate or --port PORT"),
        (["digits", "--simulate", "--program", "."], "--program is for real boards"),
        (
            ["digts", "--simulate"],
            "digts: is not a demo; allowed are attention, digits, digits-ent, jet-attention, "
            "jet-tagging, lut-gemv; did you",
        ),
        (["digits", "--simulate", "--board", "ulx"], "--board ulx: is not a board; allowed are"),
        (["digits", "--simulate", "--samples", "0"], "--samples 0: allowed are 1 and more"),
        (["digits", "--port", "/nowhere/tty"], "/nowhere/tty: there is no such port"),
        (["digits", "--simulate", "--baud", "300"], "--baud 300: allowed are 115,200 to 3,000,000"),
        (["digits", "--port", "x", "--baud", "0"], "--baud 0: allowed are 115,200 to 3,000,000"),
        (["digits", "--port", "x", "--baud", "-1"], "--baud -1: allowed are"),
        (["digits", "--port", "x", "--baud", "99999999999"], "--baud 99999999999: allowed are"),
    ],
)
def test_mistakes_are_one_line(arguments, message, capsys):
    assert matweave("demo", *arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert "Traceback" not in printed.err


@BOARD
def test_a_board_with_another_engine_is_refused(monkeypatch):
    """The simulated board holds what the demo asks for; the host expects another."""
    from matweave.fpga.host import GemmDevice

    def other(device, settings):
        return GemmDevice(device, config.load(demos.load("digits").engine, ["limits.m=200"]))

    monkeypatch.setattr("matweave.fpga.host.GemmDevice", other)
    wanted = demonstrating.Wanted("digits", SMALL, samples=1, baud=3_000_000)
    with pytest.raises(UserError, match="the board holds another engine"):
        demonstrating.run(wanted, silent)


@BOARD
def test_a_simulated_board_that_fails_is_told(monkeypatch, capsys):
    """At once, and not as a cable that was pulled out."""

    def fail(self, cycles):
        raise RuntimeError("meant")

    wire = "module top(input clk, input rst, input rx, output tx); assign tx = rx; endmodule"
    simulated = simulation.Simulated(wire, Pins(), cycles_per_bit=8)
    monkeypatch.setattr(simulation, "board", lambda plan: simulated)
    monkeypatch.setattr(SerialBoard, "run", fail)
    monkeypatch.setattr(demonstrating, "SIMULATED_TIMEOUT", 2.0)
    assert matweave("demo", "digits", "--simulate", "--board", SMALL) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == "matweave: error: the simulated board stopped: RuntimeError: meant"


# Programming.


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A folder of programs, first on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def test_a_bitstream_is_given_to_the_loader(programs, tmp_path):
    seen = tmp_path / "seen"
    tool = programs / loader.PROGRAM
    tool.write_text(
        f"#!{sys.executable}\nimport sys\nopen({str(seen)!r}, 'w').write('|'.join(sys.argv[1:]))\n"
    )
    tool.chmod(0o755)
    folder = tmp_path / "built"
    folder.mkdir()
    build = json.loads((SAMPLE / "build.json").read_text())
    (name,) = [name for name in build["files"] if name.endswith(".bit")]
    (folder / name).write_bytes(b"x")
    for each in ("build.json", build["placement"]):
        shutil.copy(SAMPLE / each, folder)
    (folder / "other.bin").write_bytes(b"of an earlier build")
    assert matweave("demo", "digits", "--port", "/nowhere/tty", "--program", folder) == 2
    assert seen.read_text() == f"--board|ulx3s|{folder / name}"
    found = loader.built(folder)
    assert (found.board, found.baud) == (build["board"]["name"], build["baud"])
    assert config.from_tables(found.tables).name == build["config"]["name"]


def test_what_the_loader_cannot_do_is_told(programs, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"build\.json: cannot be read"):
        loader.built(tmp_path)
    for each in ("build.json", "placement.json"):
        shutil.copy(SAMPLE / each, tmp_path)
    with pytest.raises(UserError, match="has no bitstream"):
        loader.built(tmp_path)
    tool = programs / loader.PROGRAM
    tool.write_text("#!/bin/sh\necho no such cable >&2\nexit 1\n")
    tool.chmod(0o755)
    board = boards.load("icebreaker")
    with pytest.raises(toolchain.ToolError, match="no such cable"):
        loader.program(board, tmp_path / "x.bin")
    unknown = dataclasses.replace(board, loader="")
    with pytest.raises(UserError, match=r"--program: openFPGALoader does not know .*iCEBreaker"):
        loader.program(unknown, tmp_path / "x.bin")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(toolchain.ToolError, match="openFPGALoader was not found"):
        loader.program(board, tmp_path / "x.bin")


def test_boards_have_loader_names():
    for board in boards.boards().values():
        # A board that openFPGALoader does not know is one of whose tool a bitstream is made.
        assert board.loader.isidentifier() or (not board.loader and board.family in VENDORS)
