"""Cycles of a job on a bit-weight serial engine whose streams never stall, exactly.

They depend on the digits of A, so that there is no formula: rows wait for panels, for the drain and
for each other. :func:`predict_serial` follows their control from cycle to cycle, without any
arithmetic; counting as in :mod:`.gemm`.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from matweave.hw import catalog
from matweave.hw.config import GemmConfig

from ..golden import recoding
from .gemm import output_latency

PART = 6
"""Bits of a result that the drain adds per cycle."""


def result_latency(config: GemmConfig) -> int:
    """Cycles from a grant to a result that can be taken: the PE's registers (one more if it adds
    several lanes), its state on the bus, the final addition."""
    largest = [max(-operand.min, operand.max) for operand in (config.a, config.b)]
    needed = (config.limits.k * largest[0] * largest[1]).bit_length() + 1
    width = min(needed, config.accumulator_format.width)
    return 4 + (lanes_of(config) > 1) + -(-width // PART)


def digits_of(config: GemmConfig, values: np.ndarray) -> np.ndarray:
    """Radix-4 digits of every value as the engine recodes it, lowest first, in a last axis."""
    if config.pe.digits == "booth":
        return recoding.booth(values, config.a)
    return recoding.ent(values, config.a, "sign_magnitude")


def passes(config: GemmConfig, a: np.ndarray) -> list[list[int]]:
    """For each row of A the cycles of its passes over K, from the highest weight with digits to
    the lowest; a weight without any takes a cycle."""
    facts, (m, k) = catalog.pes()[config.pe.kind], a.shape
    lanes = lanes_of(config)
    digits = digits_of(config, a)
    if not facts.sparse:
        return [[-(-k // lanes)] * digits.shape[-1] for _ in range(m)]
    padded = np.zeros((m, -(-k // lanes) * lanes, digits.shape[-1]), int)
    padded[:, :k] = digits
    lengths = (padded != 0).reshape(m, -1, lanes, digits.shape[-1]).sum(axis=1).max(axis=1)
    return [
        [max(int(length), 1) for length in np.trim_zeros(row, "b")[::-1]] or [1] for row in lengths
    ]


def lanes_of(config: GemmConfig) -> int:
    """Elements along K that one PE takes per cycle."""
    return config.pe.options.get("lanes", catalog.pes()[config.pe.kind].lanes)


@dataclass
class _Row:
    """What is in one row's registers."""

    work: list[list[int]]  # of each row panel: cycles of its passes
    tile: int = 0
    panel: int = 0
    step: int = 0
    index: int = 0
    busy: int = 0  # panels of A loaded and not used up
    stages: list = field(default_factory=lambda: [None] * 2)  # whether a tile ends, if anything
    granted: bool = False
    taken: int = 0  # results granted and not taken
    ready: deque = field(default_factory=deque)


def predict_serial(config: GemmConfig, a: np.ndarray, n: int) -> int:
    """Cycles of a job with this A and ``n`` columns of B."""
    array, (m, k) = config.array, a.shape
    tiles = -(-n // array.columns)
    lengths = passes(config, a)
    rows = [_Row(lengths[number :: array.rows]) for number in range(min(m, array.rows))]
    sizes = [min(array.rows, m - start) for start in range(0, m, array.rows)]
    order = [(row, panel) for panel in sizes for _ in range(tiles) for row in range(panel)]
    loaded = 0  # beats of A
    there = deque()  # (cycle from which it counts, panel of A)
    result = result_latency(config)
    cycle = taken = 0
    while True:
        # B: a beat per cycle from cycle 0, a panel counts in the cycle after its last.
        b_there = min(cycle // k, tiles)
        while there and there[0][0] == cycle:
            for row in rows[: sizes[there.popleft()[1]]]:
                row.busy += 1
        _grant(rows, array.share, cycle + result)
        moves = [not _due(row) or row.granted for row in rows]
        waits = [
            moves[i] and row.step == row.index == 0 and row.busy > 0 and row.tile < b_there
            for i, row in enumerate(rows)
        ]
        together = all(wait or not row.busy for wait, row in zip(waits, rows, strict=True))
        # A: two halves; the one to load is free if no row has it.
        free = all(row.busy < 2 and row.panel + 2 > loaded // k for row in rows)
        row, _ = order[taken]
        if rows[row].ready and rows[row].ready[0] <= cycle:
            rows[row].ready.popleft()
            rows[row].taken -= 1
            taken += 1
            if taken == len(order):
                return cycle + 1 + output_latency(config) + 1
        if loaded < k * len(sizes) and free:
            loaded += 1
            if loaded % k == 0:
                there.append((cycle + 2, loaded // k - 1))
        for row, move, wait in zip(rows, moves, waits, strict=True):
            begins = wait and (together or array.synchronise == "fifo")
            _step(row, move, begins, tiles)
        cycle += 1


def _due(row: _Row) -> bool:
    """The last digits of a tile are about to go to the PEs."""
    return bool(row.stages[-1])


def _grant(rows: list[_Row], share: int, at: int) -> None:
    """The lowest row of each group that may give its sums away; they are results ``at`` a cycle."""
    for start in range(0, len(rows), share):
        given = False
        for row in rows[start : start + share]:
            asks = _due(row) and row.taken < 2
            row.granted = asks and not given
            given |= asks
            if row.granted:
                row.taken += 1
                row.ready.append(at)


def _step(row: _Row, move: bool, begins: bool, tiles: int) -> None:
    """One clock edge."""
    if not move:
        return
    place = None
    if begins or row.step or row.index:
        work = row.work[row.panel]
        final, closes = row.index + 1 == work[row.step], row.step + 1 == len(work)
        place = final and closes
        row.index = 0 if final else row.index + 1
        if final:
            row.step = 0 if closes else row.step + 1
        if place:
            row.tile += 1
            if row.tile == tiles:
                row.tile, row.panel, row.busy = 0, row.panel + 1, row.busy - 1
    row.stages = [place, *row.stages[:-1]]
