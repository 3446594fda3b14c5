"""Every pair of operands through a PE's own gates, against the product, compiled by Verilator.

One module holds one multiplier per pair of formats; a C++ loop goes through all values of both.
"""

import itertools
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from matweave.hw import pe as pes
from matweave.hw.emit import verilog
from matweave.hw.formats import Format
from matweave.hw.pe.base import recode

from . import cache, sliced, toolchain, verilate

TIMEOUT = 3600


class Products(wiring.Component):
    """``o_n`` is the product of the low bits of ``a`` and ``b``, read in format pair ``n``."""

    def __init__(self, kind: str, pairs: Sequence[tuple[Format, Format]]):
        self.kind, self.pairs = kind, pairs
        outputs = {f"o_{n}": Out(a.width + b.width) for n, (a, b) in enumerate(pairs)}
        super().__init__({"a": In(16), "b": In(16)} | outputs)

    sequential = False

    def elaborate(self, platform):
        m = Module()
        for n, (a, b) in enumerate(self.pairs):
            unit = pes.variants()[self.kind](a, b)
            width = a.width + b.width
            m.submodules[f"dot_{n}"] = dot = unit.dot_class(pe=unit, depth=1, width=width)
            m.submodules[f"resolve_{n}"] = resolve = unit.resolve_class(pe=unit, width=width)
            (a_inner,) = recode(m, unit, "a", [self.a[: a.width]], f"a_recoder_{n}")
            (b_inner,) = recode(m, unit, "b", [self.b[: b.width]], f"b_recoder_{n}")
            m.d.comb += [
                dot.a.eq(a_inner),
                dot.b.eq(b_inner),
                resolve.i.eq(dot.o),
                getattr(self, f"o_{n}").eq(resolve.o),
            ]
        return m


MAIN = """
#include <cstdint>
#include <cstdio>
#include "Vtop.h"

static int64_t number(uint64_t bits, int width, bool is_signed) {{
    bits &= (uint64_t(1) << width) - 1;
    return is_signed && bits >> (width - 1) ? int64_t(bits) - (int64_t(1) << width) : int64_t(bits);
}}

int main() {{
    VerilatedContext context;
    Vtop top{{&context}};
    uint64_t wrong = 0, count = 0;
    for (uint64_t a = 0; a < 1ull << {a_bits}; ++a)
        for (uint64_t b = 0; b < 1ull << {b_bits}; ++b) {{
            top.a = a;
            top.b = b;
            top.eval();
            {checks}
        }}
    std::printf("%llu %llu\\n", (unsigned long long)count, (unsigned long long)wrong);
}}
"""

CHECK = """
            if (a >> {a_width} == 0 && b >> {b_width} == 0) {{
                const int64_t product =
                    number(a, {a_width}, {a_signed}) * number(b, {b_width}, {b_signed});
                ++count;
                wrong += ((uint64_t(product) ^ top.o_{n}) & ((1ull << {width}) - 1)) != 0;
            }}"""


def narrow(widest: int) -> list[tuple[Format, Format]]:
    """All pairs of formats of 2 to ``widest`` bits, signed and unsigned."""
    formats = [Format(width, signed) for width in range(2, widest + 1) for signed in (True, False)]
    return list(itertools.product(formats, formats))


def check(
    kind: str,
    pairs: Sequence[tuple[Format, Format]],
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[int, int]:
    """(products computed, wrong ones) of the PE ``kind`` in every pair of formats."""
    progress(f"building {len(pairs)} multipliers of {kind}")
    text = verilog(Products(kind, pairs), "products")
    checks = "".join(
        CHECK.format(
            n=n, a_width=a.width, b_width=b.width, width=a.width + b.width,
            a_signed=str(a.signed).lower(), b_signed=str(b.signed).lower(),
        )
        for n, (a, b) in enumerate(pairs)
    )  # fmt: skip
    main = MAIN.format(
        a_bits=max(a.width for a, _ in pairs), b_bits=max(b.width for _, b in pairs), checks=checks
    )
    program = _program(text, main)
    progress(f"all products of {kind}")
    output = toolchain.run([program], timeout=TIMEOUT, what="exhaustive simulation")
    count, wrong = map(int, output.split())
    return count, wrong


def check_wide(
    kind: str, a: Format, b: Format, progress: Callable[[str], None] = lambda _: None
) -> tuple[int, int]:
    """The same for one pair of formats (``b`` of at least 10 bits), by the synthesised gates."""
    progress(f"all products of {kind}, {a} × {b}")
    return sliced.check(verilog(Products(kind, [(a, b)]), "products"), "products", a, b, "o_0")


def _program(text: str, main: str) -> Path:
    tools = (toolchain.verilator().version, toolchain.compiler())
    key = cache.digest(text, main, tools, verilate.VERILATOR_FLAGS)

    def make(folder: Path) -> None:
        (folder / "design.v").write_text(text)
        (folder / "main.cpp").write_text(main)
        toolchain.run(
            [
                toolchain.verilator().path,
                *verilate.VERILATOR_FLAGS,
                *("--exe", "--build", "--top-module", "products", "-CFLAGS", "-O2"),
                *("-Mdir", "generated", "-o", "../products", "design.v", "../main.cpp"),
            ],
            cwd=folder,
            env=toolchain.environment(),
            timeout=TIMEOUT,
            what="compiling multipliers",
        )
        shutil.rmtree(folder / "generated")

    return cache.build("exhaustive", key, make) / "products"
