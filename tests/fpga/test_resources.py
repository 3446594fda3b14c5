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


def test_other_families_are_refused():
    with pytest.raises(ConfigError, match="did you mean 'ecp5'"):
        synthesise(ADDER, "adder", "ecp")
