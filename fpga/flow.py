"""The steps from Verilog to a bitstream, each cached by all that goes into it.

A step that is interrupted or fails leaves nothing; one that is done is not done again.
"""

import hashlib
import json
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from ..hw import output as outputs
from ..sim import cache
from .boards import Board
from .targets import nextpnr, runner, tools
from .targets.family import NETLIST, PLACED, REPORT, Family
from .targets.netlist import Netlist

VERSION = "1"
"""Of what the steps leave behind; another one makes all cached results void."""

# memory_dff while there is a hierarchy: a block RAM takes the register in front of it, which is in
# its module; of the flat design it would rather take one behind it, such as that at the array's
# edge, and the array would have to wait for the memory (5.6 ns on an ECP5) once more.
SCRIPT = """\
read_verilog core.v top.v
hierarchy -top top
proc
opt_clean
memory_dff
{synthesis}
write_json {netlist}
write_verilog -noattr netlist.v
"""


@dataclass(frozen=True)
class Design:
    """What is to be built: files by name (``core.v``, ``top.v``, ``top.`` constraints).

    ``mhz``: the constraint of clocks that nextpnr does not derive from the board's."""

    name: str
    board: Board
    family: Family
    files: dict[str, str]
    dsp: bool
    mhz: float

    @property
    def script(self) -> str:
        command = self.family.synthesis(self.board, dsp=self.dsp)
        return SCRIPT.format(synthesis=command, netlist=NETLIST)


@dataclass(frozen=True)
class Step:
    """What a step left: its folder, the command, and how long it took when it was done."""

    folder: Path
    command: list[str]
    seconds: float


Tell = Callable[[str], None]


def synthesise(design: Design, tell: Tell = lambda phase: None) -> tuple[Step, Netlist]:
    """``netlist.json``, ``netlist.v``, ``synthesis.log``."""
    yosys = tools.find(tools.YOSYS)
    inputs = {"core.v": design.files["core.v"], "top.v": design.files["top.v"]}
    inputs["synthesis.ys"] = design.script
    arguments = ["-l", "synthesis.log", "synthesis.ys"]

    def make(folder: Path) -> None:
        for name, text in inputs.items():
            (folder / name).write_text(text, encoding="utf-8")
        seconds = _timed(
            [yosys.path, *arguments], folder, f"synthesis of {design.name}", tell, None,
            [NETLIST, "netlist.v", "synthesis.log"],
        )  # fmt: skip
        log = (folder / "synthesis.log").read_text(encoding="utf-8", errors="replace")
        summary = Netlist.read(folder / NETLIST, log).to_json()
        _write_json(folder / "summary.json", {"seconds": seconds, "netlist": summary})

    key = cache.digest(VERSION, yosys.name, yosys.version, *sorted(inputs.items()))
    folder = cache.build("synthesis", key, make)
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    step = Step(folder, [yosys.name, *arguments], summary["seconds"])
    return step, Netlist.from_json(summary["netlist"])


def place(
    design: Design, netlist: Path, seed: int, tell: Tell, stop: threading.Event | None = None
) -> Step:
    """Placed and routed: the configuration, ``report.json``, ``placement.json``, ``place.log``."""
    program = tools.find(design.family.nextpnr)
    constraints = f"top.{design.family.constraints}"
    content = design.files[constraints]
    arguments = [
        *design.family.place(design.board), *design.family.router(netlist),
        "--json", NETLIST, "--report", REPORT,
        "--write", PLACED, "--log", "place.log", "--seed", str(seed), "--freq", f"{design.mhz:.6f}",
        "--timing-allow-fail",
    ]  # fmt: skip

    def make(folder: Path) -> None:
        (folder / constraints).write_text(content, encoding="utf-8")
        # Programs in WebAssembly see no folder but their own.
        _link(netlist, folder / NETLIST)
        seconds = _timed(
            [program.path, *arguments], folder, f"placing and routing {design.name}", tell, stop,
            [*{design.family.routed, PLACED}, REPORT, "place.log"],
        )  # fmt: skip
        _write_json(folder / "placement.json", nextpnr.placement(folder / PLACED))
        _write_json(folder / "seconds.json", seconds)
        for name in {PLACED, NETLIST} - {design.family.routed}:
            (folder / name).unlink()

    def waiting() -> None:
        if stop is not None and stop.is_set():
            raise runner.Cancelled

    with netlist.open("rb") as file:
        sha = hashlib.file_digest(file, "sha256").hexdigest()
    key = cache.digest(VERSION, program.name, program.version, sha, content, *arguments)
    folder = cache.build("place", key, make, waiting)
    seconds = json.loads((folder / "seconds.json").read_text(encoding="utf-8"))
    return Step(folder, [program.name, *arguments], seconds)


def place_all(
    design: Design, netlist: Path, seeds: list[int], workers: int, tell: Tell
) -> dict[int, Step]:
    """One placement per seed, ``workers`` at a time. If one fails, or on Ctrl-C, all are ended."""
    stop = threading.Event()
    pool = ThreadPoolExecutor(workers)

    def one(seed: int) -> Step:
        prefix = f"seed {seed}: " if len(seeds) > 1 else ""
        return place(design, netlist, seed, lambda phase: tell(prefix + phase), stop)

    try:
        futures = {seed: pool.submit(one, seed) for seed in seeds}
        while True:
            done, waiting = wait(futures.values(), timeout=0.2)
            for future in futures.values():  # in order, so that it is the same one every time
                if future in done and (error := future.exception()):
                    raise error
            if not waiting:
                return {seed: future.result() for seed, future in futures.items()}
    finally:
        # A second Ctrl-C would end the program before its threads have ended their children.
        with outputs.undisturbed():
            stop.set()
            pool.shutdown(cancel_futures=True)


def pack(design: Design, placed: Step) -> Step:
    """The bitstream, in each form that the family's packer knows."""
    program = tools.find(design.family.packer)
    routed = design.family.routed
    arguments = design.family.pack(design.board)
    outputs = list(design.family.bitstreams)

    def make(folder: Path) -> None:
        _link(placed.folder / routed, folder / routed)
        seconds = _timed(
            [program.path, *arguments], folder, f"packing {design.name}", lambda phase: None,
            None, outputs,
        )  # fmt: skip
        _write_json(folder / "seconds.json", seconds)
        (folder / routed).unlink()

    with (placed.folder / routed).open("rb") as file:
        sha = hashlib.file_digest(file, "sha256").hexdigest()
    key = cache.digest(VERSION, program.name, program.version, sha, *arguments)
    folder = cache.build("pack", key, make)
    seconds = json.loads((folder / "seconds.json").read_text(encoding="utf-8"))
    return Step(folder, [program.name, *arguments], seconds)


def _timed(arguments, folder: Path, what: str, tell: Tell, stop, outputs: list[str]) -> float:
    started = time.monotonic()
    runner.run(arguments, cwd=folder, what=what, outputs=outputs, tell=tell, stop=stop)
    return round(time.monotonic() - started, 1)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)  # both are in the cache, hence on one file system
    except OSError:  # one without hard links, such as exFAT
        shutil.copyfile(source, target)


def _write_json(path: Path, value) -> None:
    path.write_text(json.dumps(value, separators=(",", ":")), encoding="utf-8")
