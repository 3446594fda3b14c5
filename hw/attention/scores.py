"""From queries and keys to logits: T dot products, their scale, and the highest of them."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.requantize import Requantizer
from ..arith.sums import DotProduct
from ..cells import shared
from ..formats import Rounding
from .dequantise import dequantised
from .shape import GROUP_BITS, LOGIT, LOGIT_MULTIPLIER_BITS, Shape

__all__ = ["Scores", "delayed"]


def delayed(m, value, cycles: int, name: str, *, reset: bool = False):
    """``value`` so many cycles later."""
    for cycle in range(cycles):
        register = Signal(len(value), name=f"{name}_{cycle}", reset_less=not reset)
        m.d.sync += register.eq(value)
        value = register
    return value


class Scores(wiring.Component):
    """Beats of K through T dot products with the query that stays; never stops.

    ``valid`` with ``k``, ``keep`` (keys that count) and ``flags``: a beat. With ``load`` the query
    for this beat and those after it is ``q``. Packed K comes as codes, with ``groups``, the
    minimum and step of each element, in the cycle after that of ``valid``. ``Shape.score_latency``
    cycles later ``o_valid``, the logits ``u``, ``o_keep``, ``o_flags``, and ``highest``: the
    maximum over keys that count of ceil(u / 2**fraction), ``Shape.lowest`` where none does.
    """

    def __init__(self, *, shape: Shape, flags: int):
        self.shape, self.latency = shape, shape.score_latency
        super().__init__(
            {
                "valid": In(1),
                "load": In(1),
                "q": In(shape.dimension * shape.q.width),
                "k": In(shape.lanes * shape.dimension * (shape.k_bits or shape.k.width)),
                "keep": In(shape.lanes),
                **({"groups": In(shape.dimension * GROUP_BITS)} if shape.k_bits else {}),
                "flags": In(flags),
                "multiplier": In(LOGIT_MULTIPLIER_BITS),
                "shift": In(6),
                "o_valid": Out(1),
                "u": Out(shape.lanes * LOGIT.width),
                "o_keep": Out(shape.lanes),
                "o_flags": Out(flags),
                "highest": Out(signed(shape.maximum.width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        shape = self.shape
        query, keys = self._operands(m)
        logits = []
        for lane in range(shape.lanes):
            m.submodules[f"dot_{lane}"] = dot = shared(
                DotProduct, terms=shape.dimension, a_format=shape.q, b_format=shape.k
            )
            m.submodules[f"scale_{lane}"] = scale = shared(
                Requantizer,
                in_format=shape.dot,
                out_format=LOGIT,
                rounding=Rounding.HALF_UP,
                multiplier_bits=LOGIT_MULTIPLIER_BITS,
            )
            m.d.comb += [
                dot.a.eq(query),
                dot.b.eq(keys.word_select(lane, shape.dimension * shape.k.width)),
                scale.en.eq(1),
                scale.i.eq(dot.o),
                scale.multiplier.eq(self.multiplier),
                scale.shift.eq(self.shift),
            ]
            logits.append(scale.o)
        # The last register is the one of the logits and their maximum.
        before = self.latency - 1
        keep = delayed(m, self.keep, before, "keep")
        flags = delayed(m, self.flags, self.latency, "flags")
        u = Signal.like(self.u, reset_less=True)
        highest = Signal.like(self.highest, reset_less=True)
        m.d.sync += [u.eq(Cat(logits)), highest.eq(self._highest(m, logits, keep))]
        m.d.comb += [
            self.o_valid.eq(delayed(m, self.valid, self.latency, "valid", reset=True)),
            self.u.eq(u),
            self.o_keep.eq(delayed(m, keep, 1, "keep_last")),
            self.o_flags.eq(flags),
            self.highest.eq(highest),
        ]
        return m

    def _operands(self, m):
        """Query and keys in their registers."""
        shape = self.shape
        next_query, load, k = self.q, self.load, self.k
        if shape.k_bits:
            # Codes in a register, and the query in one until they are keys, a cycle later.
            codes = Signal(len(self.k), reset_less=True)
            waiting = Signal(len(self.q), name="waiting_query", reset_less=True)
            m.d.sync += codes.eq(self.k)
            with m.If(self.load):
                m.d.sync += waiting.eq(self.q)
            load = delayed(m, self.load, 1, "load", reset=True)
            groups = [self.groups.word_select(n, GROUP_BITS) for n in range(shape.dimension)]
            k, next_query = (
                dequantised(m, codes, groups * shape.lanes, shape.k_bits, shape.k),
                waiting,
            )
        query = Signal(len(self.q), reset_less=True)
        keys = Signal(len(k), reset_less=True)
        m.d.sync += keys.eq(k)
        with m.If(load):
            m.d.sync += query.eq(next_query)
        return query, keys

    def _highest(self, m, logits, keep):
        """Of the ceilings, which are fewer bits to compare than the logits, pair by pair."""
        shape = self.shape
        values = []
        for lane, u in enumerate(logits):
            ceiling = Signal(signed(shape.maximum.width), name=f"ceiling_{lane}")
            up = u[: shape.fraction].any()
            m.d.comb += ceiling.eq(Mux(keep[lane], (u >> shape.fraction) + up, shape.lowest))
            values.append(ceiling)
        while len(values) > 1:
            pairs = zip(values[::2], values[1::2], strict=True)
            values = [Mux(a > b, a, b) for a, b in pairs]
        return values[0]
