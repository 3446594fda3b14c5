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

RESULT = 6
"""Cycles from a grant to a result that can be taken."""


def digits_of(config: GemmConfig, values: np.ndarray) -> np.ndarray:
    """Radix-4 digits of every value as the engine recodes it, lowest first, in a last axis."""
    if config.pe.digits == "booth":
        return recoding.booth(values, config.a)
    return recoding.ent(values, config.a, "sign_magnitude")


def passes(config: GemmConfig, a: np.ndarray) -> list[list[list[int]]]:
    """For each row of A its passes over K: the cycles that each place of the pass's list takes,
    which is one, or in PEs that search groups of operands as many as the group has digits. A row of
    zeros has one place."""
    facts, (m, k) = catalog.pes()[config.pe.kind], a.shape
    lanes = facts.group or config.pe.options.get("lanes", facts.lanes)
    digits = digits_of(config, a)
    if not facts.sparse:
        return [[[1] * -(-k // lanes)] * digits.shape[-1] for _ in range(m)]
    padded = np.zeros((m, -(-k // lanes) * lanes, digits.shape[-1]), bool)
    padded[:, :k] = digits != 0
    blocks = padded.reshape(m, -1, lanes, digits.shape[-1])
    if facts.group:
        counts = blocks.sum(axis=2).transpose(0, 2, 1)
        found = [[[int(n) for n in weight if n] for weight in row] for row in counts]
    else:
        lengths = blocks.sum(axis=1).max(axis=1)
        found = [[[1] * int(length) for length in row] for row in lengths]
    return [[places for places in row if places] or [[1]] for row in found]


@dataclass
class _Row:
    """What is in one row's registers."""

    work: list[list[list[int]]]  # of each row panel: its passes' places
    groups: bool  # whether the PEs search groups
    tile: int = 0
    panel: int = 0
    step: int = 0
    index: int = 0
    busy: int = 0  # panels of A loaded and not used up
    stages: list = field(default_factory=lambda: [None] * 3)
    group: tuple | None = None  # what the PEs search
    left: int = 0  # digits of it
    last: bool = False
    full: bool = False
    tag: tuple = ()
    granted: bool = False
    taken: int = 0  # results granted and not taken
    ready: deque = field(default_factory=deque)


def predict_serial(config: GemmConfig, a: np.ndarray, n: int) -> int:
    """Cycles of a job with this A and ``n`` columns of B."""
    array, (m, k) = config.array, a.shape
    tiles = -(-n // array.columns)
    work, groups = passes(config, a), catalog.pes()[config.pe.kind].group > 0
    rows = [_Row(work[number :: array.rows], groups) for number in range(min(m, array.rows))]
    sizes = [min(array.rows, m - start) for start in range(0, m, array.rows)]
    order = [(row, panel) for panel in sizes for _ in range(tiles) for row in range(panel)]
    loaded = 0  # beats of A
    there = deque()  # (cycle from which it counts, panel of A)
    cycle = taken = 0
    while True:
        # B: a beat per cycle from cycle 0, a panel counts in the cycle after its last.
        b_there = min(cycle // k, tiles)
        while there and there[0][0] == cycle:
            for row in rows[: sizes[there.popleft()[1]]]:
                row.busy += 1
        _grant(rows, array.share, cycle)
        moves = [row.stages[2] is None or _accepts(row) for row in rows]
        waits = [
            moves[i] and row.step == row.index == 0 and row.busy > 0 and row.tile < b_there
            for i, row in enumerate(rows)
        ]
        together = all(wait or not row.busy for wait, row in zip(waits, rows, strict=True))
        # A: two halves; the one to load is free if no row has it.
        free = not any(_holds(row, loaded // k - 2) for row in rows)
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
    return row.last or row.full


def _adds(row: _Row) -> bool:
    """Whether stage 4 may take a digit."""
    return not _due(row) or row.granted


def _accepts(row: _Row) -> bool:
    """Whether what is behind stage 3 may take a place of a list."""
    if row.groups:
        return row.group is None or (_adds(row) and row.left <= 1)
    return _adds(row)


def _holds(row: _Row, panel: int) -> bool:
    """Whether the half with this panel cannot be loaded: the row is not through with it, or its
    operands are still to be read."""
    on_its_way = row.groups and any(place and place[3] == panel for place in row.stages[:2])
    return row.panel <= panel or on_its_way


def _grant(rows: list[_Row], share: int, cycle: int) -> None:
    """The lowest row of each group that may give its pass away."""
    for start in range(0, len(rows), share):
        given = False
        for row in rows[start : start + share]:
            asks = _due(row) and not row.granted and not (row.tag and row.taken == 2)
            row.granted = asks and not given
            given |= asks
            if row.granted and row.tag:
                row.taken += 1
                row.ready.append(cycle + RESULT)


def _step(row: _Row, move: bool, begins: bool, tiles: int) -> None:
    """One clock edge."""
    entering = row.stages[2] if move else None
    if row.groups:
        entering = _search(row, entering)
    row.full = _due(row) and not row.granted
    row.last = entering is not None and entering[0]
    if row.last:
        row.tag = entering[1]
    if not move:
        return
    place = None
    if begins or row.step or row.index:
        work = row.work[row.panel]
        final, closes = row.index + 1 == len(work[row.step]), row.step + 1 == len(work)
        place = (final, closes, work[row.step][row.index], row.panel)
        row.index = 0 if final else row.index + 1
        if final:
            row.step = 0 if closes else row.step + 1
        if final and closes:
            row.tile += 1
            if row.tile == tiles:
                row.tile, row.panel, row.busy = 0, row.panel + 1, row.busy - 1
    row.stages = [place, *row.stages[:2]]


def _search(row: _Row, loaded: tuple | None) -> tuple | None:
    """The stage in front of stage 4, in the PEs: a group that has its last digit taken."""
    taken = None
    if row.group and _adds(row):
        row.left -= 1
        if row.left <= 0:
            taken, row.group = row.group, None
    if loaded:
        row.group, row.left = loaded, loaded[2]
    return taken
