"""Dividers of PLLs: exact, within the datasheets' limits, and none nearer; and their models."""

import shutil
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matweave.fpga import simulation
from matweave.fpga.targets import pll_ecp5, pll_gowin, pll_ice40
from matweave.hw.errors import UserError
from matweave.sim import toolchain

MHZ = st.integers(16_000, 200_000).map(lambda khz: Fraction(khz, 1000))
CRYSTALS = st.sampled_from([12, 16, 25, 27, 48, 100]).map(Fraction)


@given(CRYSTALS, MHZ)
@settings(max_examples=50, deadline=None)
def test_ecp5(crystal, wanted):
    setting = pll_ecp5.choose(crystal, wanted)
    divide = setting.parameters
    assert setting.pfd == crystal / divide["CLKI_DIV"] >= 10
    feedback = setting.pfd * divide["CLKFB_DIV"]
    assert Fraction("3.125") <= feedback <= 400
    assert 400 <= setting.vco == feedback * divide["CLKOP_DIV"] <= 800
    assert setting.mhz == setting.vco / divide["CLKOS_DIV"]
    assert 1 <= divide["CLKFB_DIV"] <= 80
    assert all(1 <= divide[name] <= 128 for name in ("CLKI_DIV", "CLKOP_DIV", "CLKOS_DIV"))
    # Every oscillator frequency there is, and the divider next to each: nothing is nearer.
    best = min(
        abs(crystal / reference * multiple / output - wanted)
        for reference in range(1, int(crystal / 10) + 1)
        for multiple in range(1, 81)
        if 400 <= crystal / reference * multiple <= 800
        for output in {int(crystal / reference * multiple / wanted) + step for step in (0, 1)}
        if 1 <= output <= 128
    )
    assert abs(setting.mhz - wanted) <= best


@given(CRYSTALS, MHZ)
@settings(max_examples=30, deadline=None)
def test_ice40(crystal, wanted):
    setting = pll_ice40.choose(crystal, wanted)
    divide = setting.parameters
    assert 10 <= setting.pfd == crystal / (divide["DIVR"] + 1) <= 133
    assert 533 <= setting.vco == setting.pfd * (divide["DIVF"] + 1) <= 1066
    assert setting.mhz == setting.vco / 2 ** divide["DIVQ"]
    best = min(
        abs(crystal / (r + 1) * (f + 1) / 2**q - wanted)
        for r in range(16)
        if 10 <= crystal / (r + 1) <= 133
        for f in range(128)
        if 533 <= crystal / (r + 1) * (f + 1) <= 1066
        for q in range(1, 7)
        if 16 <= crystal / (r + 1) * (f + 1) / 2**q <= 275
    )
    assert abs(setting.mhz - wanted) == best


@pytest.mark.parametrize(
    ("speed", "pfd", "vco"), [("C6/I5", 400, (400, 1200)), ("C8/I7", 500, (500, 1250))]
)
@given(crystal=st.just(Fraction(27)), wanted=MHZ)
@settings(max_examples=30, deadline=None)
def test_gowin(speed, pfd, vco, crystal, wanted):
    setting = pll_gowin.choose(crystal, wanted, speed)
    divide = setting.parameters
    assert 3 <= setting.pfd == crystal / (divide["IDIV_SEL"] + 1) <= pfd
    assert setting.mhz == setting.pfd * (divide["FBDIV_SEL"] + 1)
    assert vco[0] <= setting.vco == setting.mhz * divide["ODIV_SEL"] <= vco[1]
    assert abs(setting.mhz - wanted) < wanted / 8


def test_the_packages_own_calculators_agree():
    """icepll and ecppll on the settings that their manuals show."""
    assert pll_ice40.choose(Fraction(12), Fraction(60)).parameters == {
        "DIVR": 0, "DIVF": 79, "DIVQ": 4, "FILTER_RANGE": 1,
    }  # fmt: skip
    setting = pll_ecp5.choose(Fraction(25), Fraction(50))
    assert setting.mhz == 50


@pytest.mark.parametrize("wanted", [3, 401])
def test_out_of_range(wanted):
    with pytest.raises(UserError, match=r"--clock .*: is not a clock .* allowed are 3.125 to 400"):
        pll_ecp5.choose(Fraction(25), Fraction(wanted))


BENCH = """
`timescale 1ps / 1ps
module bench;
    reg clk = 0;
    wire o, locked;
    always #({half}) clk = ~clk;
    {instance}
    integer edges = 0, early = 0;
    always @(posedge o) if (locked) edges = edges + 1; else early = early + 1;
    initial begin
        wait (locked);
        #100_000_000 $display("edges %0d early %0d", edges, early);
        $finish;
    end
endmodule
"""


def primitive(name, setting, ports):
    parameters = ", ".join(f".{key}({value})" for key, value in setting.parameters.items())
    return f"{name} #({parameters}) pll ({ports});"


@pytest.mark.requires_tool("iverilog")
@pytest.mark.parametrize("wanted", [20, 40, 82.5])
@pytest.mark.parametrize("family", ["ecp5", "ice40", "gowin"])
def test_the_models_give_the_chosen_clock(tmp_path, family, wanted):
    wanted = Fraction(wanted)
    if family == "ecp5":
        crystal, setting = 25, pll_ecp5.choose(Fraction(25), wanted)
        instance = primitive("EHXPLLL", setting,
                             ".CLKI(clk), .CLKFB(fb), .CLKOP(fb), .CLKOS(o), .LOCK(locked), "
                             ".RST(1'b0)")  # fmt: skip
        instance = "wire fb; " + instance.replace("#(", '#(.CLKOS_ENABLE("ENABLED"), ')
    elif family == "ice40":
        crystal, setting = 12, pll_ice40.choose(Fraction(12), wanted)
        instance = primitive("SB_PLL40_CORE", setting,
                             ".REFERENCECLK(clk), .PLLOUTGLOBAL(o), .LOCK(locked), "
                             ".RESETB(1'b1), .BYPASS(1'b0)")  # fmt: skip
    else:
        crystal, setting = 27, pll_gowin.choose(Fraction(27), wanted, "C6/I5")
        instance = primitive("rPLL", setting,
                             ".CLKIN(clk), .CLKOUT(o), .LOCK(locked), .RESET(1'b0)")  # fmt: skip
    source = tmp_path / "bench.v"
    model = (simulation.MODELS / f"pll_{family}.v").read_text()
    source.write_text(model + BENCH.format(half=500_000 / crystal, instance=instance))
    folder = {"cwd": tmp_path, "timeout": 60, "what": "simulating"}
    toolchain.run(
        [shutil.which("iverilog"), "-g2012", "-s", "bench", "-o", "bench", source], **folder
    )
    words = toolchain.run([shutil.which("vvp"), "bench"], **folder).split()
    assert words[0] == "edges", words
    assert abs(int(words[1]) / 100 - setting.mhz) < setting.mhz * Fraction("0.003")
    assert int(words[3]) > 0  # the reset behind it sees clock edges before it is released
