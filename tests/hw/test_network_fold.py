"""Folded networks: not a bit differs from the golden model, which knows nothing of folding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matweave.hw.errors import ConfigError
from matweave.hw.fixed import Fixed, FixedOverflow, FixedRounding
from matweave.hw.network.design import design
from matweave.hw.network.fold.evaluate import evaluate
from matweave.hw.network.fold.options import cycles
from matweave.hw.network.fold.paces import Pace
from matweave.hw.network.fold.phases import cast
from matweave.hw.network.fold.sections import fold
from matweave.hw.network.fold.times import schedule
from matweave.hw.network.fold.tokens import Way, ways
from matweave.hw.network.layers import Cast, Dense, Input, Network, PhasedCast, Reshape, Select
from matweave.hw.network.lower.builder import Builder, Value
from matweave.hw.network.timing import FAMILIES
from matweave.sim.golden import network as golden
from matweave.sim.stimuli import networks, token_networks

ECP5 = FAMILIES["ecp5"]


def real(network, raw):
    return golden.predict(network, raw) * 2.0 ** -network[network.output].result.fraction


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    reuse=st.sampled_from([1, 2, 3, 6]),
    heads=st.integers(1, 2),
    any_mode=st.booleans(),
)
def test_folding_changes_no_bit(seed, reuse, heads, any_mode):
    network = token_networks.tagger(seed, tokens=6, heads=heads, any_mode=any_mode)
    folded = fold(network, reuse)
    x = networks.inputs(network, seed, 200)
    results = evaluate(folded, x) * 2.0 ** np.array(folded.exponents)
    assert (results == real(network, x)).all()


F = Fixed
ROUNDED = Fixed(9, 6, True, FixedRounding.RND, FixedOverflow.WRAP)
CUT = Fixed(9, 6, True, FixedRounding.TRN, FixedOverflow.WRAP)


def grid():
    """A transposition that orders the tokens of a cycle otherwise in every cycle."""
    index = np.arange(24).reshape(4, 3, 2).transpose(1, 0, 2).ravel()
    x = Input("x", None, (12, 2), F(8, 4))
    return Network("grid", (x, Select("s", "x", (12, 2), F(8, 4), index=index)), "s")


def joined():
    """A token's values from two layers, then casts of which every other one rounds."""
    x = Input("x", None, (2, 1), F(8, 4))
    dense = Dense(
        "d", "x", (2, 8), F(24, 9), weight=np.array([[1, 3, -2, 1, 3, -1, 2, 1]]),
        weight_format=F(4, 2), bias=np.ones(16, int), bias_format=F(4, 1), accum=F(30, 15),
    )  # fmt: skip
    index = np.concatenate([np.arange(2)[:, None], np.arange(16).reshape(2, 8) + 2], 1)
    both = Select("s", ("x", "d"), (2, 9), F(24, 9), index=index.ravel())
    formats = tuple(ROUNDED if place % 2 else CUT for place in range(9)) * 2
    return Network("joined", (x, dense, both, Cast("c", "s", (2, 9), F(16, 9), formats)), "c")


@pytest.mark.parametrize(
    ("made", "reuse"), [*((grid, reuse) for reuse in (1, 2, 3, 4, 6, 12)), (joined, 1), (joined, 2)]
)
def test_layers_that_are_hard_to_fold(made, reuse):
    network = made()
    folded = fold(network, reuse)
    x = networks.inputs(network, 1, 200)
    results = evaluate(folded, x) * 2.0 ** np.array(folded.exponents)
    assert (results == real(network, x)).all()


def test_a_network_without_layers():
    network = Network("none", (Input("x", None, (4, 2), F(8, 4)),), "x")
    for each in (1, 4):
        made = design(network, fold=each)
        assert made.manifest["performance"]["latency"] >= 1
        assert "module none" in made.verilog


def test_multipliers_are_shared_by_the_tokens():
    network = token_networks.tagger(2, tokens=6)
    counts = {}
    for reuse in (1, 6):
        nodes = [each.graph[i] for each in fold(network, reuse).sections
                 for i in each.graph.live()]  # fmt: skip
        counts[reuse] = sum(node.op == "multiply" for node in nodes)
    # Not a sixth: without folding, what a token's formats leave nothing of is not multiplied.
    assert counts[1] > 4 * counts[6] > 0


def test_the_sections_of_a_transformer():
    """Up to the keys; scores; what follows the values; all tokens together."""
    folded = fold(token_networks.tagger(1), 4)
    assert [each.serial for each in folded.sections] == [True, True, True, False, False]
    times = schedule(folded, ECP5)
    for number, section in enumerate(folded.sections):
        for feed in filter(None, section.feeds):
            ready = times.ready(feed.section) + (4 if feed.phase is not None else 0)
            assert ready <= times.times[number]
    assert times.count == times.times[-1] + times.placed[-1].count


def test_stages_are_shared_out():
    folded = fold(token_networks.tagger(1), 4)
    placed = schedule(folded, ECP5, stages=9).placed
    assert sum(each.count for each in placed) == 9
    assert min(each.count for each in placed) >= 1
    assert sum(each.count for each in schedule(folded, ECP5, stages=320).placed) == 320
    with pytest.raises(ConfigError, match=r"^dsps: must be 0 or more products, not -1$"):
        design(token_networks.tagger(1), dsps=-1)
    with pytest.raises(ConfigError, match=r"^stages: must be 5 to 320, not 3$"):
        schedule(folded, ECP5, stages=3)


def all_formats(rng):
    """Of a few bits, in every mode, and none."""
    made = [networks.fixed(rng, widths=(2, 6)) for _ in range(3)]
    return (*made, None)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 1 << 30), alike=st.booleans())
def test_casts_by_phase(seed, alike):
    """Every number of eight bits, in every phase, as that phase's format alone has it."""
    rng = np.random.default_rng(seed)
    formats, exponent, result = all_formats(rng), -int(rng.integers(0, 5)), Fixed(20, 12)
    if alike:  # what HGQ2 has: half up, and one overflow
        modes = FixedRounding.RND, list(FixedOverflow)[rng.integers(len(FixedOverflow))]
        formats = tuple(each and Fixed(each.width, each.integer, each.signed, *modes)
                        for each in formats)  # fmt: skip
    build = Builder(None)
    value = Value(build.graph.input(0, -128, 127), exponent)
    phase = build.graph.input(1, 0, len(formats) - 1)
    layer = PhasedCast("cast", "x", (1,), result, tuple((each,) for each in formats))
    (made,) = cast(build, layer, [value], phase)
    build.graph.outputs = [made.value.node]
    raw = np.arange(-128, 128)
    for number, to in enumerate(formats):
        inputs = np.stack([raw, np.full(256, number)], axis=1)
        given = build.graph.evaluate(inputs)[:, 0] * 2.0**made.value.exponent
        expected = np.zeros(256)
        if to is not None:
            expected = golden.cast(golden.cast(raw, -exponent, to), to.fraction, result)
        assert (given == expected * 2.0**-result.fraction).all()
        low, high, unit = made.ranges[number]
        assert unit >= made.value.exponent
        assert (given % 2.0**unit == 0).all()
        assert low * 2.0**unit <= given.min() <= given.max() <= high * 2.0**unit


def test_tokens_are_followed_through_other_orders():
    result, tokens = Fixed(8, 4), 4
    places = np.arange(24).reshape(tokens, 2, 3)
    owners = places // 6

    def select(index):
        return Select("y", "x", index.shape, result, index=index.ravel())

    source = Way(owners.ravel(), frozenset(), Pace(tokens, tokens))

    def of(layer):
        return [way.owners.tolist() for way in ways(layer, [source])]

    turned = places.transpose(1, 0, 2)
    assert of(select(turned)) == [owners[turned // 6, 0, 0].ravel().tolist()]
    swapped = places.copy()
    swapped[1] = swapped[1, ::-1]  # in one token another order than in the others
    assert not of(select(swapped))
    assert not of(select(places[:, :, :2].reshape(2, 8)[:1]))  # not of all tokens
    assert not ways(select(turned), [None])
    assert of(Reshape("y", "x", (24,), result)) == [owners.ravel().tolist()]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (3, r"^fold: 3 cycles do not divide the 4 tokens of an input of the shape \[4, 2\]; "
            r"allowed are 1, 2, 4 and multiples of 4$"),
        (0, "^fold: must be 1 to 4096 cycles, not 0$"),
        ("token", "^fold: must be 'tokens', 'stream' or a number of cycles, not 'token'$"),
        (True, "^fold: must be"),
        (2.0, "^fold: must be"),
    ],
)  # fmt: skip
def test_other_foldings_are_refused(wanted, message):
    with pytest.raises(ConfigError, match=message):
        design(token_networks.tagger(1), fold=wanted)


def test_cycles_per_sample():
    network = token_networks.tagger(1)
    assert [cycles(network, each) for each in (None, 1, 2, "tokens")] == [1, 1, 2, 4]
    assert design(network, fold="tokens").manifest["performance"]["initiation_interval"] == 4


def test_the_widest_products_are_left_to_dsp_blocks():
    network = token_networks.tagger(2)
    texts = [design(network, fold=4, dsps=count).core for count in (0, 5)]
    assert [text.count(" * ") for text in texts] == [0, 5]
