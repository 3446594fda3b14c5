"""HGQ2's attention through hls4ml's own front end, and folded."""

import os
from pathlib import Path

import numpy as np
import pytest

from matweave.hw.network.fold.evaluate import evaluate
from matweave.hw.network.fold.sections import fold
from matweave.hw.network.reading import read
from matweave.sim.golden import network as golden

MODELS = Path(__file__).parents[2] / "shared" / "data" / "models"
pytestmark = pytest.mark.requires_tool("hls4ml")


def test_hls4ml_finds_the_attention_of_newer_versions():
    from hls4ml.converters.keras_v3._base import registry

    import matweave.hls4ml_handlers  # noqa: F401

    assert {
        "hgq.layers.attn.mha.QMultiHeadAttention",
        "hgq.layers.attn.linformer.QLinformerAttention",
    } <= set(registry)


@pytest.mark.slow
@pytest.mark.requires_tool("models")
@pytest.mark.requires_tool("keras", "hgq", "jax")
def test_the_tagger_is_what_keras_computes(tmp_path, monkeypatch):
    """Eight particles that fill the ranges of its quantisers, and wrap in them; folded to one
    particle per cycle it takes an eighth of the products of two values."""
    monkeypatch.setitem(os.environ, "KERAS_BACKEND", "jax")
    import hgq  # noqa: F401
    import hls4ml
    import keras

    keras_model = keras.models.load_model(MODELS / "mha_8particles.keras", compile=False)
    model = hls4ml.converters.convert_from_keras_model(
        keras_model, backend="Matweave", output_dir=str(tmp_path)
    )
    network = read(model)
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(0, 1.5, (6000, 8, 3)), rng.uniform(-32, 32, (6000, 8, 3))])
    x = x.astype(np.float32)
    raw = golden.quantised(x.reshape(len(x), -1), network.input.result)
    expected = keras_model.predict(x, verbose=0, batch_size=1024)
    results = golden.predict(network, raw) * 2.0 ** -network[network.output].result.fraction
    assert (results == expected).all()
    assert len(np.unique(results, axis=0)) > 11_000

    folded = fold(network, 8)
    assert (evaluate(folded, raw) * 2.0 ** np.array(folded.exponents) == results).all()
    products = sum(
        each.graph[i].op == "multiply" for each in folded.sections for i in each.graph.live()
    )
    assert 200 < products <= 2 * 8 * 16
