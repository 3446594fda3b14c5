"""Division by a constant: a multiplication."""

from amaranth.hdl import Cat, Mux

__all__ = ["divided"]


def divided(value, divisor: int):
    """``floor(value / divisor)`` by a constant multiplication, exact for every ``value``.

    With 2**s >= 2**bits * divisor, floor(x ceil(2**s / divisor) / 2**s) is floor(x / divisor) for
    -2**bits <= x < 2**bits; negative x lie one unit below where x is a multiple.
    """
    if divisor & (divisor - 1) == 0:
        return value >> (divisor.bit_length() - 1)
    bits = len(value)
    scale = bits + divisor.bit_length()
    if not value.shape().signed:
        return (value * -(-(1 << scale) // divisor)) >> scale
    # floor(x / d) of negative x is ~floor(~x / d).
    magnitude = Mux(value < 0, ~value, value)[:bits]
    quotient = (magnitude * -(-(1 << scale) // divisor)) >> scale
    return Mux(value < 0, ~quotient.as_signed(), Cat(quotient, 0).as_signed())
