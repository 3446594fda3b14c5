"""OpenSTA, where it is installed: the critical path of the same netlist, by another's program.

It reads the netlist with plain names and with the flip-flops that our own analysis imagines: one in
front of every input, one behind every output. So no delay of a port is to be assumed, and its
figure means what :attr:`.timing.Timing.critical` means.
"""

import functools
import re
import tempfile
from pathlib import Path

from ....sim import toolchain
from .flow import prepared
from .library import Library
from .netlist import Netlist
from .timing import CLOCK_SLEW

PERIOD = 1000.0
"""ns: so long that every path meets it; what is left over is told by OpenSTA."""

TIMEOUT = 600
"""Seconds that OpenSTA may take for one netlist."""

SCRIPT = """\
read_liberty {library}
read_verilog netlist.v
link_design top
create_clock -name clk -period {period} [get_ports clk]
set_clock_transition {slew} [get_clocks clk]
report_checks -path_delay max -digits 6
exit
"""


@functools.lru_cache
def tool() -> toolchain.Tool | None:
    """``sta`` on PATH, if there is one. One that cannot tell its version is an error."""
    try:
        path = toolchain.find("sta", "apt install opensta")
    except toolchain.ToolError:
        return None
    return toolchain.probe("OpenSTA", path, ["-version"], (2, 0), "apt install opensta")


def critical(netlist: Netlist, library: Library, *, clock: str = "clk") -> float:
    """ns: clock to output, logic and set-up of the longest path."""
    with tempfile.TemporaryDirectory(prefix="matweave-sta-") as name:
        folder = Path(name)
        cells = _with_thresholds(prepared(library), folder)
        script = SCRIPT.format(library=cells, period=PERIOD, slew=CLOCK_SLEW)
        (folder / "netlist.v").write_text(plain_verilog(netlist, library, clock))
        (folder / "script.tcl").write_text(script)
        argv = [tool().path, "-no_init", "-no_splash", "-exit", "script.tcl"]
        output = toolchain.run(argv, cwd=folder, timeout=TIMEOUT, what="timing")
    # One path per path group; the worst of all counts.
    slacks = [float(text) for text in re.findall(r"^\s*(-?\d+\.\d+)\s+slack ", output, re.M)]
    if not slacks or re.search(r"^Error", output, re.M):
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        said = next(
            (line for line in lines if line.startswith("Error")), (lines or ["nothing"])[-1]
        )
        raise toolchain.ToolFailed(f"timing: OpenSTA found no path but said: {said[:300]}", output)
    return PERIOD - min(slacks)


_THRESHOLDS = {"input_threshold": 50, "output_threshold": 50, "slew_lower_threshold": 20,
               "slew_upper_threshold": 80}  # fmt: skip


def _with_thresholds(library: Path, folder: Path) -> Path:
    """The library, which OpenSTA does not read without the voltages between which times are
    measured: with usual ones if it has none. They change no delay."""
    text = library.read_text()
    names = [f"{name}_pct_{edge}" for name in _THRESHOLDS for edge in ("rise", "fall")]
    missing = [name for name in names if name not in text]
    if not missing:
        return library
    brace = text.index("{", text.index("library")) + 1
    lines = [f"\n  {name} : {_THRESHOLDS[name.rpartition('_pct_')[0]]};" for name in missing]
    (folder / "cells.lib").write_text(text[:brace] + "".join(lines) + text[brace:])
    return folder / "cells.lib"


def plain_verilog(netlist: Netlist, library: Library, clock: str = "clk") -> str:
    """Module ``top`` with one-letter names, a flip-flop in front of every input but the clock and
    one behind every output."""
    register = library.flip_flop
    (launch,) = list(register.outputs)[:1]
    clock_pin = register.clocked_on
    clocks = set(netlist.inputs.get(clock, ()))

    def net(number: int) -> str:
        if number < 0:
            return f"1'b{-1 - number}"
        return "clk" if number in clocks else f"n{number}"

    ports, body, nets = ["clk"], [], set()

    def cell(kind: str, pins: dict[str, str]) -> None:
        joined = ", ".join(f".{pin}({net})" for pin, net in pins.items())
        body.append(f"  {kind} u{len(body)} ({joined});")

    for instance in netlist.instances:
        nets |= {number for number in instance.pins.values() if number >= 0}
        cell(instance.type, {pin: net(number) for pin, number in instance.pins.items()})
    for port, bits in netlist.inputs.items():
        for number in bits if port != clock else ():
            ports.append(f"i{number}")
            nets.add(number)
            pins = {clock_pin: "clk", register.next_state: ports[-1], launch: net(number)}
            cell(register.name, pins)
    outputs = []
    for number in [number for bits in netlist.outputs.values() for number in bits]:
        nets |= {number} if number >= 0 else set()
        outputs.append(f"o{len(outputs)}")
        pins = {clock_pin: "clk", register.next_state: net(number), launch: outputs[-1]}
        cell(register.name, pins)
    lines = [f"module top ({', '.join([*ports, *outputs])});"]
    lines += [f"  input {name};" for name in ports]
    lines += [f"  output {name};" for name in outputs]
    lines += [f"  wire n{number};" for number in sorted(nets - clocks)]
    return "\n".join([*lines, *body, "endmodule"]) + "\n"
