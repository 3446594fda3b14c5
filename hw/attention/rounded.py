"""An exact sum, rounded and limited once: the end of what is done to single elements."""

from amaranth.hdl import Const, Module, Signal, signed

from ..arith.requantize import Requantizer
from ..cells import shared
from ..formats import Format, Rounding, signed_width

__all__ = ["LATENCY", "rounded"]

LATENCY = 4
"""Cycles from the operands to the result."""


def rounded(
    m: Module, value, most: int, shift, *, to: Format, rounding: Rounding = Rounding.HALF_UP,
    multiplier=None, total: str = "total", name: str = "scale",
):  # fmt: skip
    """``clamp(round(value multiplier / 2**shift))`` in the format ``to``, :data:`LATENCY` cycles
    later.

    ``value``: from ``-most`` to ``most``; ``multiplier``: unsigned, 1 if there is none, and
    ``shift``: 0 to 62, both constant while there are numbers on their way. ``total`` and ``name``:
    of the sum's register and of the submodule. Never stops.
    """
    multiplier = Const(1, 1) if multiplier is None else multiplier
    wide = Format(max(signed_width(-most, most), 17))
    register = Signal(signed(wide.width), name=total, reset_less=True)
    m.submodules[name] = scale = shared(
        Requantizer, in_format=wide, out_format=to, rounding=rounding,
        multiplier_bits=len(multiplier),
    )  # fmt: skip
    m.d.sync += register.eq(value)
    m.d.comb += [
        scale.en.eq(1),
        scale.i.eq(register),
        scale.multiplier.eq(multiplier),
        scale.shift.eq(shift),
    ]
    return scale.o
