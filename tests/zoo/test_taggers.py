"""The taggers that ship: trained by the script that is here, and their hardware's scores."""

import hashlib
import json

import numpy as np
import pytest

from matweave.hw.errors import UserError
from matweave.hw.network import store
from matweave.sim.golden import network as golden
from matweave.zoo import metrics, plots, taggers
from matweave.zoo.jets import sample
from matweave.zoo.jets.data import CLASSES, Jets
from matweave.zoo.taggers import Inputs

NAMES = ["jet_deepsets", "jet_interaction", "jet_mlp", "jet_transformer"]
WITH_NETWORK = ["jet_mlp"]


def stored_scores(tagger):
    with np.load(tagger.scores) as stored:
        return dict(stored)


def test_these_are_all():
    assert taggers.names() == NAMES == list(taggers.NAMES)
    files = (each for each in taggers.WEIGHTS.iterdir() if each.is_file())
    shipped = {each.name for each in files if each.suffix != ".py"}
    kinds = ("keras", "json", "scores.npz")
    expected = {f"{name}.{kind}" for name in NAMES for kind in kinds}
    assert shipped == expected | {f"{name}.network.json" for name in WITH_NETWORK}
    with pytest.raises(UserError, match="'mlp' is none; allowed are jet_deepsets, jet_int"):
        taggers.load("mlp")


@pytest.mark.parametrize("name", NAMES)
def test_it_is_what_the_script_here_trains_and_was_held_out(name):
    training = taggers.load(name).training
    assert training["script"] == taggers.script_digest(), "train it again, with its command"
    held_out = hashlib.sha256(sample.SAMPLE.read_bytes()).hexdigest()
    assert training["held_out"] == {"jets": len(sample.load()), "sha256": held_out}
    assert training["data"]["seed"] != sample.load().recipe["seed"]


@pytest.mark.parametrize("name", NAMES)
def test_its_recorded_results_are_those_of_its_scores(name):
    tagger, labels = taggers.load(name), sample.load().labels
    for kind, scores in stored_scores(tagger).items():
        recorded = dict(tagger.training["results"][kind])
        del recorded["training_accuracy"]
        assert metrics.summary(scores, labels, CLASSES) == recorded
        assert recorded["accuracy"] > 0.4


@pytest.mark.parametrize("name", WITH_NETWORK)
def test_the_golden_model_gives_the_quantised_scores(name):
    tagger, jets = taggers.load(name), sample.load()
    network = store.load(tagger.network)
    x = tagger.inputs(jets)
    raw = golden.predict(network, golden.quantised(x.reshape(len(x), -1), network.input.result))
    scores = raw * 2.0 ** -network[network.output].result.fraction
    assert (scores == stored_scores(tagger)["quantised"]).all()


@pytest.mark.slow
@pytest.mark.requires_tool("keras", "hgq", "jax", "hls4ml")
@pytest.mark.parametrize("name", WITH_NETWORK)
def test_the_network_is_what_hls4ml_reads_from_the_model(name):
    from matweave.importing import read_model

    tagger = taggers.load(name)
    made = store.from_tables(read_model(tagger.keras, name, logits=True))
    assert store.digest(made) == store.digest(store.load(tagger.network))


def test_inputs_have_mean_0_and_variance_1_and_padding_stays_0():
    jets = sample.load()
    x = Inputs.of("features", jets)(jets)
    assert x.shape == (3000, 16)
    assert x.mean(axis=0) == pytest.approx(np.zeros(16), abs=1e-4)
    assert x.std(axis=0) == pytest.approx(np.ones(16), rel=1e-4)
    x = Inputs.of("constituents", jets)(jets)
    there = jets.constituents[..., 0] > 0
    assert x.shape == (3000, 16, 3)
    assert (x[there] ** 2).mean(axis=0) == pytest.approx(np.ones(3), rel=1e-4)
    assert not x[~there].any()
    log = np.log1p(jets.constituents[..., 0].astype(float))
    assert x[..., 0] / x[0, 0, 0] == pytest.approx(log / log[0, 0], rel=1e-5)


def test_particles_are_constituents_with_distance_share_and_mass():
    """Of a jet with 3 and 1 GeV, by hand; padding stays 0."""
    constituents = np.zeros((1, 20, 3))
    constituents[0, :2] = [[3, 0.3, -0.4], [1, 0, 0.1]]
    jet = Jets(np.array([0]), np.zeros((1, 16)), constituents)
    x = Inputs("particles", (0,) * 6, (1,) * 6)(jet)
    assert x.shape == (1, *taggers.SHAPES["particles"])
    first = [np.log(4), 0.3, -0.4, 0.5, 0.75, np.sqrt(0.75) / 2]
    assert x[0, 0] == pytest.approx(first)
    assert x[0, 1] == pytest.approx([np.log(2), 0, 0.1, 0.1, 0.25, 0.05])
    assert not x[0, 2:].any()


def test_jets_without_constituents_are_refused_and_few_are_padded():
    jets = sample.load().first(3)
    bare = Jets(jets.labels, jets.features)
    inputs = Inputs("constituents", (0, 0, 0), (1, 1, 1))
    with pytest.raises(UserError, match="these jets have no constituents"):
        inputs(bare)
    few = Jets(jets.labels, jets.features, jets.constituents[:, :5])
    assert (inputs(few)[:, :5] == inputs(jets)[:, :5]).all()
    assert not inputs(few)[:, 5:].any()


def test_a_changed_script_is_noticed(tmp_path, monkeypatch):
    digest = taggers.script_digest()
    for path in taggers.SCRIPT.glob("*.py"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(taggers, "SCRIPT", tmp_path)
    assert taggers.script_digest() == digest
    with (tmp_path / "models.py").open("a") as file:
        file.write("\n")
    assert taggers.script_digest() != digest


# Metrics


def test_accuracy_and_confusion():
    scores = np.array([[3.0, 1, 0], [0, 1, 0], [2, 2, 0], [0, 0, 1]])
    labels = np.array([0, 1, 1, 2])
    assert metrics.accuracy(scores, labels) == 0.75
    assert metrics.confusion(scores, labels).tolist() == [[1, 0, 0], [0.5, 0.5, 0], [0, 0, 1]]
    assert metrics.probabilities(scores * 1000).sum(axis=1) == pytest.approx(np.ones(4))


def test_the_area_is_the_chance_of_the_right_order():
    """Of a true and a false one, equal scores counting half: also with ties."""
    rng = np.random.default_rng(1)
    true = rng.random(200) < 0.3
    for score in (rng.random(200), rng.integers(0, 5, 200) + true, np.zeros(200)):
        above = score[true][:, None] - score[~true]
        chance = ((above > 0) + 0.5 * (above == 0)).mean()
        assert metrics.auc(score.astype(float), true) == pytest.approx(chance)
    wrong, right = metrics.roc(rng.random(200), true)
    assert (wrong[0], right[0], wrong[-1], right[-1]) == (0, 0, 1, 1)
    assert (np.diff(wrong) >= 0).all()
    assert (np.diff(right) >= 0).all()


@pytest.mark.requires_tool("matplotlib")
def test_a_picture_is_drawn_of_each_set_of_scores():
    labels = sample.load().labels
    scores = {"float": np.eye(5)[labels], "golden": np.eye(5)[(labels + 1) % 5]}
    drawn = plots.png("t", scores, labels, CLASSES)
    assert drawn.startswith(b"\x89PNG")
    assert len(drawn) > 10_000
    assert drawn != plots.png("t", {"float": scores["float"]}, labels, CLASSES)


def test_the_recipe_names_what_it_was_made_with():
    for name in NAMES:
        training = taggers.load(name).training
        assert json.dumps(training)
        assert training["command"].startswith(f"python -m matweave.zoo.train {name} --data")
        assert training["data"]["command"].startswith("matweave data jets --jets")
        assert set(training["versions"]) == {"keras", "HGQ2", "jax"}
