"""Rung 5 for the requantiser: every operand, scale and zero point, and any pattern of stalls.

Each stage is proved against the words of the definition (TFLite's: against its C++), written with
one wide shift instead of a barrel shifter with guard and sticky bits. A 32 by 31-bit product is
beyond any solver, so what the stages are fed with is the product that the component has made.
"""

import pytest
from amaranth.hdl import Assert, Assume, Mux, Signal, signed

from matweave.hw.arith import requantize
from matweave.hw.arith.requantize import Requantizer
from matweave.hw.formats import Format, Rounding
from matweave.sim.formal import opened

from .harness import check, refute

INT8 = Format(8)
INPUTS = {
    "en": 1,
    "multiplier": 31,
    "shift": 6,
    "zero_point": signed(17),
    "relu": 1,
}


def named(m, shape, name, value):
    signal = Signal(shape, name=name)
    m.d.comb += signal.eq(value)
    return signal


def rounded(m, value, shift, rounding):
    """``value / 2**shift`` as the definition says it."""
    width = len(value) + 1
    size = named(m, width, "size", Mux(value < 0, -value, value))
    half = named(m, width, "half", Mux(shift == 0, 0, 1 << (shift - 1)[:6]))
    up = named(m, signed(width), "up", (value + half) >> shift)
    match rounding:
        case Rounding.FLOOR:
            return value >> shift
        case Rounding.TRUNCATE:
            down = size >> shift
            return Mux(value < 0, -down, down)
        case Rounding.HALF_UP:
            return up
        case Rounding.HALF_EVEN:
            back = named(m, signed(width), "back", up << shift)
            tie = (back - value == half) & (shift != 0)
            return up - (tie & up[0])
        case Rounding.HALF_AWAY:
            away = (size + half) >> shift
            return Mux(value < 0, -away, away)
        case Rounding.TFLITE_DOUBLE:
            # gemmlowp: (ab_64 + nudge) / (1ll << 31), where "/" truncates
            nudge = Mux(value >= 0, 1 << 30, 1 - (1 << 30))
            sum_ = named(m, signed(65), "sum", value + nudge)
            size = named(m, 64, "sum_size", Mux(sum_ < 0, -sum_, sum_))
            high = named(m, signed(34), "high", Mux(sum_ < 0, -(size >> 31), size >> 31))
            # RoundingDivideByPOT
            exponent = named(m, 5, "exponent", Mux(shift > 31, shift - 31, 0))
            mask = named(m, 32, "mask", (1 << exponent) - 1)
            threshold = named(m, 32, "threshold", (mask >> 1) + (high < 0))
            remainder = named(m, 32, "remainder", high & mask)
            return (high >> exponent) + (remainder > threshold)


def open_requantizer(m, ports, **parameters):
    """A requantiser with every input free, and its signals."""
    dut = Requantizer(**parameters)
    inside, signals = opened(dut)
    m.submodules.dut = inside
    m.d.comb += [getattr(dut, name).eq(getattr(ports, name)) for name in [*INPUTS, "i"]]
    m.d.comb += Assume(ports.shift <= 62)
    return dut, signals


def product(rounding, in_width=32, fault=False):
    """Stage 1 multiplies the operand, shifted left by tflite_double, and hands on the rest."""

    def body(m, ports):
        _, signals = open_requantizer(
            m, ports, in_format=Format(in_width), out_format=INT8, rounding=rounding
        )
        factor = ports.i
        if rounding is Rounding.TFLITE_DOUBLE:
            left = Mux(ports.shift < 31, 31 - ports.shift, 0)[:5]
            factor = signals["shifted_left"]
            m.d.comb += Assert(factor == (ports.i << left)[:32].as_signed())
        if fault:
            factor = factor - (ports.multiplier == 77)
        enabled = Signal(reset_less=True)
        m.d.sync += enabled.eq(ports.en)
        values = {
            "product": factor * ports.multiplier,
            "shift": ports.shift,
        }
        for name, value in values.items():
            register = signals[name]
            entered, before = (
                Signal.like(register, name=f"{name}_{when}", reset_less=True)
                for when in ("entered", "before")
            )
            m.d.sync += [entered.eq(value), before.eq(register)]
            m.d.comb += Assert(register == Mux(enabled, entered, before))

    return {**INPUTS, "i": signed(in_width)}, body


def products(rounding, in_width=32, fault=False):
    """With two stages, the first has what 16 bits of the operand and of the multiplier give, and
    the second their sum with each product at its place."""

    def body(m, ports):
        _, signals = open_requantizer(
            m, ports, in_format=Format(in_width), out_format=INT8, rounding=rounding,
            multiplier_stages=2,
        )  # fmt: skip
        double = rounding is Rounding.TFLITE_DOUBLE
        factor = signals["shifted_left"] if double else ports.i
        words = {"low": ports.multiplier[:16], "high": ports.multiplier[16:]}
        terms = []
        enabled = Signal(reset_less=True)
        m.d.sync += enabled.eq(ports.en)
        places = in_width // 16
        for place in range(places):
            part = factor[16 * place : 16 * (place + 1)]
            if place == places - 1:
                part = part.as_signed()
            for shift, (name, word) in zip((0, 16), words.items(), strict=True):
                register = signals[f"product_{place}_{name}"]
                entered, before = (
                    Signal(32, name=f"{when}_{place}_{name}", reset_less=True)
                    for when in ("entered", "before")
                )
                m.d.sync += [entered.eq(part * word), before.eq(register)]
                m.d.comb += Assert(register == Mux(enabled, entered, before))
                # A product of 15 or 16 bits with the highest part is signed, another is not.
                term = register.as_signed() if place == places - 1 else register
                terms.append(term << (16 * place + shift))
        if fault:
            terms[0] = terms[0] ^ (terms[0] == 77)
        total = signals["product"]
        sum_ = named(m, signed(len(total)), "sum_of_terms", sum(terms[1:], terms[0]))
        after = Signal.like(total, name="after", reset_less=True)
        held = Signal.like(total, name="held", reset_less=True)
        m.d.sync += [after.eq(sum_), held.eq(total)]
        m.d.comb += Assert(total == Mux(enabled, after, held))

    return {**INPUTS, "i": signed(in_width)}, body


def result(rounding, in_width=32, out=INT8, defined=None):
    """Stages 2 and 3, from what stage 1 holds and the job's constants, are the definition (by
    default, ``rounding``'s)."""
    in_format = Format(in_width)

    def body(m, ports):
        dut, signals = open_requantizer(
            m, ports, in_format=in_format, out_format=out, rounding=rounding
        )
        value, shift = signals["product"], signals["shift"]
        age = Signal(2, reset_less=True)
        zero_point, relu = (constant(m, value, age) for value in (ports.zero_point, ports.relu))
        most = (1 << 31) - 1  # of the multiplier
        m.d.comb += Assume((value >= in_format.min * most) & (value <= in_format.max * most))

        exact = rounded(m, value, shift, defined or rounding)
        total = named(m, signed(len(value) + 4), "exact", exact + zero_point)
        low = named(m, signed(18), "low", Mux(relu, clamp(zero_point, out.min, out.max), out.min))
        second = Signal.like(dut.o, name="expected_2", reset_less=True)
        third = Signal.like(dut.o, name="expected_3", reset_less=True)
        with m.If(ports.en):
            m.d.sync += [second.eq(clamp(total, low, out.max)), third.eq(second)]
            m.d.sync += age.eq(age + (age != 3))
        # Stage 2 is seen through stage 3's sum.
        m.d.comb += Assert((age < 2) | (clamp(signals["total"], out.min, out.max) == second))
        m.d.comb += Assert((age < 3) | (dut.o == third))

    return {**INPUTS, "i": signed(in_width)}, body


def constant(m, value, age):
    """``value``, which is assumed not to change from the cycle on after which ``age`` is not 0."""
    register = Signal.like(value, name=f"constant_{value.name}", reset_less=True)
    with m.If(age == 0):
        m.d.sync += register.eq(value)
    m.d.comb += Assume((age == 0) | (value == register))
    return value


def clamp(value, low, high):
    return Mux(value < low, low, Mux(value > high, high, value))


@pytest.mark.parametrize(
    "rounding, in_width", [("half_up", 32), ("half_up", 64), ("tflite_double", 32)]
)
def test_product(rounding, in_width):
    check(*product(Rounding(rounding), in_width), mode="induction", depth=1)


@pytest.mark.parametrize(
    "rounding, in_width", [("half_up", 32), ("half_up", 64), ("tflite_double", 32)]
)
def test_product_in_two_stages(rounding, in_width):
    check(*products(Rounding(rounding), in_width), mode="induction", depth=1)


def test_one_wrong_term_is_found():
    refute(*products(Rounding.HALF_UP, fault=True), mode="bmc", depth=4)


@pytest.mark.parametrize("rounding", Rounding)
def test_rounding_zero_point_and_clamp(rounding):
    check(*result(rounding), mode="induction", depth=1)


@pytest.mark.parametrize(
    "in_width, out",
    [(64, INT8), (32, Format(16, False)), pytest.param(32, Format(2), marks=pytest.mark.slow)],
    ids=str,
)
def test_other_formats(in_width, out):
    check(*result(Rounding.HALF_UP, in_width, out), mode="induction", depth=1)


def test_one_wrong_multiplier_is_found():
    refute(*product(Rounding.HALF_UP, fault=True), mode="bmc", depth=3)


def test_saturating_too_early_is_found(monkeypatch):
    monkeypatch.setattr(requantize, "_KEPT", 17)
    refute(*result(Rounding.HALF_UP, out=Format(16, False)), mode="bmc", depth=4)


def test_a_tie_that_goes_the_other_way_is_found():
    """The component rounds half to even, the definition away from zero."""
    refute(*result(Rounding.HALF_EVEN, defined=Rounding.HALF_AWAY), mode="induction", depth=1)
