"""Verilog and the C++ that drives it compiled into a shared library, cached by content.

Verilator writes C++, g++ compiles it, one process per core; Verilator's own run-time library is
compiled once for all engines.
"""

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import cache, toolchain

DRIVER = Path(__file__).with_name("native.cpp")

VERILATOR_FLAGS = (
    *("--cc", "--prefix", "Vtop", "-O3", "--no-timing", "--no-assert"),
    *("--x-assign", "fast", "--x-initial", "fast", "--output-split", "12000"),
    # Lint belongs to the tests of the emitted Verilog; here a warning must not stop a user.
    *("-Wno-fatal", "-Wno-lint", "-Wno-style"),
)
COMPILER_FLAGS = ("-std=gnu++20", "-fPIC", "-DVERILATOR=1", "-DVM_TRACE=0", "-DVM_COVERAGE=0")
# Rows of products are vectors, if the processor has them; the key of the cache says which it is.
# What is switched off keeps more values alive in one function of thousands of lines than there are
# registers; symbols that others may see cost calls through tables. Whether a change here pays is
# what bench/simulate.py tells.
FAST = (
    *("-O3", "-march=native", "-fvisibility=hidden", "-fno-semantic-interposition"),
    *("-fno-tree-ter", "-fno-gcse", "-fno-tree-pre", "-fno-ivopts"),
)
# Functions as long as a 16 x 16 engine's cycle: what two share is stored and read again.
FAST_FUNCTIONS = ("--output-split-cfuncs", "50000")
DRIVER_FLAGS, SLOW = ("-O2",), ("-O0",)
# A network is one long sequence of additions without loops, a netlist with mutants one of single
# bits: there is nothing to win, and g++ takes ten times as long over it. What g++ takes also grows
# faster than a function does.
LONG = ("-O1", "-march=native", "-fvisibility=hidden", "-fno-semantic-interposition")
LONG_FUNCTIONS = ("--output-split-cfuncs", "2000")
LONG_NETWORK = 1_500_000
"""Characters of a network's Verilog from which on it is compiled so."""
RUNTIME = ("verilated.cpp", "verilated_threads.cpp")

TIMEOUT = 1800
"""Seconds that one tool may take on one engine."""


def ports_header(
    inputs: Mapping[str, int], outputs: Mapping[str, int], *, registers: bool = True
) -> str:
    """``ports.h``: the streams (port prefix -> bytes per beat) that ``native.cpp`` drives, and
    whether there is a port for registers."""
    lines = [f"#define HAS_REGISTERS {int(registers)}"]
    for name, streams in (("INPUTS", inputs), ("OUTPUTS", outputs)):
        rows = "".join(f" X({i}, {port}, {size})" for i, (port, size) in enumerate(streams.items()))
        lines += [f"#define {name}(X){rows}", f"#define N_{name} {len(streams)}"]
    return "\n".join(lines) + "\n"


def library(
    verilog: str,
    top: str,
    inputs: Mapping[str, int],
    outputs: Mapping[str, int],
    *,
    registers: bool = True,
    long: bool = False,
) -> Path:
    """The shared library of the engine ``top`` with ``native.cpp``. ``long``: of Verilog without
    loops, as gates are, and as a long network's is."""
    long = long or (not registers and len(verilog) > LONG_NETWORK)
    ports = ports_header(inputs, outputs, registers=registers)
    return compiled(verilog, top, DRIVER, ports, long=long)


def compiled(verilog: str, top: str, driver: Path, ports: str, *, long: bool = False) -> Path:
    """The shared library of module ``top`` with ``driver``, which includes ``ports.h``; built where
    the cache does not have it. ``long``: so that g++ is soon done with it."""
    tools = (toolchain.verilator().version, toolchain.compiler(), toolchain.processor())
    fast, split = (LONG, LONG_FUNCTIONS) if long else (FAST, FAST_FUNCTIONS)
    verilator_flags = (*VERILATOR_FLAGS, *split)
    flags = (verilator_flags, COMPILER_FLAGS, DRIVER_FLAGS, fast, SLOW)
    key = cache.digest(verilog, top, ports, driver.read_bytes(), tools, flags)

    def make(folder: Path) -> None:
        (folder / "design.v").write_text(verilog)
        generated = folder / "generated"
        verilator = toolchain.verilator().path
        toolchain.run(
            [verilator, *verilator_flags, "--top-module", top, "-Mdir", generated, "design.v"],
            cwd=folder,
            env=toolchain.environment(),
            timeout=TIMEOUT,
            what=f"compiling {top}",
        )
        (generated / "ports.h").write_text(ports)
        objects = _compile([driver, *sorted(generated.glob("*.cpp"))], generated, folder, fast)
        _link([*objects, *_runtime()], folder / "engine.so")
        shutil.rmtree(generated)
        for path in objects:
            path.unlink()

    return cache.build("native", key, make) / "engine.so"


def _runtime() -> list[Path]:
    """Verilator's run-time library as object files."""
    include = toolchain.verilator_include()
    tools = (toolchain.verilator().version, toolchain.compiler(), toolchain.processor())
    key = cache.digest(RUNTIME, tools, COMPILER_FLAGS, FAST)
    sources = [include / name for name in RUNTIME]
    folder = cache.build("runtime", key, lambda folder: _compile(sources, include, folder, FAST))
    return [folder / f"{Path(name).stem}.o" for name in RUNTIME]


def _compile(sources: list[Path], headers: Path, folder: Path, fast: tuple[str, ...]) -> list[Path]:
    include = toolchain.verilator_include()
    compiler = toolchain.compiler().path

    def one(source: Path) -> Path:
        target = folder / f"{source.stem}.o"
        ours = source.parent == DRIVER.parent
        optimise = DRIVER_FLAGS if ours else SLOW if "__Slow" in source.name else fast
        paths = (f"-I{headers}", f"-I{include}", f"-I{include / 'vltstd'}")
        toolchain.run(
            [compiler, *COMPILER_FLAGS, *optimise, *paths, "-c", source, "-o", target],
            timeout=TIMEOUT,
            what=f"compiling {source.name}",
        )
        return target

    # The largest first, so that none is left alone at the end.
    sources = sorted(sources, key=lambda path: -path.stat().st_size)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        try:
            return list(pool.map(one, sources))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _link(objects: list[Path], target: Path) -> None:
    toolchain.run(
        [toolchain.compiler().path, "-shared", "-pthread", *objects, "-o", target],
        timeout=TIMEOUT,
        what=f"linking {target.name}",
    )
