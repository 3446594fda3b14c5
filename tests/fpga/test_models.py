"""Our models of vendors' cells against the Verilog that Yosys mapped to them."""

import random
import shutil

import pytest

from matweave.fpga import boards, simulation
from matweave.fpga.targets import tools
from matweave.fpga.targets.family import family
from matweave.sim import cache, toolchain

MEMORY = """
module {name}(input clk, rd, input [{enables}-1:0] we, input [{address}-1:0] wa, ra,
              input [{width}-1:0] d, output reg [{width}-1:0] q);
    reg [{width}-1:0] words [0:(1 << {address})-1];
    integer i;
    initial $readmemh("{name}.hex", words);
    always @(posedge clk) begin
        for (i = 0; i < {enables}; i = i + 1)
            if (we[i]) words[wa][i * ({width} / {enables}) +: {width} / {enables}]
                <= d[i * ({width} / {enables}) +: {width} / {enables}];
        if (rd) q <= words[ra];
    end
endmodule
"""
TOP = """
module top(input clk, rd, input [3:0] we, input [13:0] wa, ra, input [35:0] d{outputs});
{instances}
endmodule
"""
SHAPES = [(36, 9, 4), (18, 10, 2), (9, 11, 1), (4, 12, 1), (2, 13, 1), (1, 14, 1), (32, 9, 1)]
"""Bits of a word and of an address, and how many parts of a word are written each by itself."""
BENCH = """
module bench;
    reg clk = 0, rd, warm = 0;
    reg [3:0] we;
    reg [13:0] wa, ra;
    reg [35:0] d;
    integer seed = {seed}, n, wrong = 0, read = 0;
    {wires}
    initial begin
        for (n = 0; n < 4000; n = n + 1) begin
            // Few words, so that what is read has been written; every other time all of them.
            wa = $random(seed) & (n % 2 ? 14'h3fff : 14'h0007);
            ra = $random(seed) & (n % 2 ? 14'h3fff : 14'h0007);
            d = {{$random(seed), $random(seed)}};
            we = $random(seed);
            rd = n == 0 || $random(seed) % 4 != 0;
            #1 clk = 1;
            #1 {checks}
            clk = 0;
        end
        $display("wrong %0d of %0d", wrong, read);
        $finish;
    end
endmodule
"""


@pytest.mark.requires_tool("nexus", "iverilog")
def test_block_rams_of_nexus(tmp_path, seed):
    """Every width, contents from the start, parts of words, and reading what is being written."""
    names = [f"m{width}x{1 << address}" for width, address, _ in SHAPES]
    memories, outputs, instances, wires, checks, contents = "", "", "", "", "", {}
    for name, (width, address, enables) in zip(names, SHAPES, strict=True):
        memories += MEMORY.format(name=name, width=width, address=address, enables=enables)
        chance = random.Random(f"{seed} {name}")
        words = (f"{chance.getrandbits(width):x}\n" for _ in range(1 << address))
        contents[f"{name}.hex"] = "".join(words)
        outputs += f", output [{width - 1}:0] {name}_q"
        wires += f"wire [{width - 1}:0] {name}_a, {name}_b;\n"
        checks += f"read = read + 1; if ({name}_a !== {name}_b) wrong = wrong + 1;\n"
        instances += (
            f"{name} {name}(.clk(clk), .rd(rd), .we(we[{enables - 1}:0]), .wa(wa[{address - 1}:0]),"
            f".ra(ra[{address - 1}:0]), .d(d[{width - 1}:0]), .q({name}_q));\n"
        )
    memories += TOP.format(outputs=outputs, instances=instances)
    command = family("nexus").synthesis(boards.load("crosslink_nx_evn"), dsp=True)
    command = command.replace("synth_nexus", "synth_nexus -noiopad")
    script = f"read_verilog memories.v\n{command}\nwrite_verilog -noattr netlist.v\n"

    def make(folder):
        for file, text in {**contents, "memories.v": memories, "script.ys": script}.items():
            (folder / file).write_text(text)
        toolchain.run([yosys.path, "-q", "script.ys"], cwd=folder, timeout=300, what="mapping")

    yosys = tools.find(tools.YOSYS)
    # In the cache, which is in the user's folders: Yosys in WebAssembly has a /tmp of its own.
    key = cache.digest(yosys.version, memories, script, *contents.values())
    folder = cache.build("models", key, make)
    netlist = (folder / "netlist.v").read_text()
    assert netlist.count("PDPSC16K #(") >= len(SHAPES)
    for suffix, top in (("a", "top"), ("b", "mapped")):
        ports = "".join(f", .{name}_q({name}_{suffix})" for name in names)
        wires += f"{top} {top}(.clk(clk), .rd(rd), .we(we), .wa(wa), .ra(ra), .d(d){ports});\n"
    source = tmp_path / "bench.v"
    source.write_text(
        memories
        + netlist.replace("module top(", "module mapped(")
        + simulation.cells(family("nexus"))
        + BENCH.format(seed=seed, wires=wires, checks=checks)
    )
    run = {"cwd": folder, "timeout": 60, "what": "simulating"}  # where the contents are
    program = tmp_path / "bench"
    toolchain.run([shutil.which("iverilog"), "-g2012", "-s", "bench", "-o", program, source], **run)
    told = toolchain.run([shutil.which("vvp"), program], **run)
    assert f"wrong 0 of {4000 * len(SHAPES)}" in told
