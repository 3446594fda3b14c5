"""What a gate lets through: products element by element, between the memories."""

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..attention.elementwise import ScaledProduct
from ..attention.scores import delayed
from ..cells import shared
from ..engine.core import connect
from .memory import read_ports, side_by_side, write_ports, written
from .sizes import GATE_BITS, Sizes
from .walk import job_ports, token_walk

__all__ = ["Gate", "scale_ports"]


def scale_ports() -> dict:
    """The numbers of a gate, in the order in which they come."""
    return {"multiplier": In(GATE_BITS), "shift": In(6)}


class Gate(wiring.Component):
    """``start`` -> ``g h multiplier / 2**shift`` of the hidden layer of all tokens -> ``done``.

    g is read from memory 0, h from memory 1, where the result goes; a word per cycle, and
    :class:`~..attention.elementwise.ScaledProduct`'s latency.
    """

    def __init__(self, *, sizes: Sizes):
        self.sizes = sizes
        super().__init__(
            {
                "start": In(1),
                "done": Out(1),
                **job_ports(sizes),
                **scale_ports(),
                **read_ports("g", sizes),
                **read_ports("h", sizes),
                **write_ports("o", sizes),
            }
        )

    def elaborate(self, platform):
        m = Module()
        sizes, width = self.sizes, self.sizes.activation.width
        walks = {
            name: token_walk(m, f"{name}_walk", sizes, region, sizes.hidden_words)
            for name, region in (("g", "g"), ("h", "h"), ("o", "h"))
        }
        for walk in walks.values():
            connect(m, walk, self, ["start", *job_ports(sizes)])
        out = walks.pop("o")
        words = side_by_side(m, self, walks)
        results = []
        for lane in range(sizes.columns):
            m.submodules[f"product_{lane}"] = product = shared(
                ScaledProduct, format=sizes.activation, multiplier_bits=GATE_BITS
            )
            connect(m, product, self, list(scale_ports()))
            m.d.comb += [
                port.eq(word.word_select(lane, width))
                for port, word in zip((product.a, product.b), words, strict=True)
            ]
            results.append(product.o)
        valid = delayed(m, self.g_here, ScaledProduct.latency, "multiplied", reset=True)
        m.d.comb += [out.take.eq(valid), self.done.eq(valid & out.lasts.all())]
        written(m, self, "o", out, valid, Cat(results))
        return m
