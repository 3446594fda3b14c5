"""What networks take, as Yosys maps them."""

import pytest

from matweave.fpga.targets.resources import synthesise
from matweave.hw.errors import ConfigError

ADDER = """
module adder(input clk, input [7:0] a, input [7:0] b, output reg [7:0] s);
  always @(posedge clk) s <= a + b;
endmodule
"""


@pytest.mark.requires_tool("yosys")
@pytest.mark.parametrize(
    ("family", "luts", "carries"),
    [
        ("xcup", range(8, 9), (1, 2)),
        ("ecp5", range(0, 1), (4, 5)),
        ("ice40", range(7, 9), (6, 7, 8)),
    ],
)
def test_an_adder_with_a_register(family, luts, carries):
    found = synthesise(ADDER, "adder", family)
    assert found.luts in luts
    assert found.carries in carries
    assert found.flops == 8
    assert found.memories == 0


MULTIPLIER = """
module multiplier(input clk, input signed [11:0] a, input signed [9:0] b, output reg [21:0] p);
  always @(posedge clk) p <= a * b;
endmodule
"""


@pytest.mark.requires_tool("yosys")
@pytest.mark.parametrize("family", ["xcup", "ecp5", "ice40"])
def test_a_multiplier_is_a_dsp_block_where_it_may_be(family):
    found = [synthesise(MULTIPLIER, "multiplier", family, dsp=dsp) for dsp in (False, True)]
    assert [each.dsps for each in found] == [0, 1]
    assert found[0].luts > 50 > found[1].luts


def test_other_families_are_refused():
    with pytest.raises(ConfigError, match="did you mean 'ecp5'"):
        synthesise(ADDER, "adder", "ecp")
