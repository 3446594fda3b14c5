"""The lookup array as a GEMM engine has it: products, cycle by cycle, against NumPy's."""

import numpy as np
import pytest

from matweave.hw.formats import Format, accumulator_width
from matweave.hw.lut.gemm_array import LookupArray
from matweave.hw.pe.base import Pe
from matweave.hw.weights import WeightFormat
from matweave.sim import ports
from matweave.sim.cases import values

from .schedule import packed, unpacked

FORMATS = [
    (Format(8), WeightFormat.parse("int2")),
    (Format(8), WeightFormat.parse("uint4")),
    (Format(4), WeightFormat.parse("int3")),
    (Format(16), WeightFormat.parse("uint8")),
    (Format(8), WeightFormat.parse("uint1")),
    (Format(8), WeightFormat.parse("binary")),
    (Format(4), WeightFormat.parse("ternary")),
]


def operands(rng, format, shape, kind):
    if kind == "lowest":
        return np.full(shape, format.min)
    if kind == "highest":
        return np.full(shape, format.max)
    return values(format, kind, shape, rng)


@pytest.mark.parametrize("a_format, b_format", FORMATS, ids=str)
@pytest.mark.parametrize("rows, columns, depth, sign", [(2, 5, 4, 0), (1, 2, 3, 2)])
def test_tiles_follow_each_other(a_format, b_format, rows, columns, depth, sign):
    rng = np.random.default_rng(5)
    terms = 4 * depth  # a power of two: the extreme sum of A is that of its format
    width = accumulator_width(a_format, b_format, terms)
    dut = LookupArray(
        pe=Pe(a_format, b_format), rows=rows, columns=columns, depth=depth, width=width,
        terms=terms, sign=sign,
    )  # fmt: skip
    sizes = {n: len(getattr(dut, n)) for n in ("a", "b", "valid", "first", "last", "size")}
    cycles, due, last = [], {}, -rows

    def add(**values):
        garbage = {
            name: int.from_bytes(rng.bytes(-(-size // 8)), "little") & ((1 << size) - 1)
            for name, size in sizes.items()
        }
        cycles.append(garbage | {"valid": 0} | values)

    kinds = ("lowest", "highest", "zero", *["random"] * 6)
    for kind in kinds:
        blocks = 4 if kind != "random" else int(rng.integers(1, 5))
        a = operands(rng, a_format, (rows, blocks * depth), kind)
        b = operands(rng, b_format, (blocks * depth, columns), kind)
        if kind == "highest":
            a[:] = a_format.min
        size = int(rng.integers(1, rows + 1))
        for block in range(blocks):
            final = block == blocks - 1
            while rng.integers(3) == 0 or (final and len(cycles) - last < rows):
                add()
            part = slice(block * depth, (block + 1) * depth)
            add(
                a=packed(a[:, part].reshape(-1), a_format.width),
                b=packed(b_format.code(b[part]).reshape(-1), b_format.width),
                valid=1, first=block == 0, last=final, size=size if final else 0,
            )  # fmt: skip
        last = len(cycles) - 1
        for row, sums in enumerate((a @ b)[:size].tolist()):
            due[last + dut.latency + row] = sums
    for _ in range(dut.latency + rows):
        add()
    inputs = {name: [cycle[name] for cycle in cycles] for name in sizes}
    found = ports.simulated(dut, inputs)
    for cycle, (valid, word) in enumerate(zip(found["o_valid"], found["o"], strict=True)):
        assert valid == (cycle in due), f"cycle {cycle}"
        if valid:
            assert unpacked(word, width, columns) == due[cycle], f"cycle {cycle}"
