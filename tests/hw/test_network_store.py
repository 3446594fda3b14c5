"""Networks in files: the same network comes back, and of anything else one line."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matweave.hw.errors import ConfigError, OutputError
from matweave.hw.network import store
from matweave.sim.golden import network as golden
from matweave.sim.stimuli import networks


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_a_network_comes_back_from_its_file(tmp_path_factory, seed):
    network = networks.network(seed)
    path = tmp_path_factory.mktemp("store") / "net.network.json"
    store.save(network, path)
    again = store.load(path)
    assert store.digest(again) == store.digest(network)
    assert again.layers[0] == network.layers[0]
    assert [type(each) for each in again.layers] == [type(each) for each in network.layers]
    x = networks.inputs(network, seed, 50)
    for name, values in golden.trace(network, x).items():
        assert (golden.trace(again, x)[name] == values).all()


def test_a_network_is_written_over_another_only_when_whole(tmp_path):
    path = tmp_path / "net.json"
    store.save(networks.network(1), path)
    first = path.read_bytes()
    store.save(networks.network(2), path)
    assert path.read_bytes() != first
    assert [each.name for each in tmp_path.iterdir()] == ["net.json"]
    with pytest.raises(OutputError, match="is not a regular file"):
        store.save(networks.network(1), tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "is not what matweave writes"),
        (b'{"layers": [{"kind": "Lambda"}]}', "is not what matweave writes (KeyError: 'Lambda')"),
        (b'{"name": "n", "layers": [], "output": "y"}', "must begin with its Input layer"),
    ],
)
def test_other_files_are_one_line(tmp_path, content, message):
    path = tmp_path / "net.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        store.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"net.json: cannot be read: No such file"):
        store.load(tmp_path / "net.json")


def test_a_file_too_large_for_a_network_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "LARGEST", 1 << 20)
    path = tmp_path / "net.json"
    path.write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(ConfigError, match="is larger than 1 MiB"):
        store.load(path)


@pytest.mark.parametrize("value", [1.5, True, 1 << 63, "1", None])
def test_weights_that_are_no_integers_are_refused(value):
    network = next(
        each for each in map(networks.network, range(100))
        if any(hasattr(layer, "weight") for layer in each.layers)
    )  # fmt: skip
    tables = json.loads(store.text(network))
    weights = next(each["weight"] for each in tables["layers"] if "weight" in each)
    weights[:] = np.full_like(weights, value, dtype=object).tolist()
    with pytest.raises(ConfigError, match="is not what matweave writes"):
        store.from_tables(tables)
