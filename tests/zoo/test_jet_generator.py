"""``matweave data jets``: the same jets from the same seed, and one line where there are none."""

import importlib.metadata
import json
import multiprocessing
import operator
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from matweave.hw.errors import UserError
from matweave.zoo.jets import block, data, generator, sample
from matweave.zoo.jets.block import Block

PYTHIA = pytest.mark.requires_tool("pythia8mc", "fastjet")


def made_up(wanted, versions, processes):
    """What a generator of numbers gives for each block, the last one first."""
    for each in reversed(wanted):
        rng = np.random.default_rng(each.pythia_seed)
        shapes = {"features": (16,), "constituents": (32, 3), "jets": (4,)}
        numbers = {
            name: rng.random((block.LARGEST, *shape)).astype(np.float32)[: each.count]
            for name, shape in shapes.items()
        }
        yield each, numbers


@pytest.fixture
def without_pythia(monkeypatch):
    monkeypatch.setattr(generator, "_made", made_up)
    monkeypatch.setattr(generator, "installed", lambda: {"pythia8mc": "1", "fastjet": "2"})


@pytest.mark.parametrize("count", [1, 3, 5, 1000, 1003, 4998])
def test_blocks_are_all_jets_once(count):
    planned = generator.planned(count, 1)
    assert sum(each.count for each in planned) == count
    assert all(1 <= each.count <= block.LARGEST for each in planned)
    shares = [sum(each.count for each in planned if each.label == label) for label in range(5)]
    assert shares == [len(range(label, count, 5)) for label in range(5)]
    assert len({each.pythia_seed for each in planned}) == len(planned)


def test_fewer_jets_are_the_first_of_more(without_pythia):
    many = generator.generate(2503, 7)
    for count in (1, 4, 1000, 2003):
        few = generator.generate(count, 7)
        assert len(few) == count
        assert (few.labels == np.arange(count) % 5).all()
        for name, array in few.arrays().items():
            assert (array == many.arrays()[name][:count]).all()
    other = generator.generate(1000, 8)
    assert not (other.features == many.features[:1000]).any(axis=1).any()


def test_progress_ends_at_all_jets(without_pythia):
    told = []
    generator.generate(1203, 1, progress=lambda *each: told.append(each))
    assert told[-1] == ("generating jets", 1203, 1203)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_pythias_seeds_are_in_its_range(seed):
    seeds = [Block(seed, label, index, 1).pythia_seed for label in range(5) for index in range(99)]
    assert min(seeds) >= 1
    assert max(seeds) <= 900_000_000
    assert len(set(seeds)) == len(seeds)


def test_numbers_out_of_range_are_refused(without_pythia):
    with pytest.raises(UserError, match="jets: must be 1 to 1000000, not 0"):
        generator.generate(0, 1)
    with pytest.raises(UserError, match=r"seed: must be 0 to 2\*\*63 - 1"):
        generator.generate(1, 1 << 63)


def test_the_command_writes_the_file(without_pythia, matweave, tmp_path):
    path = tmp_path / "jets.npz"
    ended = matweave("data", "jets", "--jets", "12", "--seed", "3", "-o", path, "--json")
    assert ended.status == 0, ended.err
    result = json.loads(ended.out)
    assert result["classes"] == {"g": 3, "q": 3, "W": 2, "Z": 2, "t": 2}
    assert result["recipe"]["command"] == "matweave data jets --jets 12 --seed 3"
    assert len(data.load(path)) == 12
    ended = matweave("data", "jets", "--jets", "12", "-o", path, "--compact")
    assert "12 jets: 3 g, 3 q, 2 W, 2 Z, 2 t" in ended.out
    assert data.load(path).recipe["command"].endswith("--jets 12 --seed 1 --compact")


def test_a_package_that_is_missing_is_one_line(matweave, tmp_path, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    ended = matweave("data", "jets", "--jets", "12", "-o", tmp_path / "jets.npz")
    assert ended.status == 2
    assert ended.error == (
        "error: pythia8mc is not installed; it makes the jets: pip install --only-binary :all: "
        "'matweave[jets]'"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "data jets: exactly one of --jets, --openml and --hdf5"),
        (["--jets", "5", "--openml", "a.csv"], "data jets: exactly one of --jets, --openml"),
        (["--openml", "a.csv"], "a.csv: there is no such file"),
        (["--hdf5", "a.h5"], "a.h5: there is no such file"),
        (["--jets", "0"], "jets: must be 1 to 1000000, not 0"),
        (["--jets", "5", "-o", "no/jets.npz"], "no/jets.npz: its folder does not exist"),
    ],
)
def test_wrong_options_are_one_line(matweave, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    ended = matweave("data", "jets", "-o", "jets.npz", *options)
    assert ended.status == 2
    assert message in ended.error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("work", "argument", "message"),
    [
        (json.loads, "x", "Expecting value"),
        (signal.raise_signal, signal.SIGKILL, "a process that made jets was killed"),
    ],
)
def test_what_goes_wrong_in_a_process_is_told_and_ends_all(monkeypatch, work, argument, message):
    monkeypatch.setattr(generator, "stored", operator.call)
    with pytest.raises((UserError, ValueError), match=message):
        list(generator._made([work] * 8, argument, 2))
    assert not multiprocessing.active_children()


@pytest.mark.slow
@PYTHIA
def test_the_sample_is_what_its_recipe_makes(tmp_path, monkeypatch):
    """Its first jets, with another number of processes: the whole takes a minute."""
    monkeypatch.setenv("MATWEAVE_CACHE_DIR", str(tmp_path))
    count = 50
    made = generator.generate(count, 2, processes=2).compact()
    for name, array in sample.load().first(count).arrays().items():
        assert array == pytest.approx(made.arrays()[name], rel=1e-3, abs=1e-6)


@pytest.mark.slow
@PYTHIA
def test_an_interrupted_run_goes_on_and_leaves_the_earlier_file(tmp_path):
    (tmp_path / "jets.npz").write_bytes(b"earlier")
    command = [sys.executable, "-m", "matweave", "data", "jets", "--jets", "2000", "--processes",
               "2", "-o", "jets.npz"]  # fmt: skip
    environment = os.environ | {"MATWEAVE_CACHE_DIR": str(tmp_path / "cache")}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert "generating jets" in process.stderr.readline()
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode == 130
    assert err.splitlines()[-1] == "matweave: interrupted"
    assert "Traceback" not in err
    assert (tmp_path / "jets.npz").read_bytes() == b"earlier"
    assert list((tmp_path / "cache" / "jets").glob("*/jets.npz"))
