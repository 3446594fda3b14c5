"""The training script: one line where it cannot train, and what it writes where it can."""

import dataclasses
import json
import subprocess
import sys

import pytest

from matweave.zoo import taggers
from matweave.zoo.jets import sample


def train(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "matweave.zoo.train", *arguments],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip


def test_what_it_cannot_train_on_is_one_line(tmp_path):
    (tmp_path / "jets.npz").write_bytes(b"no jets")
    for name, message in (
        ("none.npz", "none.npz: No such file or directory"),
        ("jets.npz", "jets.npz: is not what matweave data jets writes"),
    ):
        ended = train(tmp_path, "jet_mlp", "--data", name, "-o", "out")
        assert ended.returncode == 2
        assert ended.stderr == f"matweave: error: {message}\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.requires_tool("keras", "hgq", "jax")
@pytest.mark.parametrize("name", ["jet_mlp", "jet_deepsets", "jet_interaction"])
def test_it_trains(tmp_path, name):
    """On the held-out jets under another seed, one epoch: refused under their own."""
    jets = sample.load()
    jets.save(tmp_path / "held_out.npz")
    options = ("--epochs", "1", "-o", "out")
    ended = train(tmp_path, name, "--data", "held_out.npz", *options)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == (
        "matweave: error: these jets are held out; take another --seed for matweave data jets"
    )
    dataclasses.replace(jets, recipe={"seed": 99}).save(tmp_path / "jets.npz")
    ended = train(tmp_path, name, "--data", "jets.npz", *options)
    assert ended.returncode == 0, ended.stderr
    kinds = ("keras", "json", "scores.npz")
    assert {each.name for each in (tmp_path / "out").iterdir()} == {f"{name}.{k}" for k in kinds}
    training = json.loads((tmp_path / "out" / f"{name}.json").read_text())
    assert training["script"] == taggers.script_digest()
    assert training["bit_operations"] > 0
