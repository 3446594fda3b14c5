"""All products of wide operands: a multiplier's gates on 512 of them at once.

The synthesised netlist becomes C: one vector instruction per gate, a bit of a vector per product.
The lower nine bits of ``b`` differ within a vector, ``a`` is the outermost loop, and gates that
only depend on it are not computed again. What is expected is added up bit by bit as well: ``a``
times a lane's number, plus a constant for the upper bits of ``b``.
"""

import json

from matweave.hw.formats import Format

from . import cache, netlist, toolchain, verilate
from .nets import Nets, gate

LANES = 9
"""Bits of ``b`` within a vector of 512."""

TIMEOUT = 3600

SYNTHESIS = """
read_verilog design.v
synth -flatten -noabc -top {top}
write_json netlist.json
"""

PROGRAM = """
#include <cstdint>
#include <cstdio>

typedef uint64_t V __attribute__((vector_size(64)));

static const uint64_t PATTERN[6] = {{
    0xAAAAAAAAAAAAAAAA, 0xCCCCCCCCCCCCCCCC, 0xF0F0F0F0F0F0F0F0,
    0xFF00FF00FF00FF00, 0xFFFF0000FFFF0000, 0xFFFFFFFF00000000}};

static V all(uint64_t bit) {{
    const uint64_t word = bit & 1 ? ~uint64_t(0) : 0;
    return V{{word, word, word, word, word, word, word, word}};
}}

static V lane(int bit) {{  // bit of the number of each of the 512 lanes
    V value = all(0);
    for (int word = 0; word < 8; ++word)
        value[word] = bit < 6 ? PATTERN[bit] : word >> (bit - 6) & 1 ? ~uint64_t(0) : 0;
    return value;
}}

static int64_t number(uint64_t bits, int width, bool is_signed) {{
    return is_signed && bits >> (width - 1) ? int64_t(bits) - (int64_t(1) << width) : int64_t(bits);
}}

static void outer(const V* a, V* h) {{
{outer}
}}

static void inner(const V* b, const V* h, V* o) {{
{inner}
}}

int main() {{
    uint64_t count = 0, wrong = 0;
    V a[{a_width}], b[{b_width}], h[{hoisted} + 1], o[{width}], part[{width}];
    for (int bit = 0; bit < {lanes}; ++bit) b[bit] = lane(bit);
    for (uint64_t x = 0; x < 1ull << {a_width}; ++x) {{
        const uint64_t factor = number(x, {a_width}, {a_signed});
        for (int bit = 0; bit < {a_width}; ++bit) a[bit] = all(x >> bit);
        outer(a, h);
        for (V& bit : part) bit = all(0);
        for (int shift = 0; shift < {lanes}; ++shift) {{
            V carry = all(0);
            for (int bit = shift; bit < {width}; ++bit) {{
                const V more = all(factor >> (bit - shift)) & b[shift], half = part[bit] ^ more;
                const V next = (part[bit] & more) | (half & carry);
                part[bit] = half ^ carry;
                carry = next;
            }}
        }}
        for (uint64_t y = 0; y < 1ull << {b_width}; y += 512) {{
            for (int bit = {lanes}; bit < {b_width}; ++bit) b[bit] = all(y >> bit);
            inner(b, h, o);
            const uint64_t rest = factor * uint64_t(number(y, {b_width}, {b_signed}));
            V carry = all(0), bad = all(0);
            for (int bit = 0; bit < {width}; ++bit) {{
                const V more = all(rest >> bit), half = part[bit] ^ more;
                bad |= o[bit] ^ half ^ carry;
                carry = (part[bit] & more) | (half & carry);
            }}
            for (int word = 0; word < 8; ++word) wrong += __builtin_popcountll(bad[word]);
            count += 512;
        }}
    }}
    std::printf("%llu %llu\\n", (unsigned long long)count, (unsigned long long)wrong);
}}
"""


class _C:
    """Boolean terms as C; for :func:`.nets.gate`."""

    true, false = "all(1)", "all(0)"

    def no(self, a):
        return f"~({a})"

    def both(self, a, b):
        return f"({a} & {b})"

    def either(self, a, b):
        return f"({a} | {b})"

    def differ(self, a, b):
        return f"({a} ^ {b})"

    def choose(self, condition, yes, no):
        return f"({no} ^ ({condition} & ({yes} ^ {no})))"


def check(verilog: str, top: str, a: Format, b: Format, output: str) -> tuple[int, int]:
    """(products computed, wrong ones) of module ``top``, without registers: ``output`` is to be
    ``a * b`` of the lower bits of its ports ``a`` and ``b``. That has at least 10 bits: its sign is
    not a lane's."""
    assert b.width > LANES
    folder = netlist.yosys("sliced", SYNTHESIS.format(top=top), {"design.v": verilog})
    module = json.loads((folder / "netlist.json").read_text())["modules"][top]
    main = _program(Nets(module), a, b, output)
    flags = ("-std=gnu++20", "-O2", "-march=native", "-Wno-psabi")
    tools = (toolchain.compiler(), toolchain.processor(), flags)

    def make(folder) -> None:
        (folder / "main.cpp").write_text(main)
        compiler = toolchain.compiler().path
        toolchain.run([compiler, *flags, "main.cpp", "-o", "products"], cwd=folder,
                      timeout=verilate.TIMEOUT, what="compiling a multiplier's gates")  # fmt: skip

    program = cache.build("exhaustive", cache.digest(main, tools), make) / "products"
    output = toolchain.run([program], timeout=TIMEOUT, what="exhaustive simulation")
    count, wrong = map(int, output.split())
    return count, wrong


def _program(nets: Nets, a: Format, b: Format, output: str) -> str:
    assert not nets.flops and not nets.memories
    t = _C()
    inner = {"0": t.false, "1": t.true, "x": t.false}
    inner |= {bit: f"b[{place}]" for place, bit in enumerate(nets.inputs["b"][: b.width])}
    # What only depends on ``a``, as both functions call it.
    outer = {bit: f"a[{place}]" for place, bit in enumerate(nets.inputs["a"][: a.width])}
    outer |= {"0": t.false, "1": t.true, "x": t.false}
    text = {"outer": [], "inner": []}
    hoisted = {}

    def hoist(bit) -> str:
        if bit not in hoisted:
            hoisted[bit] = len(hoisted)
            text["outer"].append(f"h[{hoisted[bit]}] = {outer[bit]};")
        return f"h[{hoisted[bit]}]"

    def read(bit) -> str:
        return inner[bit] if bit in inner else hoist(bit)

    for place, name in enumerate(nets.order):
        cell = nets.cells[name]
        inputs = {port: bits[0] for port, bits in cell["connections"].items() if port != "Y"}
        where, known = ("outer", outer) if all(i in outer for i in inputs.values()) else (
            "inner", None)  # fmt: skip
        terms = {port: known[i] if known else read(i) for port, i in inputs.items()}
        text[where].append(f"const V n{place} = {gate(t, cell['type'], terms)};")
        (outer if where == "outer" else inner)[nets.output(name)] = f"n{place}"
    for place, bit in enumerate(nets.outputs[output]):
        text["inner"].append(f"o[{place}] = {read(bit)};")
    return PROGRAM.format(
        outer="\n".join(f"    {line}" for line in text["outer"]),
        inner="\n".join(f"    {line}" for line in text["inner"]),
        a_width=a.width, b_width=b.width, width=a.width + b.width, lanes=LANES,
        a_signed=str(a.signed).lower(), b_signed=str(b.signed).lower(), hoisted=len(hoisted),
    )  # fmt: skip
