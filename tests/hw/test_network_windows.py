"""Windows of streamed tokens: found in what layers take, and not a bit differs from the golden
model, which knows nothing of streams."""

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from matweave.hw.errors import ConfigError
from matweave.hw.network.config import NetworkConfig
from matweave.hw.network.design import design
from matweave.hw.network.fold.evaluate import evaluate
from matweave.hw.network.fold.lines import LineBuffer, Steps
from matweave.hw.network.fold.options import cycles
from matweave.hw.network.fold.paces import Pace, bits
from matweave.hw.network.fold.sections import fold
from matweave.hw.network.layers import Input, Network
from matweave.hw.network.spacer import Spacer
from matweave.sim.golden import network as golden
from matweave.sim.network import unpack
from matweave.sim.stimuli import networks, window_networks
from matweave.sim.stimuli.window_networks import F, convolution, follows, image, largest, places

AXIS = st.tuples(
    st.integers(2, 9), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2)
)


def possible(size, window, stride, before, behind):
    return before < window and behind < window and size + before + behind >= window


@settings(max_examples=60, deadline=None)
@given(rows=AXIS, columns=AXIS, channels=st.integers(1, 2), pool=st.booleans())
def test_any_window_changes_no_bit(rows, columns, channels, pool):
    assume(possible(*rows) and possible(*columns))
    shape = (rows[0], columns[0], channels)
    rng = np.random.default_rng(sum(rows))
    axes = rows[1:], columns[1:]
    layers = [Input("x", None, shape, F)]
    if pool:
        inside = all((places(*axis) >= 0).any(axis=1).all() for axis in (rows, columns))
        assume(inside)
        layers.append(largest("x", shape, axes, "y"))
    else:
        layers += convolution(rng, "x", shape, axes, 2, "y")
    network = Network("windows", tuple(layers), "y")
    try:
        folded = fold(network, cycles(network, "stream"), streamed=True)
    except ConfigError as error:
        assert "cannot be streamed" in str(error)
        assert not follows(rows, columns)
        return
    x = networks.inputs(network, 1, 60)
    tokens = folded.pace.tokens if folded.pace else 1
    results = evaluate(folded, x) * 2.0 ** np.array(folded.exponents * tokens)
    assert (results == golden.predict(network, x) * 2.0**-F.fraction).all()


def test_the_pace_of_a_padded_convolution():
    pace = fold(image(), 20, streamed=True).sections[-1].pace
    assert pace.steps == tuple(range(6, 26))  # one row and one pixel later
    assert (pace.flush, pace.unbroken, pace.pause, pace.punctual) == (6, 6, 0, True)
    assert pace.times == tuple(range(6, 26))


def test_the_pace_of_strides():
    pace = fold(image(5, 5, 3, 2, 0), 25, streamed=True).sections[-1].pace
    assert pace.steps == (12, 14, 22, 24)
    assert (pace.row, pace.flush, pace.punctual) == (2, 0, True)
    early = fold(image(6, 6, 2, 2, 0), 36, streamed=True).sections[-1].pace
    assert early.punctual
    late = fold(image(5, 5, 2, 2, 0), 25, streamed=True).sections[-1].pace
    assert not late.punctual
    assert not Pace(4, 2, late, (3, 4, 5, 6)).punctual  # also if there are steps behind it


def test_first_tokens_with_gaps_keep_samples_apart():
    root = Pace(49, 7)
    steps = tuple(8 + 14 * row + 2 * column for row in range(4) for column in range(4))
    strided = Pace(16, 4, root, steps)
    same = Pace(16, 4, strided, tuple(range(5, 21)))
    assert strided.pause == 0
    # Its last token is in cycle 56, the next sample's first in 57, then one in two cycles: of the
    # five steps behind 56 only the first may be shared.
    assert same.pause == 4


def test_a_streamed_network_has_no_board_yet():
    with pytest.raises(ConfigError, match=r"^fold: 'stream' is not for boards yet"):
        NetworkConfig(image(), fold="stream")


def test_the_manifest_says_how_many_beats():
    streams = design(image(stride=2), fold="stream").manifest["streams"]
    assert (streams["input"]["beats"], len(streams["input"]["values"])) == (20, 1)
    assert (streams["output"]["beats"], len(streams["output"]["values"])) == (6, 1)


def simulated(dut, bench):
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


def test_line_buffers_hold_what_was():
    """Registers only, memories of one place and of several, and a value that is read early only."""
    delays = ((0, 1, 5, 18, 19), (0,), (2, 18))
    dut = LineBuffer(widths=(4, 3, 5), delays=delays)
    rng = np.random.default_rng(3)
    past, checked = [], 0

    async def bench(ctx):
        nonlocal checked
        for _ in range(300):
            values = [int(rng.integers(1 << width)) for width in dut.widths]
            ctx.set(dut.i, values[0] | values[1] << 4 | values[2] << 7)
            step = int(rng.integers(3) > 0)
            ctx.set(dut.step, step)
            out = ctx.get(dut.o)
            for index, (width, each) in enumerate(zip(dut.widths, delays, strict=True)):
                for delay in each:
                    found, out = out & ((1 << width) - 1), out >> width
                    if delay <= len(past) and (step or delay):
                        expected = values if not delay else past[-delay]
                        assert found == expected[index]
                        checked += 1
            await ctx.tick()
            if step:
                past.append(values)

    simulated(dut, bench)
    assert checked > 1500


def test_steps_give_tokens_and_masks():
    """Samples one behind another, or after the steps behind the last token."""
    folded = fold(image(), 20, streamed=True)
    section = folded.sections[-1]
    insides = tuple(dict.fromkeys(each.window.inside for each in section.feeds))
    dut, rng = Steps(pace=section.pace, insides=insides), np.random.default_rng(4)
    found = []

    async def tick(ctx, valid):
        ctx.set(dut.valid, valid)
        assert ctx.get(dut.step) >= valid
        if ctx.get(dut.token):
            found.append(ctx.get(dut.inside))
        await ctx.tick()

    async def bench(ctx):
        for sample in range(4):
            for token in range(20):
                apart = sample % 2 == 0 or token > section.pace.unbroken
                for _ in range(int(rng.integers(3)) * apart):
                    await tick(ctx, 0)
                await tick(ctx, 1)
            for _ in range(9 * (sample % 2)):  # every second one is followed at once
                await tick(ctx, 0)

    simulated(dut, bench)
    masks = np.array([bits(each, 20) for each in insides])
    expected = [int(sum(int(b) << k for k, b in enumerate(masks[:, token]))) for token in range(20)]
    assert found == 4 * expected


@pytest.mark.parametrize("pause", [0, 3])
@pytest.mark.parametrize("probability", [0.2, 0.7, 1.0])
def test_no_pause_where_there_must_be_none(pause, probability):
    tokens, unbroken = 12, 7
    dut, rng = Spacer(width=8, tokens=tokens, unbroken=unbroken, pause=pause), None
    rng, out, sent = np.random.default_rng(5), [], 0

    async def bench(ctx):
        nonlocal sent
        for cycle in range(1500):
            ctx.set(dut.i_data, sent % 256)
            ctx.set(dut.i_valid, int(rng.random() < probability))
            ctx.set(dut.room, int(cycle < 700 or rng.random() < 0.5))
            sent += ctx.get(dut.i_valid) & ctx.get(dut.i_ready)
            if ctx.get(dut.o_valid):
                assert ctx.get(dut.o_data) == len(out) % 256
                assert ctx.get(dut.last) == (len(out) % tokens == tokens - 1)
                out.append(cycle)
            await ctx.tick()

    simulated(dut, bench)
    assert len(out) > 150
    for at in range(tokens, len(out), tokens):
        end = out[at - 1]
        assert out[at] > end + pause
        soon = [cycle for cycle in out[at:] if cycle <= end + unbroken]
        assert soon == list(range(soon[0], end + unbroken + 1)) if soon else True
    if probability == 1.0:  # once so many are there, none waits for others
        spent = out[tokens * 40] - out[tokens * 20]
        assert spent == 20 * (tokens + pause)


def streamed(made, x, seed):
    """Results of samples with pauses of all lengths on both sides, in Amaranth's simulator."""
    kind, parameters = made.component
    dut, rng, results = kind(**parameters), np.random.default_rng(seed), []
    beats = x.reshape(len(x) * dut.tokens, -1)
    wanted = len(x) * dut.results

    async def bench(ctx):
        sent, waits, calm = 0, 0, 1.0
        for cycle in range(40 * len(beats) + 2000):
            if cycle % 50 == 0:
                calm = rng.choice([0.1, 0.5, 1.0])
            waits = max(waits - 1, 0) if rng.random() < calm else int(rng.integers(1, 12))
            valid = sent < len(beats) and not waits
            ready = rng.random() < (calm + 1) / 2
            if valid:
                lanes = [int(v) & ((1 << dut.input_lane) - 1) for v in beats[sent]]
                ctx.set(dut.s_axis_x_tdata,
                        sum(v << (dut.input_lane * i) for i, v in enumerate(lanes)))  # fmt: skip
            ctx.set(dut.s_axis_x_tvalid, int(valid))
            ctx.set(dut.m_axis_y_tready, int(ready))
            if ctx.get(dut.m_axis_y_tvalid) and ready:
                results.append(ctx.get(dut.m_axis_y_tdata))
            sent += valid and ctx.get(dut.s_axis_x_tready)
            await ctx.tick()
            if len(results) == wanted:
                break
        ctx.set(dut.s_axis_x_tvalid, 0)
        for _ in range(50):
            assert not ctx.get(dut.m_axis_y_tvalid)
            await ctx.tick()

    simulated(dut, bench)
    lane, stream = dut.output_lane, made.manifest["streams"]["output"]
    rows = [
        [
            (int(beat) >> (lane * place)) & ((1 << lane) - 1)
            for place in range(len(stream["values"]))
        ]
        for beat in results
    ]
    return unpack(np.array(rows, f"<u{lane // 8}").view(np.uint8), stream)


QUICK = (0, 1, 58, 64)
SEEDS = [pytest.param(seed, marks=() if seed in QUICK else pytest.mark.slow) for seed in range(120)]


@pytest.mark.parametrize("seed", SEEDS)
def test_chains_of_windows(seed):
    network = window_networks.chain(seed)
    made = design(network, fold="stream")
    x = networks.inputs(network, seed, 8)
    stream = made.manifest["streams"]["output"]
    exponents = np.array([each["exponent"] for each in stream["values"]] * stream["beats"])
    fraction = network[network.output].result.fraction
    expected = golden.predict(network, x) * 2.0**-fraction
    assert (streamed(made, x, seed) * 2.0**exponents == expected).all()
