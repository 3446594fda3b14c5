"""Makes ``sample.npz``: ``python -m matweave.fpga.demos.jet_tagging.sample``.

Jets of the sample that ships (:mod:`matweave.zoo.jets.sample`), which no training has seen, as the
tagger takes them, and the scores that the golden model gives them.
"""

import numpy as np

from matweave.fpga import demos
from matweave.hw.network import store
from matweave.sim.golden import network as golden
from matweave.zoo import taggers
from matweave.zoo.jets import sample
from matweave.zoo.jets.data import CLASSES

from ..digits.sample import packed
from .host import SAMPLE

TAGGER = "jet_mlp"
JETS = 1000
SEED = 1


def contents() -> dict[str, np.ndarray]:
    """The arrays of the file by their names; see :mod:`.host`."""
    jets = sample.load()
    chosen = np.random.default_rng(SEED).permutation(len(jets))[:JETS]
    features = taggers.load(TAGGER).inputs(jets)[chosen]
    network = store.load(demos.load("jet-tagging").engine)
    raw = golden.predict(network, golden.quantised(features, network.input.result))
    return {
        "features": features,
        "labels": np.asarray(jets.labels)[chosen].astype(np.uint8),
        "scores": raw * 2.0 ** -network[network.output].result.fraction,
        "classes": np.array(CLASSES),
    }


if __name__ == "__main__":
    SAMPLE.write_bytes(packed(contents()))
    print(f"{SAMPLE.name}: {SAMPLE.stat().st_size:,} bytes")
