"""A vendor's package of an engine: its files from the configuration, byte for byte the same."""

import re
from dataclasses import dataclass

from ....hw.errors import UserError, nearest, shown
from ... import boards
from ...boards import Board
from . import board, driver, quartus, vivado

VENDORS = {"vivado": vivado, "quartus": quartus}
"""By name: modules with ``TOOL``, ``PART``, ``check(part)``; for an engine by itself ``README``,
``about(name)``, ``files(manifest, target)``; for one on a board ``BOARD_README``,
``board_about(name)``, ``board_files(name, target, design)``."""

CLOCK = 100.0
"""MHz, of an engine by itself, unless another is asked for."""

MIN_CLOCK, MAX_CLOCK = 1.0, 1000.0
"""MHz that a constraint may ask for."""


@dataclass(frozen=True)
class Target:
    """What a package is for: ``vendor``'s tool, a ``part``, a ``clock`` in MHz to be reached; a
    ``board`` with its link at ``baud``, or ``None``: the engine by itself."""

    vendor: str
    part: str
    clock: float
    board: Board | None = None
    baud: int = 0

    @property
    def period(self) -> str:
        """Of the clock, in ns, rounded down to 1 ps: never a slower clock than was asked for."""
        return f"{int(1e6 / self.clock) / 1e3:.3f}"


def target(
    vendor: str,
    *,
    part: str | None = None,
    clock: float | None = None,
    board: str | None = None,
    baud: int | None = None,
) -> Target:
    """What to package for. Raises :class:`UserError` for what cannot be, or not together."""
    if vendor not in VENDORS:
        raise UserError(
            f"--vendor: {shown(vendor)} is not a vendor's tool; allowed are "
            f"{', '.join(VENDORS)}{nearest(vendor, VENDORS)}"
        )
    if clock is not None and not MIN_CLOCK <= clock <= MAX_CLOCK:
        raise UserError(
            f"--clock: {shown(clock)} is out of range; allowed are {MIN_CLOCK:g} to "
            f"{MAX_CLOCK:g} MHz"
        )
    if board is not None:
        if part is not None:
            raise UserError("--board and --part exclude each other: a board has its part")
        return _on_board(vendor, board, clock, baud)
    if baud is not None:
        raise UserError("--baud: only a board has a serial link; name one with --board")
    tool = VENDORS[vendor]
    part = tool.PART if part is None else part
    # It becomes part of Tcl: nothing in it may mean something there.
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{2,39}", part):
        raise UserError(f"--part: {shown(part)} is not the name of a part; such as {tool.PART}")
    tool.check(part)
    return Target(vendor, part, CLOCK if clock is None else clock)


def _on_board(vendor: str, name: str, clock: float | None, baud: int | None) -> Target:
    from ...build import BAUD_RATES, LEAST_CYCLES

    found = boards.load(name)
    if found.family != vendor:
        fitting = [each.name for each in boards.boards().values() if each.family == vendor]
        raise UserError(
            f"--board {name}: is not built by {vendor}; allowed are {', '.join(fitting)}"
        )
    mhz = float(board.mhz(found, found.clock_mhz if clock is None else clock))
    baud = found.baud if baud is None else baud
    least, most = BAUD_RATES[0], min(BAUD_RATES[1], int(mhz * 1e6 / LEAST_CYCLES))
    if not least <= baud <= most:
        raise UserError(
            f"--baud: {shown(baud)} is out of range; allowed at a clock of {mhz:g} MHz are "
            f"{least:,} to {most:,}"
        )
    return Target(vendor, VENDORS[vendor].board_part(found), mhz, found, baud)


def files(config, target: Target) -> dict[str, str]:
    """Name -> content of every file: what is generated for the engine, and what the tool needs."""
    from ....hw import emit

    generated = emit.generate(config)
    manifest, tool = generated.manifest, VENDORS[target.vendor]
    name = config.name
    made = dict(generated.files)
    if target.board is None:
        made[f"{name}_driver.h"] = driver.c_driver(manifest)
        made |= tool.files(manifest, target)
    else:
        # Its registers and streams are reached over the serial line, not from C.
        made = {file: made[file] for file in (f"{name}.json", f"{name}_regs.md")}
        design = board.design(config, target.board, target.clock, target.baud)
        made |= design.files | tool.board_files(name, target, design)
    made["README.md"] = _readme(manifest, target, tool, [*made, "README.md"])
    return made


def _about(name: str, target: Target, tool) -> dict[str, str]:
    """What each file is."""
    about = {
        f"{name}.json": "the engine's manifest: ports, streams, formats, latencies, versions",
        f"{name}_regs.md": "the register map, to read",
        "README.md": "this page",
    }
    if target.board is not None:
        return {
            **about,
            f"{name}_linked.v": "the engine with its serial link, Verilog-2001",
            "top.v": "the board's top: pins, clock, reset",
            **tool.board_about(name),
        }
    return {
        **about,
        f"{name}.v": "the engine, Verilog-2001",
        f"{name}_regs.h": "register addresses and fields, C",
        f"{name}_driver.h": "a driver, C99, header only, for bare metal or mapped memory",
        **tool.about(name),
    }


def _readme(manifest: dict, target: Target, tool, made: list[str]) -> str:
    name, config = manifest["name"], manifest["configuration"]
    about = _about(name, target, tool)
    assert set(about) == set(made), set(about) ^ set(made)
    where = f" on {target.board.title}" if target.board else ""
    text = tool.BOARD_README if target.board else tool.README
    clock = (
        f"a clock of {target.clock:g} MHz"
        if target.board
        else (f"clock `clk` at {target.clock:g} MHz ({target.period} ns)")
    )
    rows = [f"| `{file}` | {about[file]} |" for file in sorted(made)]
    lines = [
        f"# {name} for {tool.TOOL}{where}",
        "",
        f"A project package for {tool.TOOL}: {config['a']} · {config['b']}, an array of kind "
        f"`{config['array']['kind']}` of `{config['pe']['kind']}` PEs. Part {target.part}, "
        f"{clock}, configuration {manifest['configuration_sha256'][:16]}.",
        "",
        f"This is not a bitstream, and no {tool.TOOL} has seen it: matweave's tests run Yosys on "
        "the RTL and run the Tcl with stub commands in tclsh.",
        "",
        text.format(name=name, baud=target.baud),
        "| file | what it is |",
        "|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"
