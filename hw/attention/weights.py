"""From blocks of logits to exponentials: the running maximum, and a lane for each key."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from .exponential import Exponential
from .running import RunningMaximum
from .scores import delayed
from .shape import LOGIT, Shape

__all__ = ["Weights"]


class Weights(wiring.Component):
    """Beats of logits -> beats of p, ``latency`` cycles later; never stops.

    ``valid`` with ``u``, ``keep``, ``highest`` (the block's maximum), ``first`` (of its query) and
    any ``flags``. p is relative to its block's maximum. ``rescale``: by how much the state shrinks
    before p is added, 0 but in a block's first beat; ``align``: by how much what p adds does;
    ``maximum``: the running one, relative to which the state then is.
    """

    latency = 1 + Exponential.latency

    def __init__(self, *, shape: Shape, flags: int):
        self.shape = shape
        super().__init__(
            {
                "valid": In(1),
                "u": In(shape.lanes * LOGIT.width),
                "keep": In(shape.lanes),
                "first": In(1),
                "highest": In(signed(shape.maximum.width)),
                "flags": In(flags),
                "o_valid": Out(1),
                "p": Out(shape.lanes * shape.exponential),
                "rescale": Out(shape.rescale_bits),
                "align": Out(shape.rescale_bits),
                "o_first": Out(1),
                "maximum": Out(signed(shape.maximum.width)),
                "o_flags": Out(flags),
            }
        )

    def elaborate(self, platform):
        m = Module()
        shape = self.shape
        m.submodules.running = running = shared(
            RunningMaximum, maximum=shape.maximum, shift_bits=shape.rescale_bits
        )
        maximum = Signal(signed(shape.maximum.width), reset_less=True)
        m.d.comb += [
            running.first.eq(self.first),
            running.m.eq(maximum),
            running.c.eq(self.highest),
        ]
        # Within a block the running maximum is no longer below the block's: it stays, shift is 0.
        with m.If(self.valid):
            m.d.sync += maximum.eq(running.o)
        u = delayed(m, self.u, 1, "u")
        highest = Signal(signed(shape.maximum.width), reset_less=True)
        m.d.sync += highest.eq(self.highest)
        keep = delayed(m, self.keep, 1, "keep")
        weights = []
        for lane in range(shape.lanes):
            m.submodules[f"exponential_{lane}"] = exponential = shared(
                Exponential,
                fraction=shape.fraction,
                width=shape.exponential,
                place=lane % shape.places,
                places=shape.places,
            )
            m.d.comb += [
                exponential.t.eq(
                    (highest << shape.fraction) - u.word_select(lane, LOGIT.width).as_signed()
                ),
                exponential.counts.eq(keep[lane]),
            ]
            weights.append(exponential.o)
        beside = Cat(running.shift, running.align, self.first, self.flags)
        beside = delayed(m, beside, self.latency, "beside")
        m.d.comb += [
            self.o_valid.eq(delayed(m, self.valid, self.latency, "valid", reset=True)),
            self.p.eq(Cat(weights)),
            self.maximum.eq(delayed(m, maximum, Exponential.latency, "maximum")),
            Cat(self.rescale, self.align, self.o_first, self.o_flags).eq(beside),
        ]
        return m
