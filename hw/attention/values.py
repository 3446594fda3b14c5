"""Exponentials times values, aligned to a state that shrinks when the running maximum rises."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.sums import DotProduct, Sum
from ..cells import shared
from ..formats import Format
from .accumulate import ShiftAccumulator
from .dequantise import dequantised
from .scores import delayed
from .shape import GROUP_BITS, GUARD, Shape

__all__ = ["Values"]


class Values(wiring.Component):
    """l, with ``GUARD`` fraction bits, and O of a query; never stops.

    ``valid`` with ``p`` and ``v`` of T keys, ``rescale`` and ``align`` (how much the state and
    what is added to it shrink), ``first`` and ``last`` of the query, and any ``flags``. Packed V
    comes as codes, with ``groups`` of each value. ``latency`` cycles after a query's last beat
    ``o_valid``, ``total``, ``sums`` (d of them) and ``o_flags``, for one cycle.
    """

    def __init__(self, *, shape: Shape, flags: int):
        self.shape, self.latency = shape, shape.value_latency
        super().__init__(
            {
                "valid": In(1),
                "p": In(shape.lanes * shape.exponential),
                "v": In(shape.lanes * shape.dimension * (shape.v_bits or shape.v.width)),
                **(
                    {"groups": In(shape.lanes * shape.v_groups * GROUP_BITS)}
                    if shape.v_bits
                    else {}
                ),
                "rescale": In(shape.rescale_bits),
                "align": In(shape.rescale_bits),
                "first": In(1),
                "last": In(1),
                "flags": In(flags),
                "o_valid": Out(1),
                "total": Out(shape.total_width),
                "sums": Out(shape.dimension * shape.sum.width),
                "o_flags": Out(flags),
            }
        )

    def elaborate(self, platform):
        m = Module()
        shape = self.shape
        p, v = self._operands(m)
        # Beside the sums as they come to the state.
        arrive = self.latency - 1
        shifts = delayed(m, Cat(self.rescale, self.align), arrive, "shifts")
        rescale, align = (shifts.word_select(n, shape.rescale_bits) for n in range(2))
        control = delayed(m, Cat(self.first, self.last, self.flags), arrive, "control")
        first, last, *flags = control
        valid = delayed(m, self.valid, arrive, "valid", reset=True)

        m.submodules.weight = weight = shared(Sum, terms=shape.lanes, width=shape.exponential)
        m.d.comb += weight.i.eq(p)
        weight_sum = Cat(Const(0, GUARD), weight.o)
        total_format = Format(shape.total_width, signed=False)
        m.submodules.total = total = shared(
            ShiftAccumulator,
            i_format=Format(len(weight_sum), signed=False),
            o_format=total_format,
            shift_bits=shape.rescale_bits,
        )
        m.d.comb += total.i.eq(weight_sum)
        accumulators, sums = [total], []
        words = [v.word_select(i, shape.v.width) for i in range(shape.lanes * shape.dimension)]
        for element in range(shape.dimension):
            m.submodules[f"dot_{element}"] = dot = shared(
                DotProduct, terms=shape.lanes, a_format=shape.p, b_format=shape.v
            )
            m.submodules[f"sum_{element}"] = state = shared(
                ShiftAccumulator,
                i_format=Format(dot.o.shape().width),
                o_format=shape.sum,
                shift_bits=shape.rescale_bits,
            )
            m.d.comb += [
                dot.a.eq(p),
                dot.b.eq(Cat(words[element :: shape.dimension])),
                state.i.eq(dot.o),
            ]
            accumulators.append(state)
            sums.append(state.o)
        for accumulator in accumulators:
            m.d.comb += [
                accumulator.en.eq(valid),
                accumulator.first.eq(first),
                accumulator.shift.eq(rescale),
                accumulator.align.eq(align),
            ]
        ended = Signal()
        m.d.sync += ended.eq(valid & last)
        m.d.comb += [
            self.o_valid.eq(ended),
            self.total.eq(total.o),
            self.sums.eq(Cat(sums)),
            self.o_flags.eq(delayed(m, Cat(flags), 1, "flags")),
        ]
        return m

    def _operands(self, m):
        """Exponentials and values in their registers."""
        shape, v = self.shape, self.v
        if shape.v_bits:
            codes = delayed(m, v, 1, "codes")
            words = delayed(m, self.groups, 1, "groups")
            count = shape.lanes * shape.v_groups
            each = [words.word_select(n, GROUP_BITS) for n in range(count)]
            groups = [group for group in each for _ in range(shape.v_group)]
            v = dequantised(m, codes, groups, shape.v_bits, shape.v)
        return delayed(m, self.p, 1 + bool(shape.v_bits), "p"), delayed(m, v, 1, "v")
