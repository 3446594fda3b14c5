"""Recoders are where operands enter and nowhere else: counted in the emitted netlist.

Counts of the encoder-hoisting paper (EN-T, ICCD 2024): one per lane of the recoded operand, not one
per multiplier.
"""

import re
from collections import Counter

import pytest

from matweave.hw import config
from matweave.hw.emit import verilog
from matweave.hw.engine import array_choice
from matweave.hw.pe.serial import RECODINGS


def instances(text: str, top: str) -> Counter:
    """How often each module occurs below ``top``, through the whole hierarchy."""
    modules = {}
    for name, body in re.findall(r"^module (\S+?)\(.*?;\n(.*?)^endmodule", text, re.M | re.S):
        modules[name] = re.findall(rf"^  ({top}__\w+) \w+ \(", body, re.M)

    def below(name):
        counts = Counter()
        for child in modules[name]:
            counts[child] += 1
            counts.update(below(child))
        return counts

    return below(top)


def recoders_and_multipliers(*overrides: str, preset: str = "tiny_os") -> tuple[int, int]:
    choice = array_choice(config.load(preset, overrides))
    found = instances(verilog(choice.cls(**dict(choice.parameters)), "top"), "top")

    def count(pattern):
        return sum(number for name, number in found.items() if re.search(pattern, name))

    return count("recoder"), count("dot" if preset == "tiny_os" else "serial_cell(?!s)")


ARRAYS = {  # array -> (table, multipliers' cells, recoders of A, of B)
    "output_stationary": ("kind='output_stationary', rows=6, columns=5", 30, 6, 5),
    "weight_stationary": ("kind='weight_stationary', rows=6, columns=5", 10, 6, 5),
    "matrix": ("kind='matrix', rows=6, columns=5", 30, 6, 5),
    "tree_1d": ("kind='tree', columns=1, depth=7", 1, 7, 1),
    "tree_2d": ("kind='tree', columns=4, depth=7", 4, 7, 4),
    "cube": ("kind='cube', rows=3, columns=3, depth=3", 9, 9, 9),
}


@pytest.mark.parametrize("pe", ["booth", "ent", "opt1", "opt1 pe.digits=csd"])
@pytest.mark.parametrize("array", ARRAYS)
def test_one_recoder_per_lane_of_the_recoded_operand(array, pe):
    table, cells, of_a, of_b = ARRAYS[array]
    kind = [f"array={{{table}}}", *f"pe.kind={pe}".split()]
    assert recoders_and_multipliers(*kind) == (of_a, cells)
    assert recoders_and_multipliers(*kind, "pe.encode=b") == (of_b, cells)


def test_the_plain_multiplier_has_none():
    assert recoders_and_multipliers(f"array={{{ARRAYS['cube'][0]}}}") == (0, 9)


@pytest.mark.parametrize(("pe", "own"), [("opt2", 0), ("opt3", 4), ("opt4c", 0), ("opt4e", 0)])
def test_serial_pes_have_recoders_of_their_own_or_none(pe, own):
    """The row's edge has the others'."""
    array = "array={kind='digit_serial', rows=6, columns=5}"
    for digits in RECODINGS:
        changes = [array, f"pe.kind={pe}", f"pe.digits={digits}"]
        found = recoders_and_multipliers(*changes, preset="tiny_opt4c")
        assert found == (own * 30, 30)
