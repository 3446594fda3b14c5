"""AMD Vivado: project, build, constraints, and an IP-XACT component for the block design."""

from ....hw.errors import UserError, shown
from . import ipxact

TOOL = "Vivado"
PART = "xc7a100tcsg324-1"
"""Of the Arty A7-100."""

README = """\
```sh
vivado -mode batch -source project.tcl   # makes project/{name}.xpr, to open and look at
vivado -mode batch -source build.tcl     # places and routes out of context into build/
```

`build.tcl` ends with exit status 1 if setup timing is not met. Hold it does not check: it depends
on the clock tree of the design around the engine, which is not there yet. Utilisation, timing and
a checkpoint are in `build/`. Paths through the engine's ports are not constrained: that is for the
design around it.

In a block design: add this folder to the project's IP repositories, then the engine is
`matweave:engine:{name}:1.0` (`component.xml`), with AXI4-Stream interfaces `s_axis_a`, `s_axis_b`,
`s_axis_c0`, `m_axis_c`, the registers at `s_axil`, and a reset that is active high.

    set_property ip_repo_paths . [current_project]
    update_ip_catalog
    create_bd_cell -type ip -vlnv matweave:engine:{name}:1.0 engine_0
"""

BOARD_README = """\
```sh
vivado -mode batch -source project.tcl   # makes project/{name}.xpr, to open and look at
vivado -mode batch -source build.tcl     # synthesis to bitstream in build/
```

`build.tcl` ends with exit status 1, and writes no bitstream, if setup or hold timing is not met;
see `build/timing.rpt`. Once the board is programmed, `matweave.fpga.host` talks to it over the
serial port at {baud:,} baud.
"""

XDC = """\
# Clock of {name}; for a build of its own. In a block design the clock comes from outside.
create_clock -name clk -period {period} [get_ports clk]
"""

# What Amaranth marks: the first flop of a synchroniser has no timing.
EXCEPTIONS = """\
# Asynchronous sets of the reset's synchronisers.
foreach cell [get_cells -quiet -hierarchical \\
        -filter {amaranth.vivado.false_path_pre == "TRUE"}] {
    set_false_path -to [get_pins -of_objects $cell -filter {REF_PIN_NAME == PRE}]
}
"""

PROJECT = """\
# Makes the Vivado project of {name} in project/ beside this script, anew:
#   vivado -mode batch -source project.tcl
set here [file dirname [file normalize [info script]]]
create_project -force {name} [file join $here project] -part {part}
add_files -norecurse [list [file join $here {name}.v]]
add_files -fileset constrs_1 -norecurse [list [file join $here {name}.xdc]]
set_property top {name} [get_filesets sources_1]
# Its ports are not pins: no buffers, and no placing of them.
set_property -name {{STEPS.SYNTH_DESIGN.ARGS.MORE OPTIONS}} \\
    -value {{-mode out_of_context}} -objects [get_runs synth_1]
update_compile_order -fileset sources_1
"""

BUILD = """\
# Synthesises, places and routes {name} out of context, reports in build/ beside this script:
#   vivado -mode batch -source build.tcl
set here [file dirname [file normalize [info script]]]
set out [file join $here build]
file mkdir $out
read_verilog [list [file join $here {name}.v]]
read_xdc [file join $here {name}.xdc]
synth_design -top {name} -part {part} -mode out_of_context
opt_design
place_design
phys_opt_design
route_design
write_checkpoint -force [file join $out {name}.dcp]
report_utilization -hierarchical -file [file join $out utilization.rpt]
report_timing_summary -file [file join $out timing.rpt]
set slack [get_property SLACK [lindex [get_timing_paths -max_paths 1 -nworst 1 -setup] 0]]
puts "matweave: setup slack $slack ns at a period of {period} ns"
if {{$slack < 0}} {{
    puts stderr "matweave: error: setup timing is not met; see [file join $out timing.rpt]"
    exit 1
}}
"""


BOARD_PROJECT = """\
# Makes the Vivado project of {name} in project/ beside this script, anew:
#   vivado -mode batch -source project.tcl
set here [file dirname [file normalize [info script]]]
create_project -force {name} [file join $here project] -part {part}
add_files -norecurse [list [file join $here top.v] [file join $here {name}_linked.v]]
add_files -fileset constrs_1 -norecurse \\
    [list [file join $here top.xdc] [file join $here exceptions.tcl]]
set_property used_in_synthesis false [get_files exceptions.tcl]
set_property top top [get_filesets sources_1]
update_compile_order -fileset sources_1
"""

BOARD_BUILD = """\
# From {name} to a bitstream in build/ beside this script, if setup and hold timing are met:
#   vivado -mode batch -source build.tcl
set here [file dirname [file normalize [info script]]]
set out [file join $here build]
file mkdir $out
read_verilog [list [file join $here top.v] [file join $here {name}_linked.v]]
read_xdc [file join $here top.xdc]
synth_design -top top -part {part}
source [file join $here exceptions.tcl]
opt_design
place_design
phys_opt_design
route_design
write_checkpoint -force [file join $out {name}.dcp]
report_utilization -hierarchical -file [file join $out utilization.rpt]
report_timing_summary -file [file join $out timing.rpt]
foreach kind {{setup hold}} {{
    set slack [get_property SLACK [lindex [get_timing_paths -max_paths 1 -nworst 1 -$kind] 0]]
    puts "matweave: $kind slack $slack ns at a clock of {clock:g} MHz"
    if {{$slack < 0}} {{
        puts stderr "matweave: error: $kind timing is not met; see [file join $out timing.rpt]"
        exit 1
    }}
}}
write_bitstream -force [file join $out {name}.bit]
"""


def check(part: str) -> None:
    """Raises :class:`UserError` for what cannot be a part of Vivado's."""
    if not part.lower().startswith(("xa", "xc", "xq")):
        raise UserError(f"--part: {shown(part)} is not an AMD part; such as {PART}")


def about(name: str) -> dict[str, str]:
    """What each file of :func:`files` is."""
    return {
        f"{name}.xdc": "the clock's constraint",
        "project.tcl": "makes the project",
        "build.tcl": "synthesis, placing and routing, reports",
        "component.xml": "IP-XACT component (IEEE 1685-2009) for the block design",
    }


def files(manifest: dict, target) -> dict[str, str]:
    values = {"name": manifest["name"], "part": target.part, "period": target.period}
    return {
        f"{manifest['name']}.xdc": XDC.format(**values),
        "project.tcl": PROJECT.format(**values),
        "build.tcl": BUILD.format(**values),
        "component.xml": ipxact.component(manifest, f"{manifest['name']}.xdc"),
    }


def board_part(board) -> str:
    """Vivado's name of the board's device: the package has a hyphen before it in UltraScale."""
    hyphen = "" if board.device.startswith("xc7") else "-"
    return f"{board.device}{hyphen}{board.package}-{board.speed}"


def board_about(name: str) -> dict[str, str]:
    """What each file of :func:`board_files` is."""
    return {
        "top.xdc": "pins and the crystal's clock",
        "exceptions.tcl": "paths without timing",
        "project.tcl": "makes the project",
        "build.tcl": "from synthesis to a bitstream",
    }


def board_files(name: str, target, design) -> dict[str, str]:
    values = {"name": name, "part": target.part, "clock": target.clock}
    lines = [line.strip() for line in design.platform["top.xdc"].splitlines()]
    # On the pin, from which the clocks of the MMCM are derived.
    lines = [line.replace("[get_nets ", "[get_ports ") for line in lines if line]
    return {
        "top.xdc": "\n".join(lines) + "\n",
        "exceptions.tcl": EXCEPTIONS,
        "project.tcl": BOARD_PROJECT.format(**values),
        "build.tcl": BOARD_BUILD.format(**values),
    }
