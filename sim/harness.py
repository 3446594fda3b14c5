"""Logic around an engine with mutants, for what the driver of :mod:`.native` does not do.

:func:`wrapper` selects a mutant, varies byte strobes, delays the register channels against each
other, and can storm one side of the register port by itself: transfers as fast as they are taken,
random addresses and data, responses taken late. A storm of reads follows the driver's writes: half
of them are of the address that is just being written. And it keeps a signature of all that the
engine's ports show in every cycle, payload only where it is valid.
"""

import re
from dataclasses import dataclass

import numpy as np

SELECT = "mutsel"
"""Name of the input stream that sets the wrapper, and of the engine's input."""

SEEN = "seen"
"""Name of the output stream of the signature."""

WIDTH = 16
"""Bits of the input that selects a mutant."""


@dataclass(frozen=True)
class Setting:
    """``strobe``: of all writes. ``delays``: of the register channels. ``reads``, ``writes``: a
    storm, during which the driver must not use that side; only a hard reset may follow it.
    ``seed`` (8 bits): of storms and delays."""

    strobe: int = 15
    delays: bool = False
    reads: bool = False
    writes: bool = False
    seed: int = 0

    def beat(self, mutant: int, *, show: bool = False) -> np.ndarray:
        """``show``: give the signature and start a new one."""
        flags = (self.delays, self.reads, self.writes, show)
        value = mutant | self.strobe << WIDTH | self.seed << (WIDTH + 8)
        value |= sum(bool(flag) << (WIDTH + 4 + place) for place, flag in enumerate(flags))
        return np.frombuffer(value.to_bytes(4, "little"), np.uint8).reshape(1, 4)


def wrapper(verilog: str, top: str) -> str:
    """``verilog`` with a module ``{top}_mutants`` around ``top``."""
    module = verilog[verilog.index(f"module {top}(") :].partition("endmodule")[0]
    ports = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", module, re.M)
    ports = {name: (way, int(high or 0)) for way, high, name in ports if name != SELECT}
    declared = ", ".join(f"{way} [{high}:0] {name}" for name, (way, high) in ports.items())
    wires = "\n".join(f"  wire [{high}:0] x_{name};" for name, (_, high) in ports.items())
    lite = {"aw": "writes", "w": "writes", "b": "writes", "ar": "reads", "r": "reads"}
    made = {f"s_axil_{name}" for name in ("awaddr", "wdata", "wstrb", "araddr")}
    channels = []
    for place, (channel, storm) in enumerate(lite.items()):
        valid, ready = f"s_axil_{channel}valid", f"s_axil_{channel}ready"
        master, slave = (ready, valid) if channel in ("b", "r") else (valid, ready)
        made |= {master, slave}
        channels.append(CHANNEL.format(
            channel=channel, storm=storm, master=master, slave=slave, place=place,
            hold=f"~x_{slave}" if master == valid else "0",
        ))  # fmt: skip
    straight = [
        f"  assign x_{name} = {name};" if way == "input" else f"  assign {name} = x_{name};"
        for name, (way, _) in ports.items()
        if name not in made
    ]
    return LOGIC.format(
        verilog=verilog,
        top=top,
        declared=declared,
        wires=wires,
        channels="".join(channels),
        straight="\n".join(straight),
        select=SELECT,
        seen=SEEN,
        width=WIDTH,
        high=ports["s_axil_awaddr"][1],
        folded=_folded(ports),
        connected=", ".join(f".{name}(x_{name})" for name in ports),
        mutant=f", .{SELECT}({SELECT})" if re.search(rf"\b{SELECT};", module) else "",
    )


def payload(name: str) -> str | None:
    """The valid signal that goes with an output port that is a payload."""
    found = re.fullmatch(r"(\w+_)t(data|last)|(\w+_[br])(data|resp)", name)
    return found and (f"{found[1]}tvalid" if found[1] else f"{found[3]}valid")


def _folded(ports) -> str:
    """All outputs, 32 bits a term; each term at another place of the signature."""
    terms = []
    for name, (way, high) in ports.items():
        if way != "output":
            continue
        for low in range(0, high + 1, 32):
            bits = f"x_{name}[{min(low + 31, high)}:{low}]"
            shown = f"(x_{payload(name)} ? {bits} : 32'd0)" if payload(name) else bits
            terms.append(f"({{32'd0, 32'd0 | {shown}}} << {5 * len(terms) % 32})")
    return " ^ ".join(terms)


# A channel opens at random cycles and, once open, stays so until something crosses.
CHANNEL = """
  reg open_{channel} = 1;
  reg storm_{channel} = 0;
  assign x_{master} = {storm} ? storm_{channel} : {master} & open_{channel};
  assign {slave} = x_{slave} & open_{channel} & ~{storm};
  always @(posedge clk) begin
    if (x_{master} & x_{slave}) open_{channel} <= ~delays;
    else if (random[{place}] | ~delays) open_{channel} <= 1;
    if (~(storm_{channel} & {hold})) storm_{channel} <= {storm} & (random[{place} + 7] | calm);
  end"""

LOGIC = """{verilog}
module {top}_mutants({declared},
    input [31:0] s_axis_{select}_tdata, input s_axis_{select}_tvalid,
    output s_axis_{select}_tready, input s_axis_{select}_tlast,
    output [63:0] m_axis_{seen}_tdata, output m_axis_{seen}_tvalid,
    input m_axis_{seen}_tready, output m_axis_{seen}_tlast);
  reg [{width}-1:0] {select} = 0;
  reg [3:0] strobe = 15;
  reg delays = 0, reads = 0, writes = 0, show = 0;
  reg [30:0] random = 1;
  reg [63:0] signature = 0;
  reg [63:0] shown = 0;
  // Every other 64 cycles a storm goes at full speed.
  reg [6:0] time_of_storm = 0;
  wire calm = time_of_storm[6];
{wires}
  assign s_axis_{select}_tready = 1;
  assign m_axis_{seen}_tdata = shown;
  assign m_axis_{seen}_tvalid = show;
  assign m_axis_{seen}_tlast = 1;
  always @(posedge clk) begin
    random <= {{random[25:0], random[30:26] ^ random[27:23]}};
    time_of_storm <= time_of_storm + 1;
    signature <= {{signature[62:0], signature[63] ^ signature[62] ^ signature[60] ^ signature[59]}}
      ^ {folded};
    if (m_axis_{seen}_tready) show <= 0;
    if (s_axis_{select}_tvalid) begin
      {{show, writes, reads, delays, strobe, {select}}} <= s_axis_{select}_tdata[{width}+7:0];
      random <= {{s_axis_{select}_tdata[31:24], 23'h45F491}};
      time_of_storm <= 0;
      signature <= 0;
      shown <= signature;
    end
  end
  reg [{high}:0] read_address = 0, write_address = 0;
  reg [31:0] write_data = 0;
  reg [3:0] write_strobe = 0;
  wire [{high}:0] anywhere = random[30] & random[17] ? random : random[8:2];
  always @(posedge clk) begin
    if (x_s_axil_arready | ~x_s_axil_arvalid) read_address <= random[0] ? s_axil_awaddr : anywhere;
    if (x_s_axil_awready | ~x_s_axil_awvalid) write_address <= anywhere;
    if (x_s_axil_wready | ~x_s_axil_wvalid) begin
      write_data <= random[3] ? random[9:5] : {{random[0], random}};
      write_strobe <= random[4] ? 15 : random[23:20];
    end
  end
  assign x_s_axil_araddr = reads ? read_address : s_axil_araddr;
  assign x_s_axil_awaddr = writes ? write_address : s_axil_awaddr;
  assign x_s_axil_wdata = writes ? write_data : s_axil_wdata;
  assign x_s_axil_wstrb = writes ? write_strobe : strobe;{channels}
{straight}
  {top} dut({connected}{mutant});
endmodule
"""
