"""Which names may become a Verilog module, a file and a word in a Yosys script.

Neither Amaranth nor Yosys checks names: one with a newline ends the RTLIL that Amaranth hands to
Yosys and runs what follows as commands, and ``../x`` is a legal escaped identifier. So a name is
matched in full against one small alphabet, here, before anything else sees it.
"""

import re

PATTERN = r"[A-Za-z][A-Za-z0-9_]{0,62}"
"""The whole alphabet of a name, matched in full; ASCII only."""

_VERILOG = """
    always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign
    default defparam design disable edge else end endcase endconfig endfunction endgenerate
    endmodule endprimitive endspecify endtable endtask event for force forever fork function
    generate genvar highz0 highz1 if ifnone incdir include initial inout input instance integer
    join large liblist library localparam macromodule medium module nand negedge nmos nor
    noshowcancelled not notif0 notif1 or output parameter pmos posedge primitive pull0 pull1
    pulldown pullup pulsestyle_ondetect pulsestyle_onevent rcmos real realtime reg release repeat
    rnmos rpmos rtran rtranif0 rtranif1 scalared showcancelled signed small specify specparam
    strong0 strong1 supply0 supply1 table task time tran tranif0 tranif1 tri tri0 tri1 triand
    trior trireg unsigned use uwire vectored wait wand weak0 weak1 while wire wor xnor xor
"""  # IEEE 1364-2005, annex B

_SYSTEMVERILOG = """
    accept_on alias always_comb always_ff always_latch assert assume before bind bins binsof bit
    break byte chandle checker class clocking const constraint context continue cover covergroup
    coverpoint cross dist do endchecker endclass endclocking endgroup endinterface endpackage
    endprogram endproperty endsequence enum eventually expect export extends extern final
    first_match foreach forkjoin global iff ignore_bins illegal_bins implements implies import
    inside int interconnect interface intersect join_any join_none let local logic longint matches
    modport nettype new nexttime null package packed priority program property protected pure rand
    randc randcase randsequence ref reject_on restrict return s_always s_eventually s_nexttime
    s_until s_until_with sequence shortint shortreal soft solve static string strong struct super
    sync_accept_on sync_reject_on tagged this throughout timeprecision timeunit type typedef union
    unique unique0 until until_with untyped var virtual void wait_order weak wildcard with within
"""  # IEEE 1800-2017, annex B, less the above

_VHDL = """
    abs access after alias all and architecture array assert assume assume_guarantee attribute
    begin block body buffer bus case component configuration constant context cover default
    disconnect downto else elsif end entity exit fairness file for force function generate generic
    group guarded if impure in inertial inout is label library linkage literal loop map mod nand
    new next nor not null of on open or others out package parameter port postponed procedure
    process property protected pure range record register reject release rem report restrict
    restrict_guarantee return rol ror select sequence severity shared signal sla sll sra srl strong
    subtype then to transport type unaffected units until use variable vmode vprop vunit wait when
    while with xnor xor
"""  # IEEE 1076-2008, 15.10

KEYWORDS = frozenset((_VERILOG + _SYSTEMVERILOG + _VHDL).split())
"""Reserved words of Verilog, SystemVerilog and VHDL, in lower case."""

RESERVED = frozenset({"clk", "rst"})
"""Ports of every engine; a module of the same name would silently be renamed."""


def refusal(name: str) -> str | None:
    """Why ``name`` may not be a module's name, or ``None`` if it may.

    Keywords and reserved names are refused in any mixture of cases, because VHDL and some file
    systems do not tell them apart.
    """
    if not re.fullmatch(PATTERN, name, re.ASCII):
        return "is not a name; allowed are 1 to 63 ASCII letters, digits and '_', a letter first"
    if name.lower() in KEYWORDS:
        return "is a keyword of Verilog, SystemVerilog or VHDL; choose another name"
    if name.lower() in RESERVED:
        return "is the name of a port; choose another name"
    return None
