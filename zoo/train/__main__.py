"""``python -m matweave.zoo.train MODEL --data FILE --seed S -o DIR``: minutes on two cores.

Trains the model in float, and quantised with a rising price on every bit operation; writes the
quantised one and how it came about. The jets that ship (:mod:`..jets.sample`) are held out: no
training sees them, and the accuracies are theirs.
"""

import argparse
import contextlib
import hashlib
import importlib.metadata
import io
import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

import numpy as np

from matweave.hw import output
from matweave.hw.errors import UserError

from .. import metrics, taggers
from ..jets import data, sample

PACKAGES = ("keras", "HGQ2", "jax")
BATCH = 512
RATE = 5e-3


def main() -> int:
    arguments = parsed()
    try:
        output.check_folder(arguments.output)
        jets = data.load(arguments.data)
        files = trained(arguments.model, jets, arguments.seed, arguments.epochs)
        output.write_folder(arguments.output, files)
    except UserError as error:
        print(f"matweave: error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(f"matweave: error: {error}: pip install 'matweave[train]'", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("matweave: interrupted", file=sys.stderr)
        return 130
    print(files[f"{arguments.model}.json"], end="")
    return 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m matweave.zoo.train", description=__doc__)
    parser.add_argument("model", choices=taggers.NAMES)
    parser.add_argument("--data", type=Path, required=True, help="of matweave data jets")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="other than the recipe's, for a trial")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    return parser.parse_args()


def trained(name: str, jets: data.Jets, seed: int, epochs: int | None) -> dict[str, str | bytes]:
    """The files of the tagger: model, recipe with results, and the scores (logits) of the held-out
    jets."""
    import keras

    from . import models

    started, script = time.perf_counter(), taggers.script_digest()
    recipe, held_out = models.RECIPES[name], sample.load()
    if jets.recipe.get("seed") == held_out.recipe["seed"]:
        raise UserError("these jets are held out; take another --seed for matweave data jets")
    inputs = taggers.Inputs.of(recipe.array, jets)
    x, y = inputs(jets), jets.labels.astype(np.int32)
    result, scores = {}, {}
    for kind in ("float", "quantised"):
        keras.utils.set_random_seed(seed)
        model = models.model(name, kind == "quantised")
        length = recipe.epochs if kind == "quantised" else recipe.float_epochs
        bits = fitted(model, x, y, epochs or length, recipe.beta if kind == "quantised" else None)
        scores[kind] = predicted(model, inputs(held_out))
        result[kind] = metrics.summary(scores[kind], held_out.labels, data.CLASSES)
        result[kind]["training_accuracy"] = round(metrics.accuracy(predicted(model, x), y), 4)
    about = {
        "command": f"python -m matweave.zoo.train {name} --data FILE --seed {seed}",
        "script": script,
        "versions": {each: importlib.metadata.version(each) for each in PACKAGES},
        "data": {"jets": len(jets)} | dict(jets.recipe),
        "held_out": {"jets": len(held_out), "sha256": _sha256(sample.SAMPLE)},
        "inputs": {"array": inputs.array, "mean": inputs.mean, "scale": inputs.scale},
        "seconds": round(time.perf_counter() - started),
        "bit_operations": bits,
        "results": result,
    }
    return {
        f"{name}.keras": saved(model),
        f"{name}.json": json.dumps(about, indent=1) + "\n",
        f"{name}.scores.npz": packed(scores),
    }


def fitted(model, x, y, epochs: int, beta: tuple[float, float] | None) -> int | None:
    """Train; with a price on bit operations, their number."""
    import keras
    from hgq.utils import trace_minmax
    from hgq.utils.sugar import BetaScheduler, FreeEBOPs, PieceWiseSchedule

    steps = epochs * -(-len(x) // BATCH)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=10,
    )
    callbacks = [Progress(model.name, epochs, beta is not None).callback()]
    if beta:
        rising = [(0, beta[0], "log"), (max(2 * epochs // 3, 1), beta[1], "constant")]
        callbacks += [FreeEBOPs(), BetaScheduler(PieceWiseSchedule(rising))]
    with contextlib.redirect_stdout(sys.stderr):
        model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=callbacks)
        return int(trace_minmax(model, x, batch_size=BATCH)) if beta else None


class Progress:
    """A line on standard error every tenth of the training."""

    def __init__(self, name: str, epochs: int, quantised: bool):
        self.head = f"{name}, {'quantised' if quantised else 'float'}"
        self.epochs = epochs

    def callback(self):
        import keras

        return keras.callbacks.LambdaCallback(on_epoch_end=self.tell)

    def tell(self, epoch, logs) -> None:
        if (epoch + 1) % max(self.epochs // 10, 1) == 0:
            bits = f", {float(logs['ebops']):,.0f} bit operations" if "ebops" in logs else ""
            accuracy = float(logs["accuracy"])
            print(f"{self.head} {epoch + 1}/{self.epochs}: {accuracy:.4f}{bits}", file=sys.stderr)


def predicted(model, x) -> np.ndarray:
    return np.asarray(model.predict(x, batch_size=2048, verbose=0))


def saved(model) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{model.name}.keras"
        model.save(path)
        return path.read_bytes()


def packed(scores: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **scores)
    return file.getvalue()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
