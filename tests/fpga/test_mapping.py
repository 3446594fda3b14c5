"""What is said of multipliers and memories that Yosys mapped, and of designs that do not fit."""

from types import SimpleNamespace

import pytest

from matweave.fpga.build import Request
from matweave.fpga.targets import fitting
from matweave.fpga.targets.family import family
from matweave.fpga.targets.netlist import Netlist, mapping
from matweave.hw import config
from matweave.sim.toolchain import ToolFailed

ECP5, ICE40, GOWIN = "MULT18X18D", "SB_MAC16", "MULT36X36"
RAW = ["output.mode=raw"]
LUTS = "Yosys took LUTs for {}, of at most {} bits"
STRAYS = ", or named their DSP blocks after other parts: {} have such names"


def rows(name, preset, overrides, parts, *, dsp=True, available=100):
    """(part, wanted, got, count, why) of each row for multipliers."""
    cells = {kind: sum(each.values()) for kind, each in parts.items()}
    netlist = Netlist(cells, parts, {})
    settings = config.load(preset, overrides)
    found = mapping(netlist, family(name), settings, dsp=dsp, available=available)
    return [tuple(row[key] for key in ("part", "wanted", "got", "count", "why")) for row in found]


def array(count, got="DSP", why=None, wanted="DSP"):
    what = "DSP blocks" if got == "DSP" else "multipliers"
    return (f"{what} of the array", wanted, got, count, why)


def lanes(count, got="DSP", why=None, wanted="DSP"):
    what = "DSP blocks" if got == "DSP" else "multipliers"
    return (f"{what} of the requantiser", wanted, got, count, why)


STAGES = "output.multiplier_stages=2"
NONE = "the device has no DSP blocks"
ENT = "PE ent recodes an operand: it has no multiplication"
TABLE = [
    # All in DSP blocks: four for 24 by 31 bits, but one of 36 by 36.
    ("ecp5", "gemm_os_8x8", [], {ECP5: {"array": 64, "requantiser": 32}}, {},
     [array(64), lanes(32)]),
    ("gowin", "gemm_os_8x8", [], {"MULT9X9": {"array": 64}, GOWIN: {"requantiser": 8}}, {},
     [array(64), lanes(8)]),
    ("gowin", "gemm_os_8x8", [STAGES], {"MULT18X18": {"array": 64, "requantiser": 32}}, {},
     [array(64), lanes(32)]),
    # HX8K: neither the array's nor the requantiser's are narrow.
    ("ice40", "gemm_os_8x8", [], {}, {"available": 0},
     [array(64, "LUT", NONE), lanes(8, "LUT", NONE)]),
    ("ice40", "gemm_os_8x8", [STAGES], {}, {"available": 0},
     [array(64, "LUT", NONE), lanes(32, "LUT", NONE)]),
    ("ice40", "gemm_os_8x8", [], {}, {"dsp": False},
     [array(64, "LUT", "--no-dsp", "LUT"), lanes(8, "LUT", "--no-dsp", "LUT")]),
    # Some of each; blocks with the name of another part may be theirs, or not.
    ("ecp5", "gemm_os_8x8", RAW, {ECP5: {"array": 40}}, {},
     [array(40), array(24, "LUT", LUTS.format("these", "8 by 8"))]),
    ("ice40", "tiny_os", ["a=uint16", "b=int16", *RAW], {ICE40: {"sequencer": 6}}, {},
     [array(6, "LUT or DSP", LUTS.format("all", "16 by 16") + STRAYS.format(6))]),
    ("ecp5", "tiny_os", RAW, {ECP5: {"array": 6, "register file": 2}}, {}, [array(6)]),
    ("ecp5", "gemm_os_8x8", [], {ECP5: {"array": 64, "requantiser": 30}}, {},
     [array(64), lanes(30), lanes(1, "LUT", LUTS.format("these", "24 by 31"))]),
    ("ecp5", "gemm_os_8x8", [STAGES], {ECP5: {"array": 64, "requantiser": 30}}, {},
     [array(64), lanes(30), lanes(2, "LUT", LUTS.format("these", "16 by 16"))]),
    ("ice40", "tiny_os", ["a=int4", "b=int4", *RAW], {}, {},
     [array(6, "LUT", LUTS.format("all", "4 by 4"))]),
    # Multipliers that recode are none, with and without DSP blocks in the device.
    ("ecp5", "gemm_os_8x8_ent", [], {ECP5: {"requantiser": 32}}, {},
     [array(64, "LUT", ENT, "LUT"), lanes(32)]),
    ("ice40", "gemm_os_8x8_ent", [], {}, {"available": 0},
     [array(64, "LUT", ENT, "LUT"), lanes(8, "LUT", NONE)]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "preset", "overrides", "parts", "options", "expected"), TABLE)
def test_multipliers(name, preset, overrides, parts, options, expected):
    assert rows(name, preset, overrides, parts, **options) == expected


LC, RAM, DSP, IO = "ICESTORM_LC", "ICESTORM_RAM", "ICESTORM_DSP", "SB_IO"
PARTS = {
    "SB_LUT4": {"array": 700, "host link": 200, "sequencer": 1},
    "SB_MAC16": {"array": 8, "requantiser": 4},
    "SB_RAM40_4K": {"operand buffer B": 30, "operand buffer A": 9},
}


def told(over, preset="gemm_os_8x8", *, dsp=True, name="ice40"):
    """What the user is told of nextpnr's table ``over``."""
    table = "".join(f"Info: \t {kind}: {used}/ {there} 1%\n"
                    for kind, (used, there) in over.items())  # fmt: skip
    settings = config.load(preset)
    plan = SimpleNamespace(
        request=Request(config=settings, board="icebreaker", dsp=dsp),
        board=SimpleNamespace(name="icebreaker"),
        family=family(name),
    )
    netlist = Netlist(dict.fromkeys(PARTS, 1), PARTS, {})
    return fitting.too_large(ToolFailed("failed", output=table), netlist, plan)


SIDES = "lower array.rows or array.columns"


@pytest.mark.parametrize(
    ("over", "preset", "dsp", "expected"),
    [
        ({RAM: (39, 30)}, "gemm_os_8x8", True,
         "BRAM: 39 needed, 30 there, 9 too many (30 in the operand buffer B, 9 in the operand "
         "buffer A); lower limits.n or limits.k"),
        ({RAM: (39, 30)}, "gemm_ws_8x8", True, "buffer A); lower limits.m or limits.k"),
        ({RAM: (39, 30)}, "gemm_tree_8x8", True, "buffer A); lower limits.m or limits.k"),
        ({LC: (9000, 5280)}, "gemm_os_8x8", True,
         "LUT: 9,000 needed, 5,280 there, 3,720 too many (700 in the array, 200 in the host link); "
         + SIDES),
        ({DSP: (12, 8)}, "gemm_os_8x8", True,
         f"4 too many (8 in the array, 4 in the requantiser); {SIDES}, or build with --no-dsp"),
        ({DSP: (12, 8)}, "gemm_os_8x8", False, f"4 in the requantiser); {SIDES}"),
        ({IO: (100, 96)}, "gemm_os_8x8", True, "IO: 100 needed, 96 there, 4 too many; " + SIDES),
        # LUTs cannot stand in for DSP blocks where they are short themselves.
        ({LC: (9000, 5280), DSP: (12, 8)}, "gemm_os_8x8", True, f"4 in the requantiser); {SIDES}"),
        ({LC: (9000, 5280), RAM: (39, 30)}, "gemm_ws_8x8", True,
         f"buffer A); for LUT: {SIDES}; for BRAM: lower limits.m or limits.k"),
        ({RAM: (39, 30), DSP: (12, 8)}, "gemm_os_8x8", True,
         "4 in the requantiser); for BRAM: lower limits.n or limits.k; "
         f"for DSP: {SIDES}, or build with --no-dsp"),
    ],
)  # fmt: skip
def test_what_does_not_fit(over, preset, dsp, expected):
    message = str(told(over, preset, dsp=dsp))
    assert message.startswith(f"{preset} does not fit icebreaker: ")
    assert message.endswith(expected)


def test_flip_flops_are_not_told_by_luts():
    message = str(told({"TRELLIS_FF": (30_000, 24_288)}, name="ecp5"))
    assert "FF: 30,000 needed, 24,288 there, 5,712 too many; lower array.rows" in message


def test_a_dsp_block_of_several_places_is_told_once():
    over = dict.fromkeys(("PREADD9_CORE", "MULT9_CORE", "REG18_CORE"), (128, 112))
    message = str(told({**over, "MULT18_CORE": (64, 56)}, name="nexus"))
    assert "DSP: 128 needed, 112 there, 16 too many; lower array.rows" in message
    assert "_CORE" not in message


def test_another_failure_of_nextpnr_is_none_of_these():
    assert told({LC: (10, 5280)}) is None
