"""What bit-weight serial PEs are driven with when power is estimated: lists of the digits of
Gaussian operands, as the array ``digit_serial`` gets them.

In every stream the rows' passes end one cycle after another, so that the drain never holds one up;
a row with fewer digits waits for the longest list of its stream with digits of zero.
"""

from dataclasses import dataclass

import numpy as np

from ....hw.errors import UserError
from ....sim.golden import recoding
from ....sim.perf.serial import result_latency
from .stimuli import STREAMS, Stimulus, bits, gaussian

K = 256
"""Products per sum, at most: as throughput counts them."""

PASSES = 3
"""Sums per PE, the first before anything is counted."""


@dataclass(frozen=True)
class _Steps:
    """One row's pass: per cycle and lane which element (its digit may be 0); whether the weight
    changes with it."""

    element: np.ndarray
    digit: np.ndarray
    shift: np.ndarray


def _steps(pe, digits: np.ndarray) -> _Steps:
    """``digits``: (element, weight), lowest weight first."""
    used = np.flatnonzero(digits.any(axis=0)) if pe.sparse else [digits.shape[1] - 1]
    elements, values, shifts = [], [], []
    for weight in range(max(used, default=0), -1, -1):
        lanes = []
        for lane in range(pe.lanes):
            own = np.arange(lane, len(digits), pe.lanes)
            lanes.append(own[digits[own, weight] != 0] if pe.sparse else own)
        length = max(1, *(len(own) for own in lanes))
        element, value = np.zeros((2, length, pe.lanes), np.int64)
        for lane, own in enumerate(lanes):
            element[: len(own), lane] = own
            value[: len(own), lane] = digits[own, weight]
        elements.append(element)
        values.append(value)
        shifts.append(np.arange(length) == 0)
    shifts[0][:] = False
    return _Steps(*(np.concatenate(each) for each in (elements, values, shifts)))


class _Timeline:
    """All streams' passes; arrays by (cycle, stream, row, …)."""

    def __init__(self, pe, rows: int, columns: int, k: int, seed: int):
        check(pe)
        rng = np.random.default_rng(seed)
        self.a = gaussian(rng, pe.a, (PASSES, STREAMS, rows, k))
        self.b_numbers = gaussian(rng, pe.b, (PASSES, STREAMS, k, columns))
        plan = [
            [[_steps(pe, digits) for digits in row] for row in stream]
            for stream in recoding.SERIAL[pe.digits](self.a, pe.a)
        ]
        lengths = np.array([[max(len(r.shift) for r in s) for s in p] for p in plan])
        # A row ends in every cycle, and its last digits are not its first: due comes before them.
        self.ends = np.cumsum(np.maximum(lengths, max(rows, 2)), axis=0)
        cycles = int(self.ends[-1].min())
        self.cycles, self.warm = cycles, int(self.ends[0].max())
        shape = (cycles + rows, STREAMS, rows)
        self.digit = np.zeros((*shape, pe.lanes), np.int8)
        self.b = np.zeros((*shape, columns, pe.lanes), np.int32)
        self.clear, self.shift, self.last = np.zeros((3, *shape), bool)
        self.slot = np.zeros(shape, bool)
        for number in range(PASSES):
            for stream in range(STREAMS):
                for row in range(rows):
                    self._place(plan[number][stream][row], number, stream, row)

    def _place(self, steps: _Steps, number: int, stream: int, row: int) -> None:
        end = int(self.ends[number, stream]) + row
        start = end - len(steps.shift)
        at = np.arange(start, min(end, len(self.digit)))
        keep = slice(0, len(at))
        self.digit[at, stream, row] = steps.digit[keep]
        operands = self.b_numbers[number, stream][steps.element]  # step, lane, column
        self.b[at, stream, row] = operands.transpose(0, 2, 1)[keep]
        self.shift[at, stream, row] = steps.shift[keep]
        if start < len(self.digit):
            self.b[min(end, len(self.b)) :, stream, row] = operands[-1].T  # held while it waits
            self.clear[start, stream, row] = True
            self.slot[start:, stream, row] = number % 2
        if end <= len(self.digit):
            self.last[end - 1, stream, row] = True

    def macs(self, per_pass: int) -> float:
        """Per cycle and stream after the warm-up."""
        done = [
            np.interp((self.warm, self.cycles), (0, *ends), range(PASSES + 1))
            for ends in self.ends.T
        ]
        passes = np.mean([after - before for before, after in done])
        return per_pass * float(passes) / (self.cycles - self.warm)

    def lines(self) -> np.ndarray:
        """one, two, neg of every lane."""
        found = np.stack([abs(self.digit) == 1, abs(self.digit) == 2, self.digit < 0], axis=-1)
        return self.flat(found)

    def flat(self, values: np.ndarray) -> np.ndarray:
        """Lanes of bits or numbers in one last axis."""
        return values[: self.cycles].reshape(self.cycles, STREAMS, -1)


def check(pe) -> None:
    """A :class:`UserError` if there is no stimulus for the PE."""
    if pe.group:
        raise UserError("power is not estimated of PEs that search groups of operands themselves")


def _later(values: np.ndarray, cycles: int) -> np.ndarray:
    found = np.zeros_like(values)
    found[max(cycles, 0) : len(values) + min(cycles, 0)] = values[
        max(-cycles, 0) : len(values) - max(cycles, 0)
    ]
    return found


def one_pe(pe, terms: int, seed: int) -> Stimulus:
    """For :class:`matweave.hw.array.serial_cell.SerialCell`."""
    k = min(terms, K)
    line = _Timeline(pe, 1, 1, k, seed)
    drive = {
        "b": bits(line.flat(line.b), pe.b.width),
        "select": line.lines(),
        # With several lanes, a cycle behind the digits.
        "clear": line.flat(_later(line.clear, pe.latency - 2)),
        "shift": line.flat(_later(line.shift, pe.latency - 2)),
        "read": line.flat(_later(line.last, pe.latency - 1)),
    }
    operands = {"a": line.a, "b": line.b_numbers, "ends": line.ends}
    return Stimulus(drive, line.warm, line.macs(k), operands)


def digit_serial(config, seed: int) -> Stimulus:
    """For the array: results are taken as soon as they are there."""
    from ....hw.engine import array_choice

    pe = dict(array_choice(config).parameters)["pe"]
    rows, columns = config.array.rows, config.array.columns
    k = min(config.limits.k, K)
    line = _Timeline(pe, rows, columns, k, seed)
    due = _later(line.last, -1)
    take = _later(due, result_latency(config))
    slot = _later(line.slot & due, result_latency(config))
    drive = {
        "b": bits(line.flat(line.b), pe.b.width),
        "select": line.lines(),
        "clear": line.flat(line.clear),
        "shift": line.flat(line.shift),
        "due": line.flat(due),
        "slot": line.flat(line.slot),
        "take": line.flat(take.any(axis=2)),
        "take_row": bits(
            line.flat((take * np.arange(rows)).sum(axis=2)), (max(rows, 2) - 1).bit_length()
        ),
        "take_slot": line.flat(slot.any(axis=2)),
    }
    return Stimulus(drive, line.warm, line.macs(k * rows * columns))
