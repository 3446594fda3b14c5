"""Rung 5 for the accumulating adder: wraps or saturates, for every state and every addend."""

import pytest
from amaranth.hdl import Assert, Mux, Signal, signed

from matweave.hw.arith.adders import Add

from .harness import check, refute


def addition(width, i_width, saturate, fault=False):
    def body(m, ports):
        m.submodules.dut = dut = Add(width=width, i_width=i_width, saturate=saturate)
        m.d.comb += [dut.i.eq(ports.i), dut.c.eq(ports.c)]
        low, high = -(1 << (width - 1)), (1 << (width - 1)) - 1
        if fault:  # symmetric saturation, a common mistake
            low += 1
        exact = Signal(signed(max(width, i_width) + 1))
        m.d.comb += exact.eq(ports.i.as_signed() + ports.c.as_signed())
        expected = exact
        if saturate:
            expected = Mux(exact < low, low, Mux(exact > high, high, exact))
        m.d.comb += Assert(dut.o == expected[:width])

    return {"i": i_width, "c": width}, body


@pytest.mark.parametrize("saturate", [False, True])
@pytest.mark.parametrize("width, i_width", [(16, 16), (24, 17), (32, 16), (48, 40), (8, 12)])
def test_addition(width, i_width, saturate):
    check(*addition(width, i_width, saturate))


def test_symmetric_saturation_is_found():
    refute(*addition(24, 17, True, fault=True))
