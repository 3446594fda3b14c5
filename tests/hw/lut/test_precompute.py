"""Tables from activations: every entry against the golden model, and how many adders they take."""

import re

import numpy as np
import pytest
from amaranth.sim import Simulator

from matweave.hw import emit
from matweave.hw.formats import Format
from matweave.hw.lut.precompute import FullTable, HalfTable, entry_width, n_adders
from matweave.hw.lut.table import TablePe
from matweave.hw.weights import WeightFormat
from matweave.sim.golden import lut

from .schedule import packed, unpacked

INT8 = Format(8)


def tables(component, slices):
    """What it makes of each."""
    found = []

    async def bench(ctx):
        for values in slices:
            ctx.set(component.i, packed(values, component.pe.a.width))
            await ctx.delay(1e-9)
            found.append(ctx.get(component.o))

    simulator = Simulator(component)
    simulator.add_testbench(bench)
    simulator.run()
    return found


def slices(k):
    rng = np.random.default_rng(k)
    return [
        np.full(k, -128), np.full(k, 127), np.zeros(k, int),
        *rng.choice([-128, 127], (8, k)), *rng.integers(-128, 128, (20, k)),
    ]  # fmt: skip


@pytest.mark.parametrize("k", range(2, 7))
def test_half_tables_hold_the_negative_of_every_entry(k):
    for sign in {0, k - 1}:
        pe = TablePe(INT8, WeightFormat(1), k=k, sign=sign)
        bits = entry_width(INT8, k) - 1
        for a, table in zip(slices(k), tables(HalfTable(pe=pe), slices(k)), strict=True):
            high = unpacked(table >> 1, bits, 1 << (k - 1))
            entries = [2 * value + (table & 1) for value in high]
            assert entries == (-lut.table(a, sign)).tolist()


@pytest.mark.parametrize("k", (2, 4))
def test_full_tables_hold_every_sum(k):
    pe = TablePe(INT8, WeightFormat(1), k=k, table="full")
    for a, table in zip(slices(k), tables(FullTable(pe=pe), slices(k)), strict=True):
        wanted = [
            sum(int(x) for place, x in enumerate(a) if index >> place & 1)
            for index in range(1, 1 << k)
        ]
        assert unpacked(table, entry_width(INT8, k), (1 << k) - 1) == wanted


@pytest.mark.parametrize(("k", "count"), [(2, 2), (3, 6), (4, 12), (5, 24), (6, 44)])
def test_adders(k, count):
    text = emit.rtlil_text(HalfTable(pe=TablePe(INT8, WeightFormat(1), k=k)), "table")
    assert len(re.findall(r"cell \$(?:add|sub) ", text)) == n_adders(k) == count
    assert "$neg" not in text
