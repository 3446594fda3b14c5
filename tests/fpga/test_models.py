"""Our models of vendors' cells against the Verilog that Yosys mapped to them."""

import random
import re
import shutil
from pathlib import Path

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


FACTORS = [
    ("signed", 8, "signed", 8), ("", 8, "", 8), ("signed", 9, "signed", 9), ("signed", 16, "", 9),
    ("signed", 12, "signed", 4), ("signed", 24, "signed", 31), ("signed", 33, "", 15),
    ("", 40, "signed", 24),
]  # fmt: skip
"""Signs and bits of two factors. Yosys has but $mul of one sign: mul2dsp makes one of the other."""
MULTIPLY = """
module {name}(input clk, en, input {a_sign} [{a}-1:0] a, input {b_sign} [{b}-1:0] b,
              output reg signed [{a}+{b}-1:0] y, output reg {a_sign} [{a}-1:0] z);
    reg {a_sign} [{a}-1:0] first;
    // Two read the register in front of the multiplier.
    always @(posedge clk) if (en) begin
        first <= a;
        y <= {product};
        z <= first;
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
    folder, netlist = mapped(memories, contents)
    assert netlist.count("PDPSC16K #(") >= len(SHAPES)
    for suffix, top in (("a", "top"), ("b", "mapped")):
        ports = "".join(f", .{name}_q({name}_{suffix})" for name in names)
        wires += f"{top} {top}(.clk(clk), .rd(rd), .we(we), .wa(wa), .ra(ra), .d(d){ports});\n"
    bench = BENCH.format(seed=seed, wires=wires, checks=checks)
    simulate(tmp_path, folder, memories + netlist.replace("module top(", "module mapped(") + bench)


@pytest.mark.requires_tool("nexus", "iverilog")
def test_multipliers_of_nexus(tmp_path, seed):
    """Signs and sizes; and a register that is not only the multiplier's."""
    design, outputs, instances, wires, checks = "", "", "", "", ""
    ports = {"top": "", "mapped": ""}
    for number, (a_sign, a, b_sign, b) in enumerate(FACTORS):
        name = f"m{number}"
        # In Verilog a product is signed only if both factors are.
        first = "first" if a_sign else "$signed({1'b0, first})"
        second = "b" if b_sign else "$signed({1'b0, b})"
        product = f"{first} * {second}" if a_sign or b_sign else "first * b"
        design += MULTIPLY.format(
            name=name, a_sign=a_sign, a=a, b_sign=b_sign, b=b, product=product
        )
        outputs += f", output [{a + b - 1}:0] {name}_y, output [{a - 1}:0] {name}_z"
        instances += (
            f"{name} {name}(.clk(clk), .en(rd), .a(d[{a - 1}:0]), .b(e[{b - 1}:0]),"
            f".y({name}_y), .z({name}_z));\n"
        )
        for top in ports:
            wires += f"wire [{a + b - 1}:0] {name}_y_{top}; wire [{a - 1}:0] {name}_z_{top};\n"
            ports[top] += f", .{name}_y({name}_y_{top}), .{name}_z({name}_z_{top})"
        for each in "yz":
            checks += (
                f"if (n > 20) read = read + 1; if (n > 20 && {name}_{each}_top !== "
                f"{name}_{each}_mapped) wrong = wrong + 1;\n"
            )
    head = f"module top(input clk, rd, input [39:0] d, e{outputs});\n"
    design += head + instances + "endmodule\n"
    folder, netlist = mapped(design, {})
    kinds = set(re.findall(r"^  (MULT\w+) #\(", netlist, re.MULTILINE))
    assert kinds == {"MULT9X9", "MULT18X18", "MULT18X36", "MULT36X36"}
    wires += "wire [39:0] wide = {d, wa[3:0]}, other = {wa, ra, d[35:24]};\n"
    for top, connected in ports.items():
        wires += f"{top} {top}(.clk(clk), .rd(rd), .d(wide), .e(other){connected});\n"
    bench = BENCH.format(seed=seed, wires=wires, checks=checks)
    text = design + netlist.replace("module top(", "module mapped(") + bench
    simulate(tmp_path, folder, text)


def mapped(verilog: str, contents: dict[str, str]) -> tuple[Path, str]:
    """What the flow maps ``verilog`` to, without pins, and the folder, which has ``contents``."""
    command = family("nexus").synthesis(boards.load("crosslink_nx_evn"), dsp=True)
    command = command.replace("synth_nexus", "synth_nexus -noiopad")
    start = "read_verilog design.v\nhierarchy -top top\nproc\n"
    script = f"{start}{command}\nwrite_verilog -noattr netlist.v\n"

    def make(folder):
        for file, text in {**contents, "design.v": verilog, "script.ys": script}.items():
            (folder / file).write_text(text)
        toolchain.run([yosys.path, "-q", "script.ys"], cwd=folder, timeout=300, what="mapping")

    yosys = tools.find(tools.YOSYS)
    # In the cache, which is in the user's folders: Yosys in WebAssembly has a /tmp of its own.
    key = cache.digest(yosys.version, verilog, script, *contents.values())
    folder = cache.build("models", key, make)
    return folder, (folder / "netlist.v").read_text()


def simulate(tmp_path: Path, folder: Path, verilog: str) -> None:
    """Runs module ``bench``, in ``folder``: nothing may be wrong."""
    source, program = tmp_path / "bench.v", tmp_path / "bench"
    source.write_text(verilog + simulation.cells(family("nexus")))
    run = {"cwd": folder, "timeout": 60, "what": "simulating"}
    toolchain.run([shutil.which("iverilog"), "-g2012", "-s", "bench", "-o", program, source], **run)
    told = toolchain.run([shutil.which("vvp"), program], **run)
    wrong, read = map(int, re.search(r"wrong (\d+) of (\d+)", told).groups())
    assert wrong == 0
    assert read > 20_000
