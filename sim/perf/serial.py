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
    several lanes, one less if it is asked for when the last digit has left), its state on the bus,
    the final addition."""
    largest = [max(-operand.min, operand.max) for operand in (config.a, config.b)]
    needed = (config.limits.k * largest[0] * largest[1]).bit_length() + 1
    width = min(needed, config.accumulator_format.width)
    facts = catalog.pes()[config.pe.kind]
    registers = 3 if facts.group else 4 + (lanes_of(config) > 1)
    return registers + -(-width // PART)


def digits_of(config: GemmConfig, values: np.ndarray) -> np.ndarray:
    """Radix-4 digits of every value as the engine recodes it, lowest first, in a last axis."""
    return recoding.SERIAL[config.pe.digits](values, config.a)


def passes(config: GemmConfig, a: np.ndarray) -> list[list[list[int]]]:
    """For each row of A its passes over K, from the highest weight with digits to the lowest: the
    cycles that each place of the pass's list takes, which is one, or in PEs that search groups of
    operands as many as the group has digits. A weight without any has one place."""
    facts, (m, k) = catalog.pes()[config.pe.kind], a.shape
    lanes = facts.group or lanes_of(config)
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
    return [_from_highest(row) for row in found]


def _from_highest(weights: list[list[int]]) -> list[list[int]]:
    """A row's passes in the order in which they are worked on; ``weights``: lowest first."""
    used = [number for number, places in enumerate(weights) if places]
    return [places or [1] for places in weights[: max(used, default=0) + 1][::-1]]


def lanes_of(config: GemmConfig) -> int:
    """Digits that one PE takes per cycle."""
    return config.pe.options.get("lanes", catalog.pes()[config.pe.kind].lanes)


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
    stages: list = field(default_factory=list)  # (whether a tile ends, cycles, panel), if anything
    left: int = 0  # digits of the group that the PEs have
    ends: bool = False  # whether it is the last of a tile
    asks: bool = False  # whether its last digit has left and the tile was not granted
    granted: bool = False
    taken: int = 0  # results granted and not taken
    ready: deque = field(default_factory=deque)

    def __post_init__(self):
        self.stages = [None] * (3 if self.groups else 2)


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
    result = result_latency(config)
    cycle = taken = 0
    while True:
        # B: a beat per cycle from cycle 0, a panel counts in the cycle after its last.
        b_there = min(cycle // k, tiles)
        while there and there[0][0] == cycle:
            for row in rows[: sizes[there.popleft()[1]]]:
                row.busy += 1
        _grant(rows, array.share, cycle + result)
        moves = [_moves(row) for row in rows]
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
    """The last digits of a tile are about to go to the PEs; a group's have just left."""
    if row.groups:
        return row.asks
    return row.stages[-1] is not None and row.stages[-1][0]


def _gives(row: _Row) -> bool:
    """Whether digits may go to the adders."""
    return not _due(row) or row.granted


def _moves(row: _Row) -> bool:
    """Whether the last stage of the row's edge may go on."""
    if row.groups:
        return row.stages[-1] is None or row.left == 0 or (_gives(row) and row.left == 1)
    return _gives(row)


def _holds(row: _Row, panel: int) -> bool:
    """Whether the half with this panel cannot be loaded: the row is not through with it, or its
    operands are still to be read."""
    on_its_way = row.groups and any(place and place[2] == panel for place in row.stages[:2])
    return row.panel <= panel or on_its_way


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
    if row.groups:
        _search(row, row.stages[-1] if move else None)
    if not move:
        return
    place = None
    if begins or row.step or row.index:
        work = row.work[row.panel]
        final, closes = row.index + 1 == len(work[row.step]), row.step + 1 == len(work)
        place = (final and closes, work[row.step][row.index], row.panel)
        row.index = 0 if final else row.index + 1
        if final:
            row.step = 0 if closes else row.step + 1
        if final and closes:
            row.tile += 1
            if row.tile == tiles:
                row.tile, row.panel, row.busy = 0, row.panel + 1, row.busy - 1
    row.stages = [place, *row.stages[:-1]]


def _search(row: _Row, loaded: tuple | None) -> None:
    """One clock edge in the PEs: a digit of their group leaves, if it may, and a group comes."""
    if _gives(row):
        row.asks = row.left == 1 and row.ends
        row.left = max(row.left - 1, 0)
    if loaded:
        row.ends, row.left, _ = loaded
