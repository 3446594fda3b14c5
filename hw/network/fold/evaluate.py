"""A folded network's results without hardware: its graphs, in every phase."""

import numpy as np

from .plan import INPUT, Feed, Folded


def evaluate(folded: Folded, inputs: np.ndarray) -> np.ndarray:
    """Raw results, (samples, outputs), for raw samples (samples, inputs), as
    :meth:`..graph.Graph.evaluate` gives those of a graph; of a stream token after token."""
    inputs = np.asarray(inputs)
    if folded.input is None:
        values = {INPUT: [inputs] * folded.phases}
    else:
        values = {INPUT: [inputs[:, list(places)] for places in folded.input]}
    for number, section in enumerate(folded.sections):
        of_phase = section.matrix or section.graph
        phases = [
            of_phase.evaluate(_columns(values, section, phase, len(inputs)))
            for phase in range(section.digits or (section.pace.tokens if section.serial else 1))
        ]
        if section.digits:
            phases = [sum(each << (section.bits * k) for k, each in enumerate(phases))]
        values[number] = phases if section.serial else phases * folded.phases
    tokens = folded.pace.tokens if folded.pace else 1
    columns = [_value(values, feed, token) for token in range(tokens) for feed in folded.outputs]
    return np.stack(columns, axis=1)


def _columns(values, section, phase: int, samples: int) -> np.ndarray:
    columns = np.zeros((samples, len(section.feeds)), np.int64)
    for place, feed in enumerate(section.feeds):
        if feed is None:
            columns[:, place] = phase
        elif feed.digits is None:
            columns[:, place] = _value(values, feed, phase)
        else:
            bits, signed = feed.digits
            above = _value(values, feed, 0) + (signed << (bits - 1))
            columns[:, place] = (above >> (section.bits * phase)) & ((1 << section.bits) - 1)
    return columns


def _value(values, feed: Feed, phase) -> np.ndarray:
    if feed.window is not None:
        token = feed.window.place(phase)
        if token is None:
            return np.full(len(values[feed.section][0]), feed.window.outside)
        return values[feed.section][token][:, feed.output]
    if feed.total is not None:
        tokens = np.stack([each[:, feed.output] for each in values[feed.section]])
        return tokens.sum(axis=0) if feed.total == "add" else tokens.max(axis=0)
    held = phase if feed.phase is None else feed.phase
    return values[feed.section][held][:, feed.output] >> feed.drop
