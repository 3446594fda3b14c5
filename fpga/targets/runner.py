"""Runs one program of a flow: with a time limit, telling where it is, and ending its children.

A result that is not written in full, because the disk is full, is never taken for one.
"""

import os
import re
import selectors
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ...hw.errors import OutputError, plain
from ...sim import toolchain

TIMEOUT = 3600
"""Seconds that one program may take on one design."""
FULL = 1 << 20
"""Free bytes below which a failure is the disk's, not the program's."""

PHASES = {
    r"Executing SYNTH_": "mapping",
    r"Executing ABC": "optimising logic",
    r"Packing ": "packing",
    r"Creating initial .*placement": "placing",
    r"Running simulated annealing": "placing",
    r"Routing global nets|Running router|Routing\.\.": "routing",
}
"""What Yosys and nextpnr say as they begin something, and what that is."""


class Cancelled(Exception):
    """The run was ended because another one failed or the user interrupted it."""


def run(
    arguments: Sequence[object],
    *,
    cwd: Path,
    what: str,
    outputs: Sequence[str] = (),
    tell: Callable[[str], None] = lambda phase: None,
    stop: threading.Event | None = None,
    timeout: float = TIMEOUT,
) -> str:
    """Run a program in folder ``cwd`` and return all that it said.

    ``what`` is what messages call it; ``outputs`` are files that it must have written; ``tell``
    gets a phase whenever one begins; when ``stop`` is set it is killed (:class:`Cancelled`).
    Raises :class:`.toolchain.ToolFailed`, or :class:`.errors.OutputError` on a full disk.
    """
    arguments = [str(each) for each in arguments]
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            arguments, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise toolchain.ToolError(
            f"{what}: {plain(arguments[0])} cannot be run: {plain(error.strerror)}"
        ) from None
    try:
        output = _listen(process, tell, stop, started + timeout)
    except TimeoutError:
        name = Path(arguments[0]).name
        raise toolchain.ToolError(f"{what}: {name} gave no result in {timeout:g} s") from None
    finally:
        toolchain.kill(process)
        process.stdout.close()
    missing = [name for name in outputs if not _written(cwd / name)]
    # Not every program notices that what it writes is cut off.
    if process.returncode or missing or shutil.disk_usage(cwd).free == 0:
        _check_disk(cwd, output)
    if process.returncode:
        output += _logs(cwd, outputs)
        message = toolchain.failure(arguments[0], process.returncode, output)
        raise toolchain.ToolFailed(f"{what}: {message}", output)
    if missing:
        raise toolchain.ToolFailed(f"{what}: did not write {', '.join(missing)}", output)
    return output


def _listen(process, tell, stop, deadline: float) -> str:
    """The whole output of ``process``, which has ended when this returns."""
    parts, pending = [], ""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if stop is not None and stop.is_set():
                raise Cancelled
            if time.monotonic() > deadline:
                raise TimeoutError
            if not selector.select(0.2):
                continue
            data = os.read(process.stdout.fileno(), 1 << 16)
            if not data:
                break
            text = data.decode(errors="replace")
            parts.append(text)
            *lines, pending = (pending + text).split("\n")
            for line in lines:
                _phase(line, tell)
    while process.poll() is None:  # it has closed its output, and will end
        if stop is not None and stop.is_set():
            raise Cancelled
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)
    return "".join(parts)


def _phase(line: str, tell) -> None:
    for pattern, phase in PHASES.items():
        if re.search(pattern, line):
            tell(phase)


def _written(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _logs(folder: Path, outputs: Sequence[str]) -> str:
    """What the program's logs say: Yosys in WebAssembly, once it has run ABC, tells its error only
    there, and the folder does not outlive the failure."""
    found = [folder / name for name in outputs if name.endswith(".log")]
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in found if _written(path)]
    return "\n".join(["", *texts])


def _check_disk(folder: Path, output: str) -> None:
    """Raise if what went wrong is that there is no room. Tools seldom say so themselves."""
    full = "No space left on device" in output or "Disk quota exceeded" in output
    if full or shutil.disk_usage(folder).free < FULL:
        raise OutputError(
            f"{plain(folder.parent)}: no space left on device: free some, or set "
            "MATWEAVE_CACHE_DIR to a folder with more"
        )
