"""What attention is driven with for its power: the netlist's results are the golden model's, and
its multipliers are busy in every cycle that is counted."""

import numpy as np
import pytest

from matweave.fpga.targets.asic import activity, attention_stimuli, flow, generic, power
from matweave.hw import config, emit
from matweave.hw.attention.streaming import StreamingAttention
from matweave.hw.errors import UserError
from matweave.sim.golden.attention import streaming as golden

SMALL = (
    "array.dimension=2", "array.lanes=2", "array.block=2", "limits.queries=64", "limits.keys=12",
    "output.lanes=1", "output.partial=false", "masks.keys=false", "output.format=int8",
    "softmax.exponential=8", "softmax.reciprocal=9", "q=int5", "k=int5", "v=int5",
)  # fmt: skip


@pytest.fixture(scope="module")
def shape():
    return config.load("tiny_attention", SMALL).shape


@pytest.fixture(scope="module")
def netlist(shape):
    verilog = emit.verilog(StreamingAttention(shape=shape), "block")
    return flow.synthesise(verilog, "block", generic.library(), flow.Flow(script="amap")).flat


def expected(shape, stimulus, q, k, v) -> np.ndarray:
    def held(name):
        return int(stimulus.drive[name][0, 0] @ (1 << np.arange(stimulus.drive[name].shape[-1])))

    return golden.attention(
        q, k, v,
        logit=golden.Scale(held("logit_multiplier"), held("logit_shift")),
        scale=golden.Scale(held("multiplier"), held("shift")),
        numbers=golden.Softmax(
            fraction=shape.fraction, exponential=shape.exponential, reciprocal=shape.reciprocal,
            total=shape.total_width, lanes=shape.lanes, dither=shape.dither,
        ),
        block=shape.block, formats=(shape.q, shape.k, shape.v, shape.output),
        rounding=shape.rounding,
    )  # fmt: skip


def test_the_netlist_gives_the_golden_results(shape, netlist, seed):
    stimulus = attention_stimuli.attention(shape, seed)
    simulator = activity.Simulator(netlist, generic.library(), attention_stimuli.STREAMS)
    taken = {"q": [], "k": [], "v": []}
    results, busy = [], []
    width = shape.output.lane_width
    for cycle in simulator.run(stimulus.drive):
        for name, beats in taken.items():
            ready = simulator.value(f"{name}_tready")
            assert (ready == ready[0]).all()  # the data decides nothing
            if ready[0, 0]:
                beats.append(stimulus.operands[name][cycle])
        busy.append(bool(simulator.value("v_tready")[0, 0]))
        if simulator.value("o_tvalid")[0, 0]:
            bits = simulator.value("o_tdata").reshape(64, -1, width)[..., : shape.output.width]
            results.append(bits @ (1 << np.arange(shape.output.width)))
    assert all(busy[stimulus.warm :])
    beats = shape.max_keys // shape.lanes
    whole = len(results) // shape.output_beats * shape.output_beats
    results = np.concatenate(results[:whole], axis=-1).reshape(64, -1, shape.dimension)
    assert results.shape[1] >= 2
    for query, result in enumerate(results.swapaxes(0, 1)):
        places = np.s_[query * beats : (query + 1) * beats]
        for stream in (0, 63):
            k, v = (
                np.concatenate(
                    [beat[stream].reshape(shape.lanes, -1) for beat in taken[name][places]]
                )
                for name in ("k", "v")
            )
            q = taken["q"][query][stream]
            wanted = expected(shape, stimulus, q[None, None], k[None], v[None])[0, 0]
            assert (result[stream] == wanted % (1 << shape.output.width)).all(), (query, stream)


def test_power_is_of_all_parts(shape, netlist, seed):
    stimulus = attention_stimuli.attention(shape, seed)
    found = power.estimate(netlist, generic.library(), stimulus)
    assert found.energy["pes"] > found.energy["inputs"] > 0
    assert found.macs == shape.lanes


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("cache.k='int4'", "not estimated of packed caches"),
        ("limits.keys=3", "4 keys; limits has 64 and 3"),
        ("limits.queries=2", "queries and 4 keys; limits has 2 and 12"),
    ],
)
def test_what_has_no_stimulus(more, said):
    with pytest.raises(UserError, match=said):
        attention_stimuli.attention(config.load("tiny_attention", [*SMALL, more]).shape, 1)
