"""Cycles of attention jobs whose streams never stall, from the page that describes the engine.

Written from decision 0013 and not from the RTL: what each beat of K waits for, and its V.
"""

from collections.abc import Iterable

from matweave.hw.attention.config import AttentionConfig

WEIGHTS = 3
"""Cycles from a beat's logits out of the queue of blocks to its exponentials."""
WEIGHT_QUEUE = 8
"""Beats of exponentials that may be on their way or wait for V."""
REQUANTISER = 3
"""Cycles of a requantiser."""


def predict(
    config: AttentionConfig, queries: Iterable[tuple[int, int]], *, partial: bool = False
) -> int:
    """Cycles from the first beat taken to the last given, both included.

    ``queries``: first beat (blocks end at multiples of the block) and beats of each, in order.
    ``partial``: states are given.
    """
    shape = config.shape
    states = _states(shape)
    beats = [
        (number, place == 0, place == count - 1, first + place)
        for number, (first, count) in enumerate(queries)
        for place in range(count)
    ]
    ends = _block_ends(beats, shape.block_beats)
    take, leave, issue = [], [], []
    loaded = []  # when each query's elements begin to leave
    beats_of_result = shape.output_beats + partial
    for index, (_, _, last, _) in enumerate(beats):
        # Beats of the block are taken before its first can leave.
        while len(take) <= ends[index]:
            take.append(_taken(shape, take, leave))
        ready = take[ends[index]] + shape.score_latency
        leave.append(max(ready, _after(leave), _freed(issue, index - WEIGHT_QUEUE)))
        at = max(leave[-1] + WEIGHTS, _after(issue))
        if last:
            at = max(at, _freed(loaded, len(loaded) - states))
            # Registers, sums, state; leading zeros, reciprocal, product.
            divided = at + shape.value_latency + 1 + shape.divide_cycles + 1
            loaded.append(max(divided, loaded[-1] + beats_of_result if loaded else 0))
        issue.append(at)
    return loaded[-1] + beats_of_result + REQUANTISER + 1


def _states(shape) -> int:
    """Queries that may wait for their reciprocal, or be on their way there: from 4 up the power of
    two with which those cycles (registers, sums, state; leading zeros, reciprocal, product; the
    first element) are no longer than as many results."""
    way, states = shape.value_latency + 1 + shape.divide_cycles + 2, 4
    while states * shape.output_beats < way:
        states *= 2
    return states


def _block_ends(beats, block_beats: int) -> list[int]:
    """For each beat the number of the one that ends its block."""
    ends, end = [], 0
    for index in reversed(range(len(beats))):
        _, _, last, place = beats[index]
        if last or place % block_beats == block_beats - 1:
            end = index
        ends.append(end)
    return ends[::-1]


def _taken(shape, take, leave) -> int:
    """When the next beat of K is taken; the first query is, in cycle 0."""
    index = len(take)
    if not index:
        return 1
    return max(take[-1] + 1, _freed(leave, index - shape.score_depth))


def _after(times) -> int:
    return times[-1] + 1 if times else 0


def _freed(times, index: int) -> int:
    """The cycle after the place of beat ``index`` in a queue became free."""
    return times[index] + 1 if index >= 0 else 0


def predict_job(config: AttentionConfig, job) -> int:
    """Cycles of a :class:`~..attention.jobs.AttentionJob`."""
    queries = [(first, count) for _, first, count in job.order(config)]
    return predict(config, queries, partial=job.partial)
