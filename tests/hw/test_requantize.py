"""The requantiser against the golden model: corners, ties, every shift, stalls."""

import gc
import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from matweave.hw.arith.requantize import Requantizer
from matweave.hw.formats import Format, Rounding
from matweave.sim.golden.requantize import Requantize

CASES = [(32, rounding) for rounding in Rounding]
CASES += [(64, rounding) for rounding in Rounding if rounding is not Rounding.TFLITE_DOUBLE]


def run(requantizer, operands, rng):
    """Outputs for ``operands`` (i, multiplier, shift, zero_point, relu), with random stalls.

    Zero point and ReLU change only when nothing is on its way."""
    outputs, inputs = [], ("i", "multiplier", "shift", "zero_point", "relu")
    latency, played, wanted = requantizer.latency, [], []
    for before, operand in zip([operands[0], *operands], operands, strict=False):
        if before[3:] != operand[3:]:
            played += [before] * latency
        wanted.append(len(played) + latency - 1)
        played.append(operand)

    async def process(ctx):
        for operand in played + operands[-1:] * latency:
            for name, value in zip(inputs, operand, strict=True):
                ctx.set(getattr(requantizer, name), value)
            while rng.random() < 0.2:
                held = ctx.get(requantizer.o)
                ctx.set(requantizer.en, 0)
                await ctx.tick()
                assert ctx.get(requantizer.o) == held
            ctx.set(requantizer.en, 1)
            await ctx.tick()
            outputs.append(ctx.get(requantizer.o))

    simulator = Simulator(requantizer)
    simulator.add_clock(1e-6)
    simulator.add_testbench(process)
    simulator.run()
    return [outputs[place] for place in wanted]


def values(rng, format, multiplier, shift):
    """Operands of interest for one scale: extremes, ties and their neighbours, any."""
    yield from rng.sample([format.min, format.min + 1, -1, 0, 1, format.max], 2)
    small = rng.randrange(-300, 300)
    for numerator in (2 * small + 1, 2 * small):  # small + 1/2, small
        value = (numerator << shift) // (2 * max(multiplier, 1))
        yield min(max(value + rng.choice((0, 0, -1, 1)), format.min), format.max)
    yield rng.randint(format.min, format.max)
    yield rng.randint(format.min, format.max) >> rng.randrange(format.width)


def scales(rng):
    for shift in range(63):
        yield 1 << rng.randrange(31), shift  # ties are exact
        yield rng.choice([0, 1, 3, (1 << 30) - 1, 1 << 30, (1 << 31) - 1]), shift
        yield rng.getrandbits(31), shift


@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("width, rounding", CASES)
def test_golden(width, rounding, stages):
    rng = random.Random(width)
    in_format = Format(width)
    for out_format in (Format(8), Format(16, False)):
        operands, expected = [], []
        for multiplier, shift in scales(rng):
            zero_point = rng.choice([0, 0, -128, 7, rng.randrange(-1 << 16, 1 << 16)])
            relu = rng.random() < 0.3
            scale = Requantize(
                multiplier=multiplier,
                shift=shift,
                zero_point=zero_point,
                format=out_format,
                rounding=rounding,
            )
            chosen = list(values(rng, in_format, multiplier, shift))
            operands += [(value, multiplier, shift, zero_point, relu) for value in chosen]
            expected += scale(np.array(chosen)[:, None], in_format, relu=relu).ravel().tolist()
        requantizer = Requantizer(
            in_format=in_format,
            out_format=out_format,
            rounding=rounding,
            multiplier_stages=stages,
        )
        assert requantizer.latency == 2 + stages
        got = run(requantizer, operands, rng)
        wrong = [case for case in zip(operands, got, expected, strict=True) if case[1] != case[2]]
        assert not wrong, wrong[:3]


@pytest.mark.parametrize("rounding", [r for r in Rounding if r is not Rounding.TFLITE_DOUBLE])
@pytest.mark.parametrize("least", [1, 17, 31])
def test_a_shift_that_counts_from_a_least_one_and_few_scaled_bits(rounding, least):
    rng = random.Random(least)
    in_format, out_format, bits = Format(18), Format(8), 20
    operands, expected = [], []
    for multiplier, shift in scales(rng):
        if shift < least:
            continue
        scale = Requantize(
            multiplier=multiplier, shift=shift, zero_point=0, format=out_format, rounding=rounding
        )
        chosen = [
            value
            for value in values(rng, in_format, multiplier, shift)
            if -1 << (bits - 1) <= (value * multiplier) >> shift < 1 << (bits - 1)
        ]
        operands += [(value, multiplier, shift - least, 0, 0) for value in chosen]
        expected += scale(np.array(chosen)[:, None], in_format).ravel().tolist()
    requantizer = Requantizer(
        in_format=in_format,
        out_format=out_format,
        rounding=rounding,
        least_shift=least,
        scaled_bits=bits,
    )
    assert run(requantizer, operands, rng) == expected


@pytest.mark.parametrize("out", ["int2", "uint2", "int16", "uint5"])
@pytest.mark.parametrize("zero_point", [-(1 << 16), -1, 0, 3, (1 << 16) - 1])
def test_clamp_at_every_edge(out, zero_point):
    rng = random.Random(zero_point)
    out_format, in_format = Format.parse(out), Format(32)
    edges = (out_format.min - zero_point, out_format.max - zero_point, 0)
    chosen = [edge + delta for edge in edges for delta in (-1, 0, 1)]
    chosen += [in_format.min, in_format.max, -(1 << 17) - 1, -(1 << 17), (1 << 17) - 1, 1 << 17]
    for relu in (False, True):
        scale = Requantize(multiplier=1, shift=0, zero_point=zero_point, format=out_format)
        requantizer = Requantizer(
            in_format=in_format, out_format=out_format, rounding=Rounding.HALF_UP
        )
        operands = [(value, 1, 0, zero_point, relu) for value in chosen]
        expected = scale(np.array(chosen)[:, None], in_format, relu=relu).ravel().tolist()
        assert run(requantizer, operands, rng) == expected


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
@pytest.mark.parametrize(
    "options, message",
    [
        ({"in_format": Format(65)}, "in_format must be signed, of at most 64 bits, not int65"),
        ({"in_format": Format(32, False)}, "in_format must be signed, of at most 64 bits"),
        ({"out_format": Format(17)}, "out_format must have 2 to 16 bits, not 17"),
        (
            {"in_format": Format(64), "rounding": Rounding.TFLITE_DOUBLE},
            "tflite_double needs int32 as in_format",
        ),
        ({"rounding": "up"}, "'up' is not a valid Rounding"),
        ({"multiplier_stages": 3}, "multiplier_stages must be 1 or 2, not 3"),
        ({"least_shift": 46}, "least_shift must be 0 for tflite_double and at most 45, not 46"),
    ],
)
def test_bad_parameters(options, message):
    good = {"in_format": Format(32), "out_format": Format(8), "rounding": Rounding.HALF_UP}
    with pytest.raises(ValueError, match=message):
        Requantizer(**{**good, **options})
    gc.collect()  # the warning comes when the refused component is collected
