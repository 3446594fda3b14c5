"""Writes the pages that are made from code: ``python docs/make.py`` after changing what they tell.

``tests/test_docs.py`` fails where a page is not what this would write.
"""

import importlib.util
import re
import sys
from pathlib import Path

from matweave import listing, reference
from matweave.fpga import boards, demos
from matweave.fpga.targets import vendor
from matweave.fpga.targets.family import family
from matweave.hw import catalog, config, emit, engine, manifest
from matweave.hw.attention import regmap as attention_regmap
from matweave.hw.engine import regmap
from matweave.hw.formats import Overflow
from matweave.hw.network import regmap as network_regmap
from matweave.hw.transformer import regmap as encoder_regmap

DOCS = Path(__file__).parent
MARKS = ("<!-- {}: made by docs/make.py -->", "<!-- end -->")

REGISTERS_HEAD = """\
# Registers

An engine's AXI4-Lite port: 32-bit data, byte addresses. RO read only (writes: SLVERR), RW read and
write, WO write only, W1C write ones to clear. Unmapped addresses: DECERR. RW registers and tables
cannot be written while a job runs (SLVERR). `matweave generate` writes the same map with the
addresses of one engine as `NAME_regs.h` (C) and `NAME_regs.md`.

This page is made from `hw/engine/regmap.py` by `docs/make.py`.

| address | name | access | meaning |
|---|---|---|---|
"""

TABLES = """\

## Channel tables

One 32-bit word per column n of C, write only, whole words only. The tables' windows follow each
other and grow with `limits.n`: each is 4 bytes times `limits.n` rounded up to a power of two, and
at least 256 bytes.

| `limits.n` | bias[0] | multiplier[0] | shift[0] | zero[0] |
|---|---|---|---|---|
{rows}

bias is signed 32 bits; multiplier is 0 to 2^31 - 1, shift 0 to 62. These two exist where
`output.scale` is `channel` and `output.mode` is not `raw`. zero is 0 to 2^W of weights of W bits.

WEIGHTS exists where `array.planes` is `serial`, GROUPS where `groups` is more than 1, the table
zero and SUBTRACT_ZEROS where `zero_points` is `channel`, KEEP_B in engines of `kind = "lut"`;
elsewhere these registers are not mapped, and those bits of MODE are ignored. With `groups` the
table zero has a word per group and column, group after group of as many words as the column
panels have lanes, and begins at its size if that is more.

## A job

1. Write M, N, K, MODE and what MODE needs: the tables, or ZERO_POINT, MULTIPLIER and SHIFT.
2. Write 1 to CONTROL, and offer A and B (and C0) on their streams, in the order of
   [streams.md](streams.md). Data may be offered before the start; it is taken after it.
3. Take C until `tlast`. STATUS then says done; ERROR says what was refused.
"""

ATTENTION_HEAD = """\

## Attention engines

Their port is the same, and so are the first words (`hw/attention/regmap.py`). What the numbers
mean is in [decision 0013](../decisions/0013-attention.md).

| address | name | access | meaning |
|---|---|---|---|
"""

ENCODER_HEAD = """\

## Encoders and decoders

Their port is the same, and so are the first words (`hw/transformer/regmap.py`). A job: write TOKENS
and MODE, and POSITION of a decoder, then 1 to CONTROL; offer weights and parameters if MODE says
LOAD, and the tokens; take as many. An encoder has nothing from 0x44 on.
[Decision 0015](../decisions/0015-transformer-layers.md) says what is on the streams.

| address | name | access | meaning |
|---|---|---|---|
"""

NETWORK_HEAD = """\

## A network on a board

A network has no registers of its own. Behind a host link ([host-link.md](host-link.md)) it has
these (`hw/network/monitor.py`), of which none can be written.

| address | name | access | meaning |
|---|---|---|---|
"""

ENGINES_HEAD = """\
# Engines

Every preset, as `matweave generate PRESET` builds it. The array takes one m × k block of A and one
k × n block of B per cycle; its latency is from the last block of a sum to the sum, in cycles, and
the output stage's is added to it. Any of these is a starting point for a configuration of your own:
see [configuration.md](configuration.md). What each PE and array consists of is drawn in
[datapaths.md](datapaths.md).

This page is made by `docs/make.py`.

| preset | array | PE | A · B → C | multipliers | m × n × k | latency | M, N, K up to |
|---|---|---|---|---|---|---|---|
"""

PAIRS_HEAD = """\

## Which PE works in which array

Any PE works in any array. One combination is refused, with the reason: an accumulator of given
width that saturates, inside a PE that only adds modulo 2^width.

| PE | {arrays} |
|---|{rule}|
"""


def pages() -> dict[Path, str]:
    """Every page that is made from code, and what it must hold."""
    readme = DOCS.parent / "README.md"
    text = _between_marks(readme.read_text(encoding="utf-8"), "engines", arrays_table())
    return {
        DOCS / "reference" / "configuration.md": reference.markdown() + "\n",
        DOCS / "reference" / "registers.md": registers(),
        DOCS / "reference" / "engines.md": engines(),
        DOCS / "pictures" / "flow.svg": _script("pictures/flow.py").svg(),
        **{DOCS / name: text for name, text in _script("datapath/__init__.py").pages().items()},
        readme: _between_marks(
            _between_marks(text, "boards", boards_table()), "demos", demos_table()
        ),
    }


def _rows(registers) -> list[str]:
    """Of a table: a row for each register and each of its fields."""
    rows = []
    for register in registers:
        rows.append(
            f"| 0x{register.address:02X} | {register.name} | {register.access} | {register.doc} |"
        )
        for field in register.fields:
            bits = f"{field.low + field.width - 1}:{field.low}" if field.width > 1 else field.low
            rows.append(f"| | · {field.name} | bit {bits} | {field.doc} |")
    return rows


def registers() -> str:
    rows = _rows(regmap.registers(serial=True, zero_points=True, keep_b=True, groups=2))
    tables = []
    for most in (16, 64, 256, 1024):
        addresses = regmap.table_addresses(most, per_channel=True, zeros=most).values()
        tables.append(f"| {most} | " + " | ".join(f"0x{each:X}" for each in addresses) + " |")
    page = REGISTERS_HEAD + "\n".join(rows) + "\n" + TABLES.format(rows="\n".join(tables))
    network = [f"| 0x{each.address:02X} | {each.name} | {each.access} | {each.doc} |"
               for each in network_regmap.REGISTERS]  # fmt: skip
    page += NETWORK_HEAD + "\n".join(network) + "\n"
    page += ATTENTION_HEAD + "\n".join(_rows(attention_regmap.REGISTERS)) + "\n"
    return page + ENCODER_HEAD + "\n".join(_rows(encoder_regmap.registers(decoder=True))) + "\n"


def engines() -> str:
    return (
        ENGINES_HEAD
        + "\n".join(_preset(name) for name in config.presets(config.GemmConfig))
        + "\n"
        + _pairs()
    )


def _preset(name: str) -> str:
    settings = config.load(name)
    facts = manifest.manifest(settings, engine.build(settings))
    g, limits, speed = settings.geometry, settings.limits, facts["performance"]
    result = {
        "raw": str(settings.result_format),
        "requantized": str(settings.output.format),
        "both": f"{settings.result_format} or {settings.output.format}",
    }[settings.output.mode]
    cells = (
        f"`{name}`",
        f"{settings.array.kind}",
        settings.pe.kind,
        f"{settings.a} · {settings.b} → {result}",
        g.macs,
        f"{g.m} × {g.n} × {g.k}",
        f"{speed['array_latency']} + {speed['output_latency']}",
        f"{limits.m}, {limits.n}, {limits.k}",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def _pairs() -> str:
    rows = []
    for pe in catalog.pes():
        cells = []
        for array in config.ARRAYS:
            no = catalog.refusal(pe, array, 24, Overflow.SATURATE)
            fits = pe in catalog.fitting(array)
            cells.append("no" if not fits else "yes, not saturating" if no else "yes")
        rows.append(f"| `{pe}` | {' | '.join(cells)} |")
    arrays = " | ".join(f"`{array}`" for array in config.ARRAYS)
    head = PAIRS_HEAD.format(arrays=arrays, rule="|".join("---" for _ in config.ARRAYS))
    return head + "\n".join(rows) + "\n"


def arrays_table() -> str:
    """For the README: each array with what it does, its PEs and its presets."""
    names = config.presets(config.GemmConfig)
    rows = ["| array | what it does | presets |", "|---|---|---|"]
    about = listing.catalogue()["arrays"]
    for kind in config.ARRAYS:
        mine = [name for name in names if config.load(name).array.kind == kind]
        shown = ", ".join(f"`{name}`" for name in mine if not name.startswith("tiny_"))
        rows.append(f"| `{kind}` | {about[kind]} | {shown} |")
    groups = sorted({tuple(facts.arrays) for facts in catalog.pes().values()})
    special = ", ".join(f"`{array}`" for arrays in groups for array in arrays)
    for arrays in groups:
        where = ", ".join(f"`{array}`" for array in arrays) or f"any array but {special}"
        rows += ["", f"| PE, in {where} | what it is |", "|---|---|"]
        rows += [
            f"| `{name}` | {facts.title}. {facts.summary} |"
            for name, facts in catalog.pes().items()
            if tuple(facts.arrays) == arrays
        ]
    return "\n".join(rows)


def boards_table() -> str:
    """For the README: each board, what it has, and whose tools make its bitstream."""
    rows = ["| `--board` | what it is | clock of an engine | bitstream by |", "|---|---|---|---|"]
    for board in boards.boards().values():
        if board.family in vendor.VENDORS:
            tools = f"{vendor.VENDORS[board.family].TOOL}, from a `matweave package`"
        else:
            made = family(board.family)
            tools = f"{made.nextpnr.native}, {made.packer.native}"
        clock = f"{board.clock_mhz:g} MHz"
        rows.append(f"| `{board.name}` | {board.title} | {clock} | {tools} |")
    return "\n".join(rows)


def demos_table() -> str:
    """For the README: each demo, and the boards that it has values for."""
    rows = ["| demo | what it is | boards |", "|---|---|---|"]
    for demo in demos.demos().values():
        boards = ", ".join(f"`{board}`" for board in sorted(demo.boards))
        rows.append(f"| `{demo.name}` | {demo.title} | {boards} |")
    return "\n".join(rows)


def _between_marks(text: str, name: str, table: str) -> str:
    start, end = (re.escape(mark.format(name)) for mark in MARKS)
    assert re.search(f"{start}.*?{end}", text, re.DOTALL), f"the README has lost its mark {name}"
    return re.sub(
        f"({start}\n).*?({end})", lambda m: f"{m[1]}{table}\n{m[2]}", text, flags=re.DOTALL
    )


def _script(name: str):
    """A module below ``docs/``, or with ``name/__init__.py`` a package."""
    path = DOCS / name
    is_package = path.stem == "__init__"
    label = f"docs_{path.parent.name if is_package else path.stem}"
    below = [str(path.parent)] if is_package else None
    spec = importlib.util.spec_from_file_location(label, path, submodule_search_locations=below)
    module = sys.modules[label] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    assert emit  # chooses Amaranth's Yosys before Amaranth does
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(DOCS.parent))
