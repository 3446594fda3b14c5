"""Makes ``sample.npz``: ``python -m matweave.fpga.demos.jet_tagging.sample``.

Jets of the sample that ships (:mod:`matweave.zoo.jets.sample`), which no training has seen, as the
tagger takes them, and the scores that the golden model gives them.
"""

import numpy as np

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


def contents(tagger: str = TAGGER, count: int = JETS) -> dict[str, np.ndarray]:
    """The arrays of the file by their names, for ``count`` jets; see :mod:`.host`."""
    jets, trained = sample.load(), taggers.load(tagger)
    chosen = np.random.default_rng(SEED).permutation(len(jets))[:count]
    inputs = trained.inputs(jets)[chosen]
    network = store.load(trained.network)
    raw = golden.predict(network, golden.quantised(inputs.reshape(count, -1), network.input.result))
    return {
        "inputs": inputs,
        "labels": np.asarray(jets.labels)[chosen].astype(np.uint8),
        "scores": raw * 2.0 ** -network[network.output].result.fraction,
        "classes": np.array(CLASSES),
    }


if __name__ == "__main__":
    SAMPLE.write_bytes(packed(contents()))
    print(f"{SAMPLE.name}: {SAMPLE.stat().st_size:,} bytes")
