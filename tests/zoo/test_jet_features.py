"""The 16 features: their definitions, written out naively, and FastJet's own reclustering."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matweave.zoo.jets import features as module
from matweave.zoo.jets import sample
from matweave.zoo.jets.data import FEATURES
from matweave.zoo.jets.features import correlations, features, groomed, mass


def jet(seed, count):
    rng = np.random.default_rng(seed)
    pt = rng.exponential(50, count) + 0.1
    return np.stack([pt, *rng.normal(0, 0.3, (2, count))], axis=1)


def named(constituents):
    return dict(zip(FEATURES, features(constituents), strict=True))


def by_definition(constituents):
    """The correlations by the sums over pairs and triples that define them."""
    total = sum(row[0] for row in constituents)
    z = [row[0] / total for row in constituents]
    everybody = range(len(z))

    def angle(i, j):
        one, other = constituents[i], constituents[j]
        return math.hypot(one[1] - other[1], math.remainder(one[2] - other[2], math.tau))

    def e2(beta):
        pairs = itertools.combinations(everybody, 2)
        return sum(z[i] * z[j] * angle(i, j) ** beta for i, j in pairs)

    def e3(beta, angles):
        result = 0.0
        for i, j, k in itertools.combinations(everybody, 3):
            chosen = sorted([angle(i, j), angle(j, k), angle(k, i)])[:angles]
            result += z[i] * z[j] * z[k] * math.prod(chosen) ** beta
        return result

    values = {f"c1_b{beta}_mmdt": e2(beta) for beta in (0, 1, 2)}
    for beta in (1, 2):
        values |= {
            f"c2_b{beta}_mmdt": e3(beta, 3) / e2(beta) ** 2,
            f"d2_b{beta}_mmdt": e3(beta, 3) / e2(beta) ** 3,
            f"d2_a1_b{beta}_mmdt": e3(1, 3) / e2(beta) ** (3 / beta),
            f"m2_b{beta}_mmdt": e3(beta, 1) / e2(beta),
            f"n2_b{beta}_mmdt": e3(beta, 2) / e2(beta) ** 2,
        }
    return values


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1 << 30), count=st.integers(2, 12))
def test_correlations_are_what_defines_them(seed, count):
    constituents = jet(seed, count)
    assert correlations(constituents) == pytest.approx(by_definition(constituents), rel=1e-9)


def test_two_prongs_by_hand():
    """A 60:40 split at a distance of 0.5: nothing is groomed away."""
    two = np.array([[60.0, 0.0, 0.0], [40.0, 0.3, -0.4]])
    values = named(two)
    assert values["multiplicity"] == 2
    assert values["zlogz"] == pytest.approx(0.6 * math.log(0.6) + 0.4 * math.log(0.4))
    assert [values[f"c1_b{beta}_mmdt"] for beta in (0, 1, 2)] == pytest.approx([0.24, 0.12, 0.06])
    assert values["mass_mmdt"] == pytest.approx(
        math.sqrt(2 * 60 * 40 * (math.cosh(0.3) - math.cos(0.4)))
    )
    assert values["n2_b1_mmdt"] == values["d2_b2_mmdt"] == 0


@pytest.mark.parametrize(("soft", "left"), [(5.0, [0]), (9.9, [0]), (11.2, [0, 1])])
def test_a_soft_branch_is_dropped(soft, left):
    """Up to a share of 0.1 of the two branches."""
    assert list(groomed(np.array([[100.0, 0, 0], [soft, 0.5, 0.1]]))) == left


def test_wide_soft_radiation_goes_and_the_prongs_stay():
    prongs = [[500.0, -0.1, 0.0], [400.0, 0.1, 0.05], [30.0, 0.11, 0.05]]
    constituents = np.array([*prongs, [3.0, 0.6, 0.4], [2.0, -0.5, 0.5]])
    assert list(groomed(constituents)) == [0, 1, 2]
    assert mass(constituents) > mass(constituents[:3]) == named(constituents)["mass_mmdt"]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1 << 30), turn=st.floats(-3, 3), scale=st.floats(0.5, 2))
def test_boosts_along_the_beam_turns_and_units_change_nothing_but_the_mass(seed, turn, scale):
    constituents = jet(seed, 20)
    moved = constituents * [scale, 1, 1] + [0, turn / 2, turn]
    before, after = named(constituents), named(moved)
    assert after.pop("mass_mmdt") == pytest.approx(scale * before.pop("mass_mmdt"), rel=1e-6)
    assert after == pytest.approx(before, rel=1e-6, abs=1e-12)


def test_padding_and_order_change_nothing():
    constituents = jet(3, 15)
    padded = np.concatenate([constituents[::-1], np.zeros((5, 3))])
    assert features(padded) == pytest.approx(features(constituents))


@pytest.mark.parametrize("count", [0, 1])
def test_a_jet_of_nothing_or_one_particle_has_finite_features(count):
    values = features(np.array([[100.0, 0, 0]] * count).reshape(count, 3))
    assert (values[:-1] == 0).all()
    assert values[-1] == count


def test_the_sample_has_the_masses_of_its_particles():
    """Medians of W, Z and top jets, GeV; some of what they decay to is not in the jet."""
    jets = sample.load()
    masses = jets.features[:, FEATURES.index("mass_mmdt")]
    medians = [float(np.median(masses[jets.labels == label])) for label in range(5)]
    assert medians[2] == pytest.approx(80.4, rel=0.06)
    assert medians[3] == pytest.approx(91.2, rel=0.06)
    assert medians[4] == pytest.approx(172, rel=0.08)
    assert medians[1] < medians[0] < 80


@pytest.mark.slow
@pytest.mark.requires_tool("fastjet")
def test_grooming_is_that_of_fastjets_clusters():
    import fastjet

    for seed in range(300):
        constituents = jet(seed, 40)
        particles = []
        for index, momentum in enumerate(module.momenta(constituents)):
            particles.append(fastjet.PseudoJet(*map(float, momentum)))
            particles[-1].set_user_index(index)
        definition = fastjet.JetDefinition(fastjet.cambridge_algorithm, 1000.0)
        clustered = fastjet.ClusterSequence(particles, definition)
        branch = clustered.inclusive_jets()[0]
        while True:
            one, other = fastjet.PseudoJet(), fastjet.PseudoJet()
            if not branch.has_parents(one, other):
                break
            soft, hard = sorted([one, other], key=lambda each: each.pt())
            if soft.pt() > module.Z_CUT * (soft.pt() + hard.pt()):
                break
            branch = hard
        expected = sorted(each.user_index() for each in branch.constituents())
        assert list(groomed(constituents)) == expected
