"""``matweave demo NAME``: a demo's host program, with a board or with a simulated one."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from matweave.fpga import boards, build, demos, engines, loader
from matweave.hw import output as outputs
from matweave.hw.errors import UserError, shown
from matweave.sim import toolchain

from .demo import lacking
from .failure import CheckFailed

SIMULATED_SAMPLES = 16
"""A simulated serial line takes its time."""

SIMULATED_TIMEOUT = 60.0
"""Seconds that a request may take, beyond those on the line: the board's clock is not ours."""

Progress = Callable[..., None]


@dataclass(frozen=True)
class Wanted:
    """What the user asked for: ``port``, or ``None`` for a simulated board; ``folder``: of a build
    to program first, whose board, engine and baud rate then count; ``samples``, ``baud``: ``None``
    for the usual; ``pictures``: where a demo's go, if it draws any, ``None`` for nowhere."""

    demo: str
    board: str
    port: str | None = None
    folder: Path | None = None
    samples: int | None = None
    baud: int | None = None
    pictures: Path | None = None


def run(wanted: Wanted, progress: Progress) -> dict[str, Any]:
    """Run the demo. :class:`CheckFailed` if the board gives anything but what it should."""
    if wanted.samples is not None and wanted.samples < 1:
        raise UserError(f"--samples {shown(wanted.samples)}: allowed are 1 and more")
    least, most = build.BAUD_RATES
    if wanted.baud is not None and not least <= wanted.baud <= most:
        raise UserError(f"--baud {shown(wanted.baud)}: allowed are {least:,} to {most:,}")
    demo, board = demos.load(wanted.demo), boards.load(wanted.board)
    settings = engines.load(demo.engine, demo.on(board.name).set)
    draws = wanted.pictures is not None and hasattr(demo.host, "pictures")
    if draws:
        outputs.check_folder(wanted.pictures)
    if wanted.folder is not None:
        built = loader.built(wanted.folder)
        board, settings = boards.load(built.board), engines.from_tables(built.tables)
        wanted = replace(wanted, baud=built.baud if wanted.baud is None else wanted.baud)
        progress(f"programming {board.title}")
        loader.program(board, built.bitstream)
    samples = SIMULATED_SAMPLES if wanted.port is None else None
    samples = samples if wanted.samples is None else wanted.samples
    with _engine(wanted, board, demo, settings, progress) as engine:

        def tell(done, total, now=""):
            progress(" ".join(["classifying on the board", now]).strip(), done, total)

        started = time.perf_counter()
        found = demo.host.run(engine, samples=samples, progress=tell)
        seconds = time.perf_counter() - started
        result = {
            "demo": demo.name,
            "title": demo.title,
            "board": board.name,
            "simulated": wanted.port is None,
            "port": engine.device.port,
            "baud": engine.device.baud,
            **found,
            "accuracy": found["right"] / found["samples"],
            "retries": engine.device.retries,
            "seconds": round(seconds, 3),
        }
    if result["wrong"]:
        raise CheckFailed(
            f"{result['wrong']} of {result['elements']} results of the board are not the expected"
        )
    if draws:
        progress("drawing")
        try:
            files = demo.host.pictures(result)
        except ModuleNotFoundError as error:
            raise lacking(error) from error
        outputs.write_folder(wanted.pictures, files)
        result["pictures"] = [str(wanted.pictures / name) for name in files]
    return result


@contextlib.contextmanager
def _engine(wanted: Wanted, board, demo, settings, progress: Progress) -> Iterator:
    """The engine of ``settings``, at the port or on a simulated board."""
    try:
        from matweave.fpga.host import Device
        from matweave.fpga.host.errors import LinkError
    except ModuleNotFoundError as error:
        if error.name != "serial":
            raise
        raise toolchain.ToolError(
            "pyserial was not found: install it with: pip install 'matweave[fpga]'"
        ) from None
    if wanted.port is not None:
        baud = board.baud if wanted.baud is None else wanted.baud
        progress(f"opening {wanted.port}")
        with Device(wanted.port, baud=baud) as device:
            yield engines.of(settings).device(device)
        return
    from matweave.fpga import simulation

    progress(f"generating {settings.name} for {board.title}")
    variant = demo.on(board.name)
    request = build.Request(
        settings, board.name, demo.name, variant.clock, wanted.baud, dsp=variant.dsp
    )
    plan = build.make_plan(request, build.linked())
    simulated = simulation.board(plan)
    progress("building the simulator of the whole board (once; about half a minute)")
    with simulated.open() as serial_board:
        try:
            with Device(serial_board.port, baud=plan.baud, timeout=SIMULATED_TIMEOUT) as device:
                yield engines.of(plan.request.config).device(device)
        except LinkError:
            if failure := serial_board.failure:
                raise toolchain.ToolError(
                    f"the simulated board stopped: {type(failure).__name__}: {failure}"
                ) from failure
            raise


def text(result: dict[str, Any]) -> str:
    """For a person."""
    where = f"simulated {result['board']}, pins and PLL included, at {result['port']}"
    rows = {
        "demo": result["title"],
        "board": where if result["simulated"] else f"{result['board']} at {result['port']}",
        **demos.load(result["demo"]).host.rows(result),
        "line": f"{result['baud']:,} baud, {result['retries']} requests repeated",
        "seconds": f"{result['seconds']:g}",
    }
    if "pictures" in result:
        rows["drawn"] = ", ".join(result["pictures"])
    width = max(map(len, rows)) + 2
    return "\n".join(f"{name:{width}}{about}" for name, about in rows.items())
