"""Dyadic requantisation of one lane: ``clamp(round(i * multiplier / 2**shift) + zero_point)``."""

import itertools

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..formats import MAX_WIDTH, MIN_WIDTH, Format, Rounding

__all__ = ["Requantizer", "latency"]

_WORD = 16
_KEPT = 18
"""Bits of the scaled value that matter: 18 signed bits, saturated, and any zero point (17 bits)
still fall on the right side of every output format of at most 16 bits."""


def latency(multiplier_stages: int) -> int:
    """Cycles from operands to result."""
    return 2 + multiplier_stages


class Requantizer(wiring.Component):
    """Requantiser of one lane, one result per cycle, ``latency`` cycles after its operands.

    Stage 1 multiplies (``tflite_double`` shifts left before that), stage 2 shifts right and
    saturates, stage 3 adds the zero point and the rounding increment, and clamps. With
    ``multiplier_stages`` = 2 the multiplication takes a stage more: products of 16 bits by 16,
    as DSP blocks give, and then their sum. All stages advance in cycles with ``en`` set, and hold
    otherwise. Nothing is reset: what comes out before ``latency`` enabled cycles means nothing.

    Parameters
    ----------
    in_format : Format
        Signed, at most 64 bits; 32 for ``Rounding.TFLITE_DOUBLE``, 32 or 64 for two
        ``multiplier_stages``.
    out_format : Format
        2 to 16 bits.
    rounding : Rounding
    multiplier_stages : int
        1 or 2.
    multiplier_bits : int
        At most 31; 31 for ``Rounding.TFLITE_DOUBLE`` and for two ``multiplier_stages``.
    least_shift : int
        What ``shift`` counts from; 0 for ``Rounding.TFLITE_DOUBLE``.
    scaled_bits : int, optional
        Of ``i * multiplier / 2**shift``, rounded down, if it never has as many as these could give.

    Attributes
    ----------
    latency : int
        2 + ``multiplier_stages``.
    en : In(1)
    i : In(signed(in_format.width))
    multiplier : In(multiplier_bits)
    shift : In(6)
        0 to 62 - ``least_shift``: so much more than that.
    zero_point : In(signed(17))
        Of the results, as ``relu``: constant while there are any on their way.
    relu : In(1)
        Results below the zero point (real zero) become the zero point.
    o : Out(out_format)
    """

    def __init__(
        self,
        *,
        in_format: Format,
        out_format: Format,
        rounding: Rounding,
        multiplier_stages: int = 1,
        multiplier_bits: int = 31,
        least_shift: int = 0,
        scaled_bits: int | None = None,
    ):
        if not in_format.signed or in_format.width > 64:
            raise ValueError(f"in_format must be signed, of at most 64 bits, not {in_format}")
        if not MIN_WIDTH <= out_format.width <= MAX_WIDTH:
            raise ValueError(
                f"out_format must have {MIN_WIDTH} to {MAX_WIDTH} bits, not {out_format.width}"
            )
        rounding = Rounding(rounding)
        if rounding is Rounding.TFLITE_DOUBLE and in_format.width != 32:
            raise ValueError("tflite_double needs int32 as in_format")
        if multiplier_stages not in (1, 2):
            raise ValueError(f"multiplier_stages must be 1 or 2, not {multiplier_stages}")
        whole = in_format in (Format(32), Format(64)) and multiplier_bits == 31
        if not whole and (multiplier_stages == 2 or rounding is Rounding.TFLITE_DOUBLE):
            raise ValueError(
                "two multiplier stages and tflite_double take int32 or int64 and 31 bits of "
                f"multiplier, not {in_format} and {multiplier_bits}"
            )
        if in_format.width + multiplier_bits < _KEPT or not 1 <= multiplier_bits <= 31:
            raise ValueError(
                f"multiplier_bits must be 1 to 31, and {_KEPT} with in_format's, not "
                f"{multiplier_bits} with {in_format}"
            )
        most = in_format.width + multiplier_bits - _KEPT
        if not 0 <= least_shift <= (0 if rounding is Rounding.TFLITE_DOUBLE else most):
            raise ValueError(
                f"least_shift must be 0 for tflite_double and at most {most}, not {least_shift}"
            )
        self.least_shift, self.scaled_bits = least_shift, scaled_bits
        self.in_format, self.out_format, self.rounding = in_format, out_format, rounding
        self.multiplier_bits = multiplier_bits
        self.multiplier_stages, self.latency = multiplier_stages, latency(multiplier_stages)
        out_shape = signed if out_format.signed else unsigned
        super().__init__(
            {
                "en": In(1),
                "i": In(signed(in_format.width)),
                "multiplier": In(multiplier_bits),
                "shift": In(6),
                "zero_point": In(signed(17)),
                "relu": In(1),
                "o": Out(out_shape(out_format.width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        double = self.rounding is Rounding.TFLITE_DOUBLE

        # Stage 1.
        product = Signal(signed(self.in_format.width + self.multiplier_bits), reset_less=True)
        shift = Signal(6, reset_less=True)
        factor = self._shifted_left(m) if double else self.i
        multiplied, amount = factor * self.multiplier, self.shift
        if self.multiplier_stages == 2:
            multiplied, amount = self._sum_of_products(m, factor), Signal(6, reset_less=True)
            with m.If(self.en):
                m.d.sync += amount.eq(self.shift)
        with m.If(self.en):
            m.d.sync += [
                product.eq(multiplied),
                shift.eq(amount),
            ]

        # Stage 2. SaturatingRoundingDoublingHighMul is half_up by 31 bits (it never saturates, as
        # the multiplier is not negative), RoundingDivideByPOT half_away by the rest.
        amount = shift
        value = product
        if double:
            value = Signal(signed(32))
            amount = Signal(5)
            m.d.comb += value.eq((product >> 31) + product[30])
            m.d.comb += amount.eq(Mux(shift[5], shift[:5] + 1, 0))
        scaled, increment = self._shifted_right(m, value, amount)
        floor = Signal(signed(_KEPT), reset_less=True)
        round_up = Signal(reset_less=True)
        with m.If(self.en):
            m.d.sync += [
                floor.eq(scaled),
                round_up.eq(increment),
            ]
            # floor < 0 makes the rounded value at most 0.
            with m.If(self.relu & value[-1]):
                m.d.sync += [floor.eq(0), round_up.eq(0)]

        # Stage 3.
        low, high = self.out_format.min, self.out_format.max
        total = Signal(signed(_KEPT + 1))
        result = Signal.like(self.o, reset_less=True)
        m.d.comb += total.eq(floor + self.zero_point + round_up)
        with m.If(self.en):
            m.d.sync += result.eq(Mux(total < low, low, Mux(total > high, high, total)))
        m.d.comb += self.o.eq(result)
        return m

    def _sum_of_products(self, m, factor):
        """``factor * multiplier``, a cycle later: 16 bits of each at a time, only the highest of
        the factor signed. Products two places apart do not overlap and need no adder."""
        places = [factor.word_select(place, _WORD) for place in range(len(factor) // _WORD)]
        places[-1] = places[-1].as_signed()
        low, high = self.multiplier[:_WORD], self.multiplier[_WORD:]
        rows = {}
        for parity, (word, name) in itertools.product((0, 1), ((low, "low"), (high, "high"))):
            products = []
            for place in range(parity, len(places), 2):
                register = Signal(2 * _WORD, name=f"product_{place}_{name}", reset_less=True)
                with m.If(self.en):
                    m.d.sync += register.eq(places[place] * word)
                products.append(register)
            rows[parity, name] = Cat(products)
        # The highest place is an odd one. What lies above a row of even ones is 0.
        even, odd = rows[0, "low"], rows[1, "high"].as_signed()
        middle = rows[1, "low"].as_signed() + rows[0, "high"]
        above = odd if len(even) == 2 * _WORD else odd + even[2 * _WORD :]
        outer = Cat(even[_WORD : 2 * _WORD], above[: len(factor) - 1]).as_signed()
        return Cat(even[:_WORD], (outer + middle)[: len(factor) + 31 - _WORD]).as_signed()

    def _shifted_left(self, m):
        """``i << max(0, 31 - shift)``, modulo ``2**32``."""
        amount = Signal(5)
        m.d.comb += amount.eq(Mux(self.shift[5], 0, ~self.shift[:5]))  # 31 - x is ~x in 5 bits
        shifted = Signal(signed(32), name="shifted_left")
        m.d.comb += shifted.eq(self.i << amount)
        return shifted

    def _shifted_right(self, m, value, amount):
        """``value >> amount`` saturated to ``_KEPT`` bits, and whether rounding adds one to it.

        A barrel shifter, smallest step first. Below the value's lowest bit it keeps the *guard*,
        worth one half, and *sticky*: whether anything is left below that.
        """
        least = self.least_shift
        width = len(value) + 1 - least
        current = Signal(signed(width), name="unshifted")
        sticky = Signal(name="sticky_none")
        unshifted = Cat(0, value)
        m.d.comb += current.eq((unshifted[least:] if least else unshifted).as_signed())
        if least:
            m.d.comb += sticky.eq(unshifted[:least].any())
        for step in range(len(amount)):
            lost = current[: 1 << step].any()
            shifted = Signal(signed(width), name=f"shifted_{step}")
            collected = Signal(name=f"sticky_{step}")
            m.d.comb += [
                shifted.eq(Mux(amount[step], current >> (1 << step), current)),
                collected.eq(sticky | (amount[step] & lost)),
            ]
            current, sticky = shifted, collected

        guard, floor, negative = current[0], current[1:], value[-1]
        increment = Signal()
        m.d.comb += increment.eq(
            {
                Rounding.FLOOR: lambda: 0,
                Rounding.TRUNCATE: lambda: negative & (guard | sticky),
                Rounding.HALF_UP: lambda: guard,
                Rounding.HALF_EVEN: lambda: guard & (sticky | floor[0]),
                Rounding.HALF_AWAY: lambda: guard & (sticky | ~negative),
                Rounding.TFLITE_DOUBLE: lambda: guard & (sticky | ~negative),
            }[self.rounding]()
        )
        # Of what does not fit, so many bits change nothing: with any zero point it is still beyond
        # the output format. (Its largest is 2**16 - 1, that of a zero point 2**16.)
        free = ((1 << 16) - self.out_format.max).bit_length() - 1
        above = floor[_KEPT - 1 : self.scaled_bits and max(self.scaled_bits, _KEPT)]
        fits = Signal()
        saturated = Signal(signed(_KEPT))
        limit = Cat(floor[:free], (~negative).replicate(_KEPT - 1 - free), negative)
        m.d.comb += [
            fits.eq((above ^ negative.replicate(len(above))) == 0),
            saturated.eq(Mux(fits, floor[:_KEPT], limit)),
        ]
        return saturated, increment
