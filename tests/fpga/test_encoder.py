"""What the flow knows of encoders, its page of a report, and the host's side."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from matweave.fpga import engines, report
from matweave.fpga.host import EncoderDevice
from matweave.fpga.host.errors import DeviceReset
from matweave.hw import config
from matweave.sim import kinds
from matweave.sim.perf import transformer as perf
from matweave.sim.registers import EncoderMode, EncoderRegister

from .sample_report import SAMPLE


def test_it_is_built_as_other_engines_are():
    settings = engines.load("tiny_encoder", ["model.tokens=5"])
    engine = engines.of(settings)
    assert engines.from_tables(settings.canonical()) == settings
    assert "module tiny_encoder_linked" in engine.linked(25e6, 115200)
    found = {each.part: (each.count, each.bits) for each in engine.multipliers()}
    assert found["array"] == (4 * 2, (8, 8))
    assert found["scores"] == (2 * 4, (8, 8))
    assert found["values"] == (2 * 4, (12, 8))
    assert "encoder of 2 layers, 8 elements, 2 heads" in engine.summary()["about"]
    assert "multiplier_stages" in engine.faster("requantiser")
    assert "model.layers" in engine.smaller("BRAM", dsp=True)
    assert "--no-dsp" in engine.smaller("LUT", dsp=True)


def test_how_fast_it_is_told():
    settings = config.load("tiny_encoder")
    told = engines.of(settings).performance(50.0, 80.0, 1_000_000)
    cycles = perf.predict(settings, 6)
    assert (told["cycles"], told["tokens"]) == (cycles, 6)
    assert told["sequences_s"] == pytest.approx(50e6 / cycles, rel=1e-5)
    assert told["macs"] == 6 * 2 * (4 * 8 * 8 + 2 * 8 * 6)
    assert told["sequence_bytes"] == 2 * 6 * 8
    build = report.read(SAMPLE / "build.json")
    figures = report.figures(build)
    figures |= {"kind": "encoder", "performance": told}
    text = report.page(figures, build.placement)
    assert f'data-figure="/performance/cycles" value="{cycles}"' in text


def test_weights_that_are_looked_up():
    settings = engines.load("tiny_lut_encoder")
    engine = engines.of(settings)
    assert engines.from_tables(settings.canonical()) == settings
    (array,) = (each for each in engine.multipliers() if each.part == "array")
    assert (array.count, array.bits) == (4 * 4 * 2, (8, 3))
    assert "no multiplication" in array.recoded
    told = engine.performance(50.0, 80.0, 1_000_000)
    weights = 4 * 8 * 8 + 2 * 8 * 12
    assert told["macs"] == 5 * weights
    # Three bits of each weight; the words of table and parameters.
    sizes = settings.sizes
    assert told["model_bytes"] == weights * 3 // 8 + 4 * (256 + sizes.parameters)


class Line:
    """A device that takes everything and gives what the engine would; it is reset as often as
    ``resets`` says."""

    port = "line"

    def __init__(self, settings, resets=0):
        inputs, outputs = kinds.of(settings).stream_bytes(settings)
        identity = bytes.fromhex(settings.hash)[:16]
        self.facts = SimpleNamespace(
            sinks=tuple(inputs.values()), sources=tuple(outputs.values()), identity=identity
        )
        self.settings, self.resets, self.job = settings, resets, None
        self.modes, self.positions, self.pushed, self.given = [], [], [], []

    def hello(self):
        pass

    def reset(self):
        pass

    def write(self, writes):
        writes = dict(writes)
        self.modes.append(writes[int(EncoderRegister.MODE)])
        self.positions.append(writes.get(int(EncoderRegister.POSITION)))
        if self.resets:
            self.resets -= 1
            raise DeviceReset("reset")
        job = self.job
        if self.positions[-1] is not None and self.positions[-1] < job.position:
            # One of those that come before it.
            job = next(j for j in job.before(self.settings) if j.position == self.positions[-1])
        y = job.expected(self.settings).astype(np.int8)
        self.given = list(y.reshape(-1, self.settings.array.geometry.n).view(np.uint8))

    def push_limit(self, stream):
        return 50

    def push(self, stream, beats, *, last=False):
        self.pushed.append((stream, len(beats)))
        return len(beats)

    def pull_limit(self, stream):
        return 7

    def pull(self, stream, most):
        part, self.given = self.given[: min(most, 7)], self.given[min(most, 7) :]
        return np.array(part), not self.given

    def read(self, addresses):
        return [11 * (number + 1) for number, _ in enumerate(addresses)]


def test_a_host_s_jobs_have_the_model_when_the_engine_has_lost_it(seed):
    settings = config.load("tiny_encoder")
    first, second = (kinds.of(settings).case(settings, seed, index).job for index in (2, 4))
    line = Line(settings)
    device = EncoderDevice(line, settings)

    def run(job, load):
        line.job, line.pushed = job, []
        result = device.job(type(job)(job.x, first.parameters, load=load))
        return result, {
            stream: sum(n for s, n in line.pushed if s == stream) for stream in range(3)
        }

    line.job = first
    again = type(second)(second.x, first.parameters, load=False)
    result, sent = run(first, True)
    assert np.array_equal(result.c, first.expected(settings))
    assert result.counters["cycles"] == 11
    beats = first.beats(settings)
    assert sent == {0: beats["b"], 1: beats["p"], 2: beats["x"]}
    result, sent = run(again, False)
    assert np.array_equal(result.c, again.expected(settings))
    assert sent == {0: 0, 1: 0, 2: again.beats(settings)["x"]}
    line.resets = 1
    result, sent = run(again, False)
    assert np.array_equal(result.c, again.expected(settings))
    assert sent[0] == beats["b"]
    assert line.modes == [EncoderMode.LOAD, 0, 0, EncoderMode.LOAD]


def test_a_decoder_s_jobs_have_their_past_when_the_engine_has_lost_it(seed):
    settings = config.load("tiny_decoder")
    prompt = kinds.of(settings).case(settings, seed, 0).job
    rng = np.random.default_rng(seed)
    past = rng.integers(-128, 128, (10, 8))
    job = dataclasses.replace(prompt, x=past[:1], load=False, past=past)
    line = Line(settings)
    line.job = job
    device = EncoderDevice(line, settings)
    # It is not known what an engine has that was not run before.
    for resets, modes, positions in (
        (0, [EncoderMode.LOAD, 0, 0], [0, 6, 10]),
        (0, [0], [10]),
        (1, [0, EncoderMode.LOAD, 0, 0], [10, 0, 6, 10]),
    ):
        line.resets, line.modes, line.positions = resets, [], []
        result = device.job(job)
        assert np.array_equal(result.c, job.expected(settings))
        assert (line.modes, line.positions) == (modes, positions)


def test_a_decoder_is_told_by_its_tokens():
    settings = config.load("tiny_decoder")
    engine = engines.of(settings)
    told = engine.performance(50.0, 80.0, 1_000_000)
    assert told["tokens"] == 1
    assert told["cycles"] == perf.predict(settings, 1, position=13)
    assert "tokens, each after 13 others, per second" in told["in_words"]
    assert "decoder of 2 layers" in engine.summary()["about"]
    assert "model.context" in engine.smaller("BRAM", dsp=True)
