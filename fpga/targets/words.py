"""Names in a flattened netlist, in the words of the engine's documentation.

Yosys names a cell after the net that it drives: ``core.engine.core.array.grid.block_0_4.tile.
part_0_1.state_TRELLIS_FF_Q_3`` is one bit of the accumulator of the PE in row 0 and column 5.
"""

import itertools
import re
from collections.abc import Sequence

TABLES = {"bias_table": "bias table", "multiplier_table": "multiplier table",
          "shift_table": "shift table", "zero_table": "zero point table"}  # fmt: skip
PARTS = {
    "a_buffer": "operand buffer A",
    "b_buffer": "operand buffer B",
    "queue": "row queue",
    "sums": "partial sums",
    "registers": "register file",
    "pipeline": "network",
    "zero_products": "zero points",
    "scores": "scores",
    "values": "values",
    "normaliser": "normaliser",
    "norm": "norms",
    "memory_0": "activations",
    "memory_1": "activations",
    "replay": "parameters",
    **TABLES,
}
"""Submodules that are a part of their own, wherever they are."""
PE_LEAVES = {"state": "accumulator", "done": "held result", "weight": "weight"}
COORDINATES = re.compile(r"(?:block|part|column)_(\d+)(?:_(\d+))?$")


UNKNOWN = "unnamed"
"""Of a cell that a tool has put in without saying for what."""


def components(name: str) -> list[str]:
    """The parts of a hierarchical name, from the top; of ``{engine}_linked__link`` just ``link``.

    Of the last one nothing is cut off, as two underscores may be anything there.
    """
    *above, leaf = [each for each in name.split(".") if each] or [""]
    return [*(each.rpartition("__")[2] for each in above), leaf]


def part(name: str) -> str:
    """The part of the design that cell or net ``name`` belongs to: one of a few dozen words."""
    if name.startswith("$"):
        return UNKNOWN
    path = components(name)
    above = path[:-1]
    if "link" in path:
        return "host link"
    for each in path:
        if each in PARTS:
            return PARTS[each]
    if "array" in above:
        return "array"
    if _of_lane(path) is not None:
        return "requantiser"
    if "output" in above:
        return "output stage"
    row = next((each for each in path if re.fullmatch(r"row_\d+", each)), None)
    if row:
        return "digit lists"
    if len(above) >= 2 and above[0] == "core":
        return "sequencer"
    return "PLL and reset" if path[0] in ("clock", "locked") else "board top"


def phrase(name: str) -> str:
    """One cell or net in words: ``PE 0,5's accumulator``, ``requantiser of column 3``."""
    path = components(name)
    word = part(name)
    if word == "array":
        return _in_array(path)
    if word == "requantiser":
        return f"requantiser of column {_of_lane(path)}"
    if word == "digit lists":
        row = next(each for each in path if re.fullmatch(r"row_\d+", each))
        return f"digit lists of row {row.removeprefix('row_')}"
    return word


def _of_lane(path: Sequence[str]) -> str | None:
    for above, each in itertools.pairwise(path):
        if above == "output" and (found := re.match(r"lane_(\d+)$", each)):
            return found[1]
    return None


def _in_array(path: Sequence[str]) -> str:
    path = path[path.index("array") + 1 :]
    row = column = 0
    inside = False
    for each in path[:-1]:
        if found := COORDINATES.match(each):
            inside = True
            first, second = int(found[1]), found[2]
            row, column = (row, column + first) if second is None else (
                row + first, column + int(second))  # fmt: skip
    if not inside:
        lines = {"a": "operand A's lines", "b": "operand B's lines"}
        return next((lines[each[0]] for each in path if re.match(r"[ab](_|$)", each)),
                    "array's control")  # fmt: skip
    leaf = path[-1]
    what = next((words for start, words in PE_LEAVES.items() if leaf.startswith(start)), None)
    if what is None:
        what = "multiplier" if "dot" in path[:-1] else "operands or control"
    return f"PE {row},{column}'s {what}"
