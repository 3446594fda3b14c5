"""A vendor's package of an engine: its files from the configuration, byte for byte the same."""

import re
from dataclasses import dataclass

from ....hw.errors import UserError, nearest, shown
from . import driver, quartus, vivado

VENDORS = {"vivado": vivado, "quartus": quartus}
"""By name: modules with ``TOOL``, ``PART``, ``README``, ``check(part)``, ``about(name)`` and
``files(manifest, target)``."""

MIN_CLOCK, MAX_CLOCK = 1.0, 1000.0
"""MHz that a constraint may ask for."""


@dataclass(frozen=True)
class Target:
    """What a package is for: ``vendor``'s tool, a ``part``, a ``clock`` in MHz to be reached."""

    vendor: str
    part: str
    clock: float

    @property
    def period(self) -> str:
        """Of the clock, in ns, rounded down to 1 ps: never a slower clock than was asked for."""
        return f"{int(1e6 / self.clock) / 1e3:.3f}"


def target(vendor: str, *, part: str | None = None, clock: float = 100.0) -> Target:
    """What to package for. Raises :class:`UserError` for a vendor, part or clock that cannot be."""
    if vendor not in VENDORS:
        raise UserError(
            f"--vendor: {shown(vendor)} is not a vendor's tool; allowed are "
            f"{', '.join(VENDORS)}{nearest(vendor, VENDORS)}"
        )
    tool = VENDORS[vendor]
    part = tool.PART if part is None else part
    # It becomes part of Tcl: nothing in it may mean something there.
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{2,39}", part):
        raise UserError(f"--part: {shown(part)} is not the name of a part; such as {tool.PART}")
    tool.check(part)
    if not MIN_CLOCK <= clock <= MAX_CLOCK:
        raise UserError(
            f"--clock: {shown(clock)} is out of range; allowed are {MIN_CLOCK:g} to "
            f"{MAX_CLOCK:g} MHz"
        )
    return Target(vendor, part, clock)


def files(config, target: Target) -> dict[str, str]:
    """Name -> content of every file: the engine's own, its driver, and what the vendor needs."""
    from ....hw import emit

    generated = emit.generate(config)
    manifest, tool = generated.manifest, VENDORS[target.vendor]
    made = {
        **generated.files,
        f"{config.name}_driver.h": driver.c_driver(manifest),
        **tool.files(manifest, target),
    }
    made["README.md"] = _readme(manifest, target, tool, [*made, "README.md"])
    return made


def _readme(manifest: dict, target: Target, tool, made: list[str]) -> str:
    name, config = manifest["name"], manifest["configuration"]
    about = {
        f"{name}.v": "the engine, Verilog-2001",
        f"{name}.json": "its manifest: ports, streams, formats, latencies, versions",
        f"{name}_regs.h": "register addresses and fields, C",
        f"{name}_regs.md": "the register map, to read",
        f"{name}_driver.h": "a driver, C99, header only, for bare metal or mapped memory",
        **tool.about(name),
    }
    assert set(about) == set(made), set(about) ^ set(made)
    rows = [f"| `{file}` | {about[file]} |" for file in sorted(made)]
    lines = [
        f"# {name} for {tool.TOOL}",
        "",
        f"A project package for {tool.TOOL}: {config['a']} · {config['b']}, an array of kind "
        f"`{config['array']['kind']}` of `{config['pe']['kind']}` PEs. Part {target.part}, clock "
        f"`clk` at {target.clock:g} MHz ({target.period} ns), configuration "
        f"{manifest['configuration_sha256'][:16]}.",
        "",
        f"This is not a bitstream, and no {tool.TOOL} has seen it: matweave's tests run Yosys on "
        "the RTL, run the Tcl with stub commands in tclsh, and compile the driver.",
        "",
        tool.README.format(name=name, part=target.part),
        "| file | what it is |",
        "|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"
