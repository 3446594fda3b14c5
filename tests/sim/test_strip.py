"""Verilog without initial values."""

import subprocess

import pytest

from matweave.hw.emit import generate
from matweave.sim.strip import strip_init

from .engines import engine

TEXT = """\
module m(clk, d, q);
  reg \\$auto$verilog_backend.cc:2355:dump_module$1  = 0;
  reg a = 1'h0;
  reg [7:0] b = 8'h2a;
  reg \\$escaped  = 1'h1;
  reg signed [3:0] s = 4'h0;
  wire w = 1'h0;
  reg [7:0] ram [3:0];
  initial begin
    ram[0] = 8'h00;
    ram[1] = 8'h00;
  end
  always @(posedge clk)
    if (w)
      ram[a] <= b;
  reg [7:0] rom [1:0];
  initial begin
    rom[0] = 8'h01;
    rom[1] = 8'h02;
  end
  assign q = rom[a];
endmodule
"""


def test_registers_and_written_memories_lose_theirs():
    stripped = strip_init(TEXT)
    for line in ("  reg a ;", "  reg [7:0] b ;", "  reg \\$escaped ;", "  reg signed [3:0] s ;"):
        assert line in stripped.splitlines()
    assert "dump_module$1  = 0;" in stripped
    assert "wire w = 1'h0;" in stripped
    assert "ram[0] =" not in stripped
    assert "rom[0] = 8'h01;" in stripped and stripped.count("initial begin") == 1


def test_nothing_to_strip_is_an_error():
    with pytest.raises(ValueError, match="no initial value"):
        strip_init("module m; endmodule\n")


@pytest.mark.requires_tool("iverilog")
def test_what_is_left_of_an_engine_compiles(tmp_path):
    verilog = generate(engine("tiny_cube")).verilog
    stripped = strip_init(verilog)
    assert len(stripped.splitlines()) <= len(verilog.splitlines())
    source = tmp_path / "design.v"
    source.write_text(stripped)
    command = ["iverilog", "-g2005", "-o", str(tmp_path / "out"), str(source)]
    subprocess.run(command, check=True, capture_output=True)
