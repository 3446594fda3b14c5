"""A folded network's results without hardware: its graphs, in every phase."""

import numpy as np

from .sections import INPUT, Feed, Folded


def evaluate(folded: Folded, inputs: np.ndarray) -> np.ndarray:
    """Raw results, (samples, outputs), for raw samples (samples, inputs), as
    :meth:`..graph.Graph.evaluate` gives those of a graph."""
    inputs = np.asarray(inputs)
    if folded.input is None:
        values = {INPUT: [inputs] * folded.reuse}
    else:
        values = {INPUT: [inputs[:, list(places)] for places in folded.input]}
    for number, section in enumerate(folded.sections):
        values[number] = [
            section.graph.evaluate(_columns(values, section.feeds, phase, len(inputs)))
            for phase in range(folded.reuse if section.serial else 1)
        ] * (1 if section.serial else folded.reuse)
    return _columns(values, folded.outputs, 0, len(inputs))


def _columns(values, feeds, phase: int, samples: int) -> np.ndarray:
    columns = [np.zeros((samples, 0), int)]
    columns += [_column(values, feed, phase, samples)[:, None] for feed in feeds]
    return np.concatenate(columns, axis=1)


def _column(values, feed: Feed | None, phase, samples):
    if feed is None:
        return np.full(samples, phase)
    held = phase if feed.phase is None else feed.phase
    return values[feed.section][held][:, feed.output] >> feed.drop
