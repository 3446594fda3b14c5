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

`build.tcl` ends with exit status 1 if timing is not met; utilisation, timing and a checkpoint are
in `build/`. Paths through the engine's ports are not constrained: that is for the design around it.

In a block design: add this folder to the project's IP repositories, then the engine is
`matweave:engine:{name}:1.0` (`component.xml`), with AXI4-Stream interfaces `s_axis_a`, `s_axis_b`,
`s_axis_c0`, `m_axis_c`, the registers at `s_axil`, and a reset that is active high.

    set_property ip_repo_paths . [current_project]
    update_ip_catalog
    create_bd_cell -type ip -vlnv matweave:engine:{name}:1.0 engine_0
"""

XDC = """\
# Clock of {name}; for a build of its own. In a block design the clock comes from outside.
create_clock -name clk -period {period} [get_ports clk]
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
    puts stderr "matweave: error: timing is not met; see [file join $out timing.rpt]"
    exit 1
}}
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
        "README.md": "this page",
    }


def files(manifest: dict, target) -> dict[str, str]:
    values = {"name": manifest["name"], "part": target.part, "period": target.period}
    return {
        f"{manifest['name']}.xdc": XDC.format(**values),
        "project.tcl": PROJECT.format(**values),
        "build.tcl": BUILD.format(**values),
        "component.xml": ipxact.component(manifest, f"{manifest['name']}.xdc"),
    }
