"""The parts of the streaming engine, each against its definition, exhaustively where small."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from matweave.hw.arith.divider import ConstantDivider, PipelinedDivider, PipelinedReciprocal
from matweave.hw.arith.levels import levels
from matweave.hw.arith.sums import DotProduct, Sum
from matweave.hw.attention.accumulate import ShiftAccumulator
from matweave.hw.attention.blocks import BlockQueue
from matweave.hw.attention.exponential import Exponential
from matweave.hw.attention.running import RunningMaximum
from matweave.hw.formats import Format
from matweave.sim import ports
from matweave.sim.golden.attention import integers


def packed(values, width):
    return sum((int(v) & ((1 << width) - 1)) << (width * n) for n, v in enumerate(values))


def signed(value, width):
    return value - (1 << width) if value >> (width - 1) else value


def unsigned(values, width):
    return [int(value) & ((1 << width) - 1) for value in values]


@pytest.mark.parametrize(("terms", "latency"), [(1, 1), (8, 1), (9, 2), (64, 2), (65, 3)])
def test_a_dot_product_and_a_sum_are_exact_and_take_a_rank_per_eight(terms, latency):
    assert levels(terms) == latency
    rng = np.random.default_rng(terms)
    a = rng.integers(0, 32, (12, terms))
    b = rng.integers(-8, 8, (12, terms))
    a[0], b[0] = 31, -8  # the extreme
    dot = DotProduct(terms=terms, a_format=Format(5, False), b_format=Format(4))
    width = dot.o_width
    inputs = {
        "a": [packed(row, 5) for row in a] + [0] * latency,
        "b": [packed(row, 4) for row in b] + [0] * latency,
    }
    found = ports.simulated(dot, inputs)["o"]
    # A signed port is given as a signed number.
    assert [signed(x & ((1 << width) - 1), width) for x in found[latency:]] == (a * b).sum(
        axis=1
    ).tolist()
    total = ports.simulated(Sum(terms=terms, width=5), {"i": inputs["a"]})["o"]
    assert total[latency:] == a.sum(axis=1).tolist()


def test_the_pipelined_divider_is_exact_for_every_mantissa():
    width, precision = 9, 11
    divider = PipelinedReciprocal(width=width, precision=precision)
    values = range(1 << (width - 1), 1 << width)
    found = ports.simulated(divider, {"i": [*values, *[1 << 8] * divider.latency]})["o"]
    assert found[divider.latency :] == [(1 << (width - 1 + precision)) // n for n in values]


def test_the_pipelined_divider_is_exact_whatever_the_numerator():
    pairs = [(n, i) for i in (1, 2, 7, 100, 128, 255) for n in range(2 * i)]
    divider = PipelinedDivider(width=8, bits=6)
    filler = [1] * divider.latency
    n, i = zip(*pairs, strict=True)
    found = ports.simulated(divider, {"n": [*n, *filler], "i": [*i, *filler]})["o"]
    assert found[divider.latency :] == [32 * n // i for n, i in pairs]
    with pytest.raises(ValueError, match="bits must be an even positive integer, not 5"):
        PipelinedDivider(width=8, bits=5)


@pytest.mark.parametrize(
    ("numerator", "least", "width"),
    [(1 << 19, 1 << 8, 9), ((1 << 17) - 1, 5, 8), (1 << 14, 3, 4), (255 * 16, 16, 8), (9, 9, 5)],
)
def test_the_divider_of_a_constant_is_exact(numerator, least, width):
    divider = ConstantDivider(numerator=numerator, least=least, width=width)
    latency = divider.latency
    start, given, wanted, at = [], [], [], []
    for value in range(least, 1 << width):
        start += [1] + [0] * latency
        given += [value] * (latency + 1)
        at.append(len(start) - 1)
        wanted.append(numerator // value)
    found = ports.simulated(divider, {"start": start, "i": given})["o"]
    assert [found[cycle] for cycle in at] == wanted


def test_dividers_that_do_not_work_are_refused():
    with pytest.raises(ValueError, match="least must be positive, of at most 4 bits"):
        ConstantDivider(numerator=100, least=16, width=4)
    with pytest.raises(ValueError, match="must be an odd positive integer, not 8"):
        PipelinedReciprocal(width=4, precision=8)


@pytest.mark.parametrize(("place", "places"), [(0, 1), (0, 4), (3, 4)])
def test_an_exponential_is_the_golden_model_s_for_every_distance(place, places):
    fraction, width = 3, 8
    rng = np.random.default_rng(1)
    t = np.concatenate([np.arange(0, 30 << fraction), rng.integers(0, 1 << 16, 300), [1 << 16]])
    counts = rng.integers(0, 8, len(t)) > 0
    dut = Exponential(fraction=fraction, width=width, place=place, places=places)
    inputs = {"t": t.tolist(), "counts": counts.astype(int).tolist()}
    inputs = {name: values + [0] * dut.latency for name, values in inputs.items()}
    found = ports.simulated(dut, inputs)["o"][dut.latency :]
    table = integers.powers(fraction, width)
    golden = integers.exponential(t, table, fraction, lane=place, lanes=places)
    assert found == np.where(counts, golden, 0).tolist()


def test_an_exponential_refuses_a_place_that_is_none():
    with pytest.raises(ValueError, match="not 4 of 4"):
        Exponential(fraction=3, width=8, place=4, places=4)


def test_the_running_maximum_for_every_pair():
    width, bits = 5, 4
    pairs = list(itertools.product(range(-16, 16), range(-16, 16), (0, 1)))
    inputs = dict(zip(("m", "c", "first"), map(list, zip(*pairs, strict=True)), strict=True))
    found = ports.simulated(RunningMaximum(maximum=Format(width), shift_bits=bits), inputs)
    results = zip(found["o"], found["shift"], found["align"], strict=True)
    for (m, c, first), (o, shift, align) in zip(pairs, results, strict=True):
        new = c if first else max(m, c)
        assert signed(o & 31, width) == new
        assert shift == (0 if first else min(new - m, 15))
        assert align == min(new - c, 15)


@pytest.mark.parametrize("is_signed", [True, False])
def test_a_state_shrinks_by_floor_and_grows_by_what_is_rounded(is_signed):
    rng = np.random.default_rng(1)
    dut = ShiftAccumulator(
        i_format=Format(6, is_signed), o_format=Format(10, is_signed), shift_bits=4
    )
    low, high = (-32, 32) if is_signed else (0, 64)
    i = rng.integers(low, high, 400)
    shift = rng.choice([0, 0, 1, 2, 9, 15], 400)
    align = rng.choice([0, 0, 1, 2, 5, 6, 7, 15], 400)
    first = rng.integers(0, 10, 400) == 0
    first[0] = True
    en = rng.integers(0, 4, 400) > 0
    inputs = {"i": i, "shift": shift, "align": align, "first": first, "en": en | first}
    found = ports.simulated(dut, {name: values.tolist() for name, values in inputs.items()})["o"]
    state = 0
    for cycle in range(399):
        if en[cycle] or first[cycle]:
            rounded = math.floor(Fraction(int(i[cycle]), 1 << int(align[cycle])) + Fraction(1, 2))
            state = (0 if first[cycle] else state >> int(shift[cycle])) + rounded
        assert found[cycle + 1] & 1023 == state & 1023


def test_blocks_leave_whole_with_their_maximum():
    """Any lengths, any pauses on both sides; nothing is lost or twice."""
    rng = np.random.default_rng(2)
    depth, sent, i, o = 8, [], [], []
    while len(i) < 60:
        for beat in range(length := int(rng.integers(1, 5))):
            i.append((len(i), int(rng.integers(-8, 8)), beat == length - 1))
    dut = BlockQueue(width=8, depth=depth, maximum=Format(4))
    given, inside = list(i), 0
    inputs = {name: [] for name in ("i_valid", "i_end", "i_data", "i_highest", "o_ready")}
    # What goes in is decided beforehand, slowly enough that there is room for it.
    for cycle in range(400):
        send = bool(given) and cycle % 4 == 0
        data, highest, end = given.pop(0) if send else (0xA5, 7, 1)
        for name, value in (
            ("i_valid", send), ("i_end", end), ("i_data", data), ("i_highest", highest),
            ("o_ready", rng.integers(2)),
        ):  # fmt: skip
            inputs[name].append(int(value))
    found = ports.simulated(dut, inputs)
    for cycle in range(400):
        if inputs["i_valid"][cycle]:
            sent.append(inputs["i_data"][cycle])
        inside = len(sent) - len(o)
        assert 0 <= inside <= depth
        if found["o_valid"][cycle] and inputs["o_ready"][cycle]:
            o.append([found[name][cycle] for name in ("o_data", "o_highest")])
    wanted, start = [], 0
    for number, (_, _, end) in enumerate(i):
        if end:
            block = i[start : number + 1]
            most = max(highest for _, highest, _ in block)
            wanted += [[data, most & 15] for data, _, _ in block]
            start = number + 1
    o = [[data, highest & 15] for data, highest in o]
    assert o == wanted
