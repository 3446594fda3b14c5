"""The C driver in a vendor package, compiled and run on memory that records."""

import json
import subprocess
from pathlib import Path

import pytest

from matweave.fpga.targets import vendor
from matweave.hw import config
from matweave.hw.engine import regmap

ENGINES = ("tiny_os", "tiny_ws", "tiny_opt4e")

MEMORY = """
#include <stdio.h>
#include <stdint.h>
static uint32_t memory[4096];
static uint32_t read_word(uintptr_t address)
{
    return memory[address / 4];
}
static void write_word(uintptr_t address, uint32_t value)
{
    printf("%u %u\\n", (unsigned)address, (unsigned)value);
}
#define NAME_READ32(address) read_word(address)
#define NAME_WRITE32(address, value) write_word(address, value)
#include "name_driver.h"
"""


def c_program(folder: Path, name: str, body: str) -> list[str]:
    """Lines that a program prints which uses the driver of engine ``name`` in ``folder``."""
    text = MEMORY.replace("NAME", name.upper()).replace("name_", f"{name}_")
    text += f"int main(void)\n{{\n{body}\n    return 0;\n}}\n"
    (folder / "program.c").write_text(text)
    strict = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-pedantic"]
    subprocess.run(
        ["gcc", *strict, "-Wno-unused-function", "-o", "program", "program.c"],
        cwd=folder,
        check=True,
    )
    ended = subprocess.run([folder / "program"], capture_output=True, text=True, check=True)
    return ended.stdout.splitlines()


@pytest.mark.requires_tool("gcc")
@pytest.mark.parametrize("name", ENGINES)
def test_the_driver_starts_a_job_as_the_reference_says(packed, name):
    folder, files = packed("quartus", name)
    at, tables = regmap.ADDRESS, json.loads(files[f"{name}.json"])["registers"]["tables"]
    body = f"""
    uint32_t mode = {name.upper()}_MODE_ADD_BIAS | {name.upper()}_MODE_REQUANTIZE;
    {name}_set_bias(0, 3, -2);
    {name}_set_scale(0, 2, 1000, 33);
    {name}_set_zero_point(0, -5);
    return (int){name}_start(0, 4, 5, 6, mode);"""
    writes = [tuple(map(int, line.split())) for line in c_program(folder, name, body)]
    assert writes == [
        (tables["bias"] + 12, 2**32 - 2),
        (tables["multiplier"] + 8, 1000),
        (tables["shift"] + 8, 33),
        (at["ZERO_POINT"], 2**32 - 5),
        (at["ERROR"], 2**32 - 1),
        (at["M"], 4),
        (at["N"], 5),
        (at["K"], 6),
        (at["MODE"], 6),
        (at["CONTROL"], 1),
    ]


@pytest.mark.requires_tool("gcc")
def test_the_driver_tells_what_is_wrong(packed):
    folder, _ = packed("quartus", "tiny_os")
    body = """
    printf("%u\\n", (unsigned)tiny_os_check(0));
    memory[0] = 0x4D545756;
    memory[1] = 1;
    memory[0x60 / 4] = memory[0x64 / 4] = memory[0x68 / 4] = 16;
    printf("%u\\n", (unsigned)tiny_os_check(0));
    memory[0x0C / 4] = 1;
    printf("%u\\n", (unsigned)tiny_os_start(0, 1, 1, 1, 0));
    printf("%u\\n", (unsigned)tiny_os_wait(0, 10));
    memory[0x0C / 4] = 2;
    printf("%u\\n", (unsigned)tiny_os_wait(0, 10));
    memory[0x0C / 4] = 6;
    memory[0x10 / 4] = 8;
    printf("%u\\n", (unsigned)tiny_os_wait(0, 10));"""
    assert c_program(folder, "tiny_os", body) == ["256", "0", "512", "1024", "0", "8"]


@pytest.mark.requires_tool("gcc")
@pytest.mark.parametrize("name", ["tiny_os", "tiny_ws", "tiny_cube", "tiny_tree"])
def test_the_driver_counts_beats_as_the_streams_have_them(packed, name):
    folder, _ = packed("quartus", name)
    geometry = config.load(name).geometry
    sizes = [(1, 1, 1), (2, 3, 4), (7, 5, 3), (16, 16, 16)]
    body = "\n".join(
        f'    printf("%u %u %u\\n", (unsigned){name}_beats_a({m}, {k}), '
        f"(unsigned){name}_beats_b({k}, {n}), (unsigned){name}_beats_c({m}, {n}));"
        for m, n, k in sizes
    )
    told = [list(map(int, line.split())) for line in c_program(folder, name, body)]
    assert told == [list(geometry.beats(*size).values()) for size in sizes]


@pytest.mark.requires_tool("gcc")
def test_the_driver_of_a_lookup_engine(packed):
    """Formats and zero points; and jobs that use the weights of the one before do not say their
    sizes again."""
    name = "tiny_lut_serial"
    folder, files = packed("quartus", name)
    registers = json.loads(files[f"{name}.json"])["registers"]
    at = registers["addresses"]
    body = f"""
    {name}_set_weights(0, 2, 3);
    {name}_set_zero(0, 5, 16);
    {name}_set_groups(0, 3);
    {name}_start(0, 4, 5, 6, {name.upper()}_MODE_SUBTRACT_ZEROS);
    {name}_start(0, 7, 5, 6, {name.upper()}_MODE_KEEP_B);
    printf("%u 0\\n", (unsigned){name}_beats_b(9, 5, 3));"""
    written = [tuple(map(int, line.split())) for line in c_program(folder, name, body)]
    clear, start = (at["ERROR"], 2**32 - 1), (at["CONTROL"], 1)
    sizes = [(at["N"], 5), (at["K"], 6)]
    assert written == [
        (at["WEIGHTS"], 2 + (3 << 4)), (registers["tables"]["zero"] + 20, 16), (at["GROUPS"], 3),
        clear, (at["M"], 4), *sizes, (at["MODE"], 16), start,
        clear, (at["M"], 7), (at["MODE"], 32), start,
        (3 * 2 * 3, 0),
    ]  # fmt: skip


def test_a_driver_of_every_kind_of_output(tmp_path):
    for settings, present in [
        (["output.scale='tensor'"], "uintptr_t base, uint32_t multiplier, uint32_t shift"),
        (["output.mode='raw'"], None),
    ]:
        loaded = config.load("tiny_os", settings)
        files = vendor.files(loaded, vendor.target("quartus"))
        (tmp_path / "tiny_os_regs.h").write_text(files["tiny_os_regs.h"])
        (tmp_path / "tiny_os_driver.h").write_text(files["tiny_os_driver.h"])
        assert ("_set_scale" in files["tiny_os_driver.h"]) == (present is not None)
        assert present is None or present in files["tiny_os_driver.h"]
