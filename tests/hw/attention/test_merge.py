"""States of two parts of the keys, merged: against the golden model, and against one pass."""

import dataclasses

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from matweave.hw import config
from matweave.hw.attention.merge import StateMerge
from matweave.sim import kinds, pysim
from matweave.sim.golden.attention import streaming


def merged(shape, a, b, rng):
    """The beats of ``o`` for those of ``a`` and ``b`` (integers), each side pausing at will."""
    dut = StateMerge(shape=shape)
    top = Module()
    top.domains.sync = ClockDomain()
    top.submodules.dut = dut
    found = []

    async def bench(ctx):
        waiting = {"a": list(a), "b": list(b)}
        offered = {"a": False, "b": False}
        while len(found) < len(a):
            for name, beats in waiting.items():
                offered[name] = bool(beats) and (offered[name] or bool(rng.integers(2)))
                ctx.set(getattr(dut, f"{name}_tvalid"), offered[name])
                ctx.set(getattr(dut, f"{name}_tdata"), beats[0] if offered[name] else 0)
                ctx.set(getattr(dut, f"{name}_tlast"), len(beats) == 1)
            willing = bool(rng.integers(2))
            ctx.set(dut.o_tready, willing)
            _, _, *ready, valid, data, last = await ctx.tick().sample(
                dut.a_tready, dut.b_tready, dut.o_tvalid, dut.o_tdata, dut.o_tlast
            )
            for name, taken in zip("ab", ready, strict=True):
                if offered[name] and taken:
                    waiting[name].pop(0)
                    offered[name] = False
            if valid and willing:
                found.append(data)
                assert bool(last) == (len(found) == len(a))

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


def beats_of(states, shape):
    """Beats of states, (n, 2 + d), as integers."""
    mask = (1 << shape.o_lane) - 1
    lanes = shape.output_lanes
    for total, maximum, *sums in states.tolist():
        values = [total, maximum, *[0] * (lanes - 2), *sums]
        for start in range(0, len(values), lanes):
            beat = values[start : start + lanes]
            yield sum((value & mask) << shape.o_lane * n for n, value in enumerate(beat))


def state(rows):
    return streaming.State(rows[:, 1], rows[:, 0], rows[:, 2:])


@pytest.mark.parametrize("lanes", [2, 4])
def test_merging_is_the_golden_model_s(lanes):
    shape = config.load("tiny_attention", [f"output.lanes={lanes}"]).shape
    rng = np.random.default_rng(lanes)
    n, most = 40, shape.max_keys // 2 * shape.p.max
    rows = []
    for _ in range(2):
        maximum = rng.integers(-12, 12, n)
        maximum[::7] = rng.choice([-512, 512], len(maximum[::7]))
        total = rng.integers(0, most, n)
        sums = rng.integers(-most * 128, most * 127, (n, shape.dimension))
        maximum[3], total[3], sums[3] = shape.lowest, 0, 0
        rows.append(np.column_stack([total, maximum, sums]))
    golden = streaming.merge(state(rows[0]), state(rows[1]))
    wanted = np.column_stack([golden.total, golden.maximum, golden.output])
    a, b = (list(beats_of(each, shape)) for each in rows)
    assert merged(shape, a, b, rng) == list(beats_of(wanted, shape))


def test_engines_of_two_halves_and_one_of_the_whole_agree(seed):
    settings = config.load("tiny_attention")
    whole = next(
        job
        for index in range(40)
        if (job := kinds.of(settings).case(settings, seed, index, 24).job).shape[3] > 12
    )
    whole = dataclasses.replace(whole, causal=False, window=0, position=0, partial=True)
    halves = [
        dataclasses.replace(
            whole, k=whole.k[:, part], v=whole.v[:, part],
            masked=None if whole.masked is None else whole.masked[:, part],
        )
        for part in (slice(None, 8), slice(8, None))
    ]  # fmt: skip
    rng = np.random.default_rng(seed)
    shape = settings.shape
    states = [result.c for result in pysim.jobs(settings, halves)]
    for half, found in zip(halves, states, strict=True):
        assert np.array_equal(found, half.expected(settings))
    a, b = (list(beats_of(each.reshape(-1, each.shape[2]), shape)) for each in states)
    found = merged(shape, a, b, rng)
    golden = streaming.merge(*(state(each.reshape(-1, each.shape[2])) for each in states))
    wanted = np.column_stack([golden.total, golden.maximum, golden.output])
    assert found == list(beats_of(wanted, shape))
    # Other blocks, other roundings: each p is off by at most one, each floor by less.
    one = state(whole.expected(settings).reshape(len(wanted), -1))
    assert (golden.maximum == one.maximum).all()
    assert abs(golden.total - one.total).max() <= whole.shape[3] + 2


def test_an_engine_without_states_has_none_to_merge():
    with pytest.raises(ValueError, match="gives no states"):
        StateMerge(shape=config.load("attention_16x4").shape)
