"""Exponentials times values, added to a state that shrinks when the running maximum rises."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.sums import DotProduct, Sum
from ..cells import shared
from ..formats import Format
from .accumulate import ShiftAccumulator
from .scores import delayed
from .shape import Shape

__all__ = ["Values"]


class Values(wiring.Component):
    """l and O of a query; never stops.

    ``valid`` with ``p`` and ``v`` of T keys, ``rescale``, ``first`` and ``last`` of the query, and
    any ``flags``. ``latency`` cycles after a query's last beat ``o_valid``, ``total``, ``sums`` (d
    of them) and ``o_flags``, for one cycle.
    """

    def __init__(self, *, shape: Shape, flags: int):
        self.shape, self.latency = shape, shape.value_levels + 2
        super().__init__(
            {
                "valid": In(1),
                "p": In(shape.lanes * shape.exponential),
                "v": In(shape.lanes * shape.dimension * shape.v.width),
                "rescale": In(shape.rescale_bits),
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
        p = delayed(m, self.p, 1, "p")
        v = delayed(m, self.v, 1, "v")
        # Beside the sums as they come to the state.
        arrive = self.latency - 1
        control = Cat(self.rescale, self.first, self.last, self.flags)
        control = delayed(m, control, arrive, "control")
        rescale = control[: shape.rescale_bits]
        first, last, *flags = control[shape.rescale_bits :]
        valid = delayed(m, self.valid, arrive, "valid", reset=True)

        m.submodules.weight = weight = shared(Sum, terms=shape.lanes, width=shape.exponential)
        m.d.comb += weight.i.eq(p)
        total_format = Format(shape.total_width, signed=False)
        m.submodules.total = total = shared(
            ShiftAccumulator,
            i_format=Format(weight.o.shape().width, signed=False),
            o_format=total_format,
            shift_bits=shape.rescale_bits,
        )
        m.d.comb += total.i.eq(weight.o)
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
