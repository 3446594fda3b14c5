"""Functions of one small number by a table: GELU, ReLU, SiLU."""

import math
from collections.abc import Callable

from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["FUNCTIONS", "Lookup", "entries", "gelu", "gelu_tanh", "relu", "silu"]


def gelu(x: float) -> float:
    return x * 0.5 * (1 + math.erf(x / math.sqrt(2)))


def gelu_tanh(x: float) -> float:
    return x * 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def relu(x: float) -> float:
    return max(x, 0.0)


def silu(x: float) -> float:
    # Of what is far below zero exp(-x) is beyond any float.
    return x / (1 + math.exp(-x)) if x > -700 else 0.0


FUNCTIONS = {"gelu": gelu, "gelu_tanh": gelu_tanh, "relu": relu, "silu": silu}
"""By the names that calibration knows them by."""


def entries(
    function: Callable[[float], float], scale: float, result_scale: float, *, width: int = 8
) -> tuple[int, ...]:
    """Of each two's complement input from 0 up, then from the lowest: the nearest integer to
    ``function(input * scale) / result_scale``, ties upwards, limited to ``width`` bits."""
    half = 1 << (width - 1)
    inputs = [*range(half), *range(-half, 0)]
    values = (math.floor(function(x * scale) / result_scale + 0.5) for x in inputs)
    return tuple(min(max(value, -half), half - 1) for value in values)


class Lookup(wiring.Component):
    """``o`` is the entry of ``i``, signed numbers of ``width`` bits, one cycle later (block RAM).

    ``table``: as of :func:`entries`; ``None``: it is written before it is used, entry ``w_addr`` in
    a cycle with ``w_en``. Never stops.
    """

    latency = 1

    def __init__(self, *, table: tuple[int, ...] | None, width: int = 8):
        if table is not None and len(table) != 1 << width:
            raise ValueError(f"table must have {1 << width} entries, not {len(table)}")
        self.table, self.width = table, width
        write = {"w_en": In(1), "w_addr": In(width), "w_data": In(signed(width))}
        super().__init__(
            {"i": In(signed(width)), "o": Out(signed(width)), **(write if table is None else {})}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=signed(self.width), depth=1 << self.width, init=self.table or []
        )
        if self.table is None:
            write = memory.write_port()
            m.d.comb += [
                write.en.eq(self.w_en),
                write.addr.eq(self.w_addr),
                write.data.eq(self.w_data),
            ]
        read = memory.read_port()
        m.d.comb += [read.en.eq(1), read.addr.eq(self.i), self.o.eq(read.data)]
        return m
