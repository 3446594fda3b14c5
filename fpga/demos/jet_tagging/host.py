"""What the host does with a board that holds the tagger: it sends jets, and asks for the latency.

``sample.npz`` has the inputs of jets (as the network takes them), their labels and the scores that
the network must give them; :mod:`.sample` made it. Nothing but NumPy is needed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from matweave.sim.golden.network import quantised

SAMPLE = Path(__file__).with_name("sample.npz")
BATCH = 4
"""Jets at a time; of each batch the engine counts the cycles of the first."""
SHOWN = 5
"""Jets that a person is shown."""


def run(
    engine,
    *,
    samples: int | None = None,
    sample: Path = SAMPLE,
    progress: Callable[..., None] = lambda done, total, now: None,
) -> dict[str, Any]:
    """Tag the first jets of the sample on a :class:`~matweave.fpga.host.NetworkDevice`; the
    elements are the class scores."""
    with np.load(sample) as file:
        stored = {name: array[:samples] for name, array in file.items() if name != "classes"}
        classes = [str(name) for name in file["classes"]]
    jets, labels = stored["inputs"], stored["labels"]
    raw = quantised(jets.reshape(len(jets), -1), engine.config.network.input.result)
    parts, latencies = [], []
    for start in range(0, len(raw), BATCH):
        parts.append(engine.real(engine.predict_raw(raw[start : start + BATCH])))
        latencies.append(engine.latency())
        now = told(classes, shares(parts[-1][-1]), latencies[-1])
        progress(start + len(parts[-1]), len(raw), now)
    scores = np.concatenate(parts)
    cycles = sorted(each.cycles for each in latencies)
    return {
        "samples": len(scores),
        "right": int((scores.argmax(axis=1) == labels).sum()),
        "elements": scores.size,
        "wrong": int((scores != stored["scores"]).sum()),
        "classes": classes,
        "jets": [
            {"label": classes[label], "scores": [round(each, 4) for each in shares(row).tolist()]}
            for label, row in zip(labels[:SHOWN], scores[:SHOWN], strict=True)
        ],
        "latency_cycles": [cycles[0], cycles[-1]],
        "latency_ns": [round(cycles[0] * latencies[0].period, 3),
                       round(cycles[-1] * latencies[0].period, 3)],
        "clock_mhz": latencies[0].clock_hz / 1e6,
        "latencies": len(latencies),
    }  # fmt: skip


def shares(logits: np.ndarray) -> np.ndarray:
    """The softmax of a jet's scores: what the network takes for the chance of each class."""
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def told(classes, scores, latency) -> str:
    best = int(np.argmax(scores))
    return f"{classes[best]} with {scores[best]:.0%}, {latency.ns:.4g} ns"


def rows(result: dict[str, Any]) -> dict[str, str]:
    (least, most), (ns, most_ns) = result["latency_cycles"], result["latency_ns"]
    cycles, times = f"{least}", f"{ns:g}"
    if most != least:
        cycles, times = f"{least} to {most}", f"{ns:g} to {most_ns:g}"
    jets = {}
    for number, jet in enumerate(result["jets"], start=1):
        pairs = zip(result["classes"], jet["scores"], strict=True)
        scores = ", ".join(f"{name} {score:.0%}" for name, score in pairs)
        jets[f"jet {number}"] = f"{scores}; it is {jet['label']}"
    return {
        "accuracy": f"{result['accuracy']:.1%}: {result['right']} of {result['samples']} jets",
        "results": f"all {result['elements']:,} class scores as expected",
        **jets,
        "latency": f"{cycles} cycles, {times} ns at {result['clock_mhz']:g} MHz, as the engine "
        f"counted {result['latencies']} times",
    }
