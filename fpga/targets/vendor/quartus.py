"""Intel (Altera) Quartus Prime: project, build, constraints."""

from ....hw.errors import UserError, shown

TOOL = "Quartus Prime"
PART = "5CSEBA6U23I7"
"""Of the DE10-Nano."""

FAMILIES = {
    "10AX": "Arria 10",
    "10AS": "Arria 10",
    "10CL": "Cyclone 10 LP",
    "10CX": "Cyclone 10 GX",
    "10M": "MAX 10",
    "1S": "Stratix 10",
    "5AG": "Arria V",
    "5AS": "Arria V",
    "5CE": "Cyclone V",
    "5CG": "Cyclone V",
    "5CS": "Cyclone V",
    "5S": "Stratix V",
    "AGF": "Agilex 7",
    "AGI": "Agilex 7",
    "EP4CE": "Cyclone IV E",
    "EP4CG": "Cyclone IV GX",
}
"""Quartus' name of a family by how its parts begin."""

README = """\
```sh
quartus_sh -t project.tcl   # makes {name}.qpf and {name}.qsf in this folder
quartus_sh -t build.tcl     # compiles to output_files/
```

`build.tcl` ends with exit status 1 if setup or hold timing is not met. The ports are virtual pins,
so that the engine fits by itself; paths through them are not constrained: that is for the design
around it.
"""

BOARD_README = """\
```sh
quartus_sh -t project.tcl   # makes {name}.qpf and {name}.qsf in this folder
quartus_sh -t build.tcl     # compiles to output_files/
```

`build.tcl` ends with exit status 1 if setup or hold timing is not met. Once the board is
programmed, `matweave.fpga.host` talks to it over the serial port at {baud:,} baud.
"""

SDC = """\
# Clock of {name}.
create_clock -name clk -period {period} [get_ports {{clk}}]
derive_clock_uncertainty
"""

PROJECT = """\
# Makes the Quartus project of {name} beside this script, anew:
#   quartus_sh -t project.tcl
package require ::quartus::project
cd [file dirname [file normalize [info script]]]
project_new {name} -overwrite
set_global_assignment -name FAMILY "{family}"
set_global_assignment -name DEVICE {part}
set_global_assignment -name TOP_LEVEL_ENTITY {name}
set_global_assignment -name VERILOG_FILE {name}.v
set_global_assignment -name SDC_FILE {name}.sdc
set_global_assignment -name PROJECT_OUTPUT_DIRECTORY output_files
# Its ports are not pins, but for the clock.
foreach port {{
{ports}
}} {{
    set_instance_assignment -name VIRTUAL_PIN ON -to $port
}}
export_assignments
project_close
"""

BOARD_PROJECT = """\
# Makes the Quartus project of {name} beside this script, anew:
#   quartus_sh -t project.tcl
package require ::quartus::project
cd [file dirname [file normalize [info script]]]
project_new {name} -overwrite
set_global_assignment -name FAMILY "{family}"
set_global_assignment -name DEVICE {part}
set_global_assignment -name TOP_LEVEL_ENTITY top
set_global_assignment -name VERILOG_FILE top.v
set_global_assignment -name VERILOG_FILE {name}_linked.v
set_global_assignment -name SDC_FILE {name}.sdc
set_global_assignment -name PROJECT_OUTPUT_DIRECTORY output_files
{pins}
export_assignments
project_close
"""

BUILD = """\
# Compiles {name} after project.tcl, and fails where setup or hold timing is not met:
#   quartus_sh -t build.tcl
package require ::quartus::project
package require ::quartus::flow
cd [file dirname [file normalize [info script]]]
project_open {name}
execute_flow -compile
project_close
if {{[catch {{qexec "quartus_sta -t timing.tcl"}}]}} {{
    puts stderr "matweave: error: timing is not met, or was not analysed; see output_files"
    exit 1
}}
"""

TIMING = """\
# Exit status 1 if the worst setup or hold slack of {name} is negative; build.tcl runs it:
#   quartus_sta -t timing.tcl
package require ::quartus::project
package require ::quartus::sta
cd [file dirname [file normalize [info script]]]
project_open {name}
create_timing_netlist
read_sdc {name}.sdc
update_timing_netlist
set late 0
foreach kind {{setup hold}} {{
    set slack ""
    foreach_in_collection path [get_timing_paths -$kind -npaths 1] {{
        set slack [get_path_info $path -slack]
    }}
    puts "matweave: $kind slack $slack ns at a period of {period} ns"
    if {{$slack eq "" || $slack < 0}} {{
        set late 1
    }}
}}
delete_timing_netlist
project_close
exit $late
"""


def check(part: str) -> None:
    """Raises :class:`UserError` for a part of no known family."""
    family(part)


def family(part: str) -> str:
    """Quartus' name of the family of ``part``."""
    for length in range(5, 1, -1):
        if found := FAMILIES.get(part.upper()[:length]):
            return found
    raise UserError(
        f"--part: {shown(part)} is of no family that is known; parts begin with "
        f"{', '.join(FAMILIES)}; such as {PART}"
    )


def about(name: str) -> dict[str, str]:
    """What each file of :func:`files` is."""
    return {
        f"{name}.sdc": "the clock's constraint",
        "project.tcl": "makes the project",
        "build.tcl": "compiles it",
        "timing.tcl": "looks whether setup timing was met",
    }


def files(manifest: dict, target) -> dict[str, str]:
    ports = [each for each in manifest["ports"] if each["name"] != "clk"]
    values = {
        "name": manifest["name"],
        "part": target.part.upper(),
        "family": family(target.part),
        "period": target.period,
        "ports": "\n".join(
            f"    {port['name']}" + ("[*]" if port["width"] > 1 else "") for port in ports
        ),
    }
    return {
        f"{manifest['name']}.sdc": SDC.format(**values),
        "project.tcl": PROJECT.format(**values),
        "build.tcl": BUILD.format(**values),
        "timing.tcl": TIMING.format(**values),
    }


def board_part(board) -> str:
    """Quartus' name of the board's device."""
    return f"{board.device}{board.package}{board.speed}"


def board_about(name: str) -> dict[str, str]:
    """What each file of :func:`board_files` is."""
    return {
        f"{name}.sdc": "the crystal's clock",
        "project.tcl": "makes the project, with its pins",
        "build.tcl": "compiles it",
        "timing.tcl": "looks whether setup timing was met",
    }


def board_files(name: str, target, design) -> dict[str, str]:
    lines = design.platform["top.qsf"].splitlines()
    values = {
        "name": name,
        "part": target.part.upper(),
        "family": family(target.part),
        "period": target.period,
        "pins": "\n".join(
            line.strip()
            for line in lines
            if line.strip().startswith(("set_location_assignment", "set_instance_assignment"))
        ),
    }
    lines = [line.strip() for line in design.platform["top.sdc"].splitlines()]
    clocks = [line for line in lines if line.startswith("create_clock")]
    return {
        f"{name}.sdc": "\n".join([*clocks, "derive_clock_uncertainty"]) + "\n",
        "project.tcl": BOARD_PROJECT.format(**values),
        "build.tcl": BUILD.format(**values),
        "timing.tcl": TIMING.format(**values),
    }
