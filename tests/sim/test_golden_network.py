"""The golden model of networks against fractions, and against the ap_fixed types of hls4ml."""

import importlib.util
import itertools
import math
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from matweave.hw.fixed import Fixed, FixedOverflow, FixedRounding
from matweave.sim import toolchain
from matweave.sim.golden import network as golden
from matweave.sim.stimuli.networks import MODES

HALF = Fraction(1, 2)


def nearest(value, up):
    """The nearest integer; ``up`` decides ties."""
    floor = math.floor(value)
    return floor + (value - floor > HALF or (value - floor == HALF and up(floor)))


ROUNDED = {
    FixedRounding.TRN: math.floor,
    FixedRounding.TRN_ZERO: math.trunc,
    FixedRounding.RND: lambda v: nearest(v, lambda floor: True),
    FixedRounding.RND_ZERO: lambda v: nearest(v, lambda floor: v < 0),
    FixedRounding.RND_INF: lambda v: nearest(v, lambda floor: v > 0),
    FixedRounding.RND_MIN_INF: lambda v: nearest(v, lambda floor: False),
    FixedRounding.RND_CONV: round,
}


def cast(value: Fraction, to: Fixed) -> int:
    """By the words of UG1399."""
    raw = ROUNDED[to.rounding](value * Fraction(2) ** to.fraction)
    least = -(1 << (to.width - 1)) if to.signed else 0
    most = least + (1 << to.width) - 1
    if to.overflow is FixedOverflow.WRAP:
        turns = (raw - least) // (1 << to.width)
        return raw - turns * (1 << to.width)
    if to.overflow is FixedOverflow.SAT_SYM and to.signed and to.width > 1:
        least = -most
    if least <= raw <= most:
        return raw
    return 0 if to.overflow is FixedOverflow.SAT_ZERO else least if raw < least else most


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: f"{mode[0].value}-{mode[1].value}")
def test_every_cast_is_what_fractions_say(mode):
    values = np.arange(-70, 70)
    for width, integer, signed, fraction in itertools.product(
        (1, 2, 5), (-1, 1, 4), (0, 1), (0, 3)
    ):
        to = Fixed(width, integer, bool(signed), *mode)
        expected = [cast(Fraction(int(v)) / 2**fraction, to) for v in values]
        assert golden.cast(values, fraction, to).tolist() == expected, (to, fraction)


def test_real_numbers_are_cast_exactly():
    rng = np.random.default_rng(3)
    ties = rng.integers(-99, 99, 300) / 8.0
    near = np.nextafter(ties, rng.choice([-1e9, 1e9], 300))
    x = np.concatenate([ties, near, rng.normal(0, 1e-7, 50), rng.normal(0, 1e19, 50), [0.0, -0.0]])
    for rounding, overflow in MODES:
        to = Fixed(7, 5, True, rounding, overflow)
        assert golden.quantised(x, to).tolist() == [cast(Fraction(v), to) for v in x], to


@pytest.mark.parametrize(("width", "signed"), [(62, True), (63, False), (63, True), (64, True)])
def test_the_widest_formats_are_exact(width, signed):
    x = np.concatenate([np.arange(-3, 4) * 2.0**e for e in (0, 30, 61, 62, 63, 70)])
    for overflow in FixedOverflow:
        to = Fixed(width, width, signed, FixedRounding.TRN, overflow)
        assert golden.quantised(x, to).tolist() == [cast(Fraction(v), to) for v in x], to


def test_formats_beyond_64_bits_are_refused():
    for width, signed in ((64, False), (65, True), (0, True)):
        with pytest.raises(ValueError, match=r"^width must be 1 to 6[34] of (un)?signed formats"):
            Fixed(width, 10, signed)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(bad):
    with pytest.raises(ValueError, match="finite"):
        golden.quantised(np.array([1.0, bad]), Fixed(8, 4))


SOURCES = [(7, 3, 1), (6, 5, 0)]
TARGETS = [(4, 2, 1), (4, 3, 0), (1, 1, 1), (9, 3, 1), (3, 9, 1), (2, 7, 0)]
"""Usual ones, a single bit, a finer one than the sources, and coarser ones than their largest."""


def casts_in_cpp():
    """A program that prints every cast of every source value to every target in every mode."""
    lines = ['#include "ap_fixed.h"', "#include <cstdio>", "int main() {"]  # seconds per type
    for (w, i, s), (w2, i2, s2) in itertools.product(SOURCES, TARGETS):
        for rounding, overflow in MODES:
            source = f"ap_{'' if s else 'u'}fixed<{w},{i}>"
            target = (
                f"ap_{'' if s2 else 'u'}fixed<{w2},{i2},AP_{rounding.value},AP_{overflow.value}>"
            )
            lines.append(
                f"  for (int v = 0; v < {1 << w}; ++v) {{ {source} x; x.range({w - 1}, 0) = v; "
                f'{target} y = x; std::printf("%d ", (int)y.range({w2 - 1}, 0)); }}'
            )
            lines.append('  std::printf("\\n");')
    return "\n".join([*lines, "}"])


@pytest.mark.requires_tool("hls4ml", "g++")
def test_every_cast_is_that_of_the_headers_of_hls4ml(tmp_path):
    package = Path(importlib.util.find_spec("hls4ml").origin).parent
    headers = package / "templates" / "vivado" / "ap_types"
    (tmp_path / "casts.cpp").write_text(casts_in_cpp())
    program = tmp_path / "casts"
    compile_ = [
        toolchain.compiler().path, "-O0", "-w", "-DNDEBUG",  # asserts that a format has a point
        "-I", headers, "casts.cpp", "-o", program,
    ]  # fmt: skip
    toolchain.run(compile_, cwd=tmp_path, timeout=600, what="casts")
    printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    rows = iter(printed.splitlines())
    for (w, i, s), (w2, i2, s2) in itertools.product(SOURCES, TARGETS):
        bits = np.arange(1 << w)
        values = np.where((bits >> (w - 1) == 1) & bool(s), bits - (1 << w), bits)
        for mode in MODES:
            to = Fixed(w2, i2, bool(s2), *mode)
            expected = golden.cast(values, w - i, to) & ((1 << w2) - 1)
            assert next(rows).split() == [str(v) for v in expected], ((w, i, s), to)
