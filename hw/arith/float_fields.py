"""What floating-point units have in common: a code's fields, shifts, normalisation, rounding."""

from typing import NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from ..floats import FloatFormat


class Fields(NamedTuple):
    """Of a code. ``whole``: fraction and hidden bit; ``place``: the hidden bit's exponent, 1 of
    subnormals and zeros; ``special``: whether it is infinite or NaN."""

    sign: Value
    exponent: Value
    fraction: Value
    whole: Value
    place: Value
    special: Value


def fields(m: Module, code: Signal, format: FloatFormat) -> Fields:
    """The fields of ``code``."""
    fraction = code[: format.fraction]
    exponent = code[format.fraction : -1]
    special = Signal(name=f"{code.name}_special")
    normal = Signal(name=f"{code.name}_normal")
    m.d.comb += [special.eq(exponent == format.special), normal.eq(exponent.any())]
    place = Cat(exponent[0] | ~normal, exponent[1:])
    return Fields(code[-1], exponent, fraction, Cat(fraction, normal), place, special)


def sticky_shifted(m: Module, value: Value, distance: Value, name: str) -> Signal:
    """``value >> distance``; its lowest bit is set if any bit that it lost, or that one, was."""
    width = len(value)
    stages = (width - 1).bit_length()
    for stage in range(min(stages, len(distance))):
        step = 1 << stage
        moved = Cat(value[: step + 1].any(), value[step + 1 :], Const(0, step))
        shifted = Signal(width, name=f"{name}_{stage}")
        m.d.comb += shifted.eq(Mux(distance[stage], moved, value))
        value = shifted
    result = Signal(width, name=name)
    far = distance[stages:].any() if len(distance) > stages else Const(0, 1)
    m.d.comb += result.eq(Mux(far, value.any(), value))
    return result


def normalised(m: Module, value: Signal, place: Value, format: FloatFormat):
    """``value`` shifted left until its highest bit is set, or until that bit's exponent (``place``
    before, at least 1) is 1; and the exponent field: 0 where the highest bit is not set."""
    width = len(value)
    # A mark where the shift must end, whether or not there is a bit.
    marked = Signal(width, name="marked")
    m.d.comb += marked.eq(value | Const(1 << (width - 1), width) >> (place - 1)[: len(place)])
    zeros = []
    for stage in reversed(range((width - 1).bit_length())):
        step = 1 << stage
        zero = Signal(name=f"zeros_{stage}")
        moved = [Signal(width, name=f"{name}_{stage}") for name in ("marked", "leading")]
        m.d.comb += zero.eq(~marked[width - step :].any())
        for result, of in zip(moved, (marked, value), strict=True):
            m.d.comb += result.eq(Mux(zero, Cat(Const(0, step), of[: width - step]), of))
        marked, value = moved
        zeros.insert(0, zero)
    field = Signal(format.exponent + 1, name="field")
    m.d.comb += field.eq(Mux(value[-1], place - Cat(zeros), 0))
    return value, field


def rounded(m: Module, sign: Value, field: Value, value: Value, format: FloatFormat) -> Value:
    """The code of a number: ``value``'s highest bit is the hidden one, what is below the fraction
    is rounded to nearest, ties to even. ``field``: its exponent, 0 of subnormals. Too large a
    number is infinite."""
    rest = len(value) - format.fraction - 1
    up = Signal(name="up")
    if rest > 1:
        m.d.comb += up.eq(value[rest - 1] & (value[: rest - 1].any() | value[rest]))
    elif rest:
        m.d.comb += up.eq(value[0] & value[1])
    code = Signal(format.fraction + len(field), name="rounded_up")
    # Of 11…1 the exponent takes the carry.
    m.d.comb += code.eq(Cat(value[rest:-1], field) + up)
    overflow = Signal(name="overflow")
    m.d.comb += overflow.eq(code[format.fraction :] >= format.special)
    return Cat(Mux(overflow, format.infinity, code[: format.width - 1])[: format.width - 1], sign)
