"""One lane of the table lookup array, from activations and weights to its accumulator's next state,
for all activations and all weight codes. Tables, decoding and lookup of one plane together give
``c + sum(±a)``; several planes at once give the sum of what each gives alone, shifted. A code is
the sum of its planes by definition, ``2q - 2**W + 1``: that is arithmetic, and tested in NumPy."""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Mux, Signal, signed

from matweave.hw.formats import Format
from matweave.hw.lut.gemm_array import Correct
from matweave.hw.lut.table import TablePe
from matweave.hw.weights import Coding, WeightFormat

from .harness import check, refute


def lane(pe, *, fault=False):
    """One plane, for all activations, codes and states: the proof's inputs and body."""
    weights, width = pe.b, pe.sum_width(pe.k) + 1

    def body(m, ports):
        cls = pe.front_class
        m.submodules.front = front = cls(pe=pe)
        m.submodules.edge = edge = pe.edge_class(pe=pe)
        m.submodules.dot = dot = pe.dot_class(pe=pe, depth=1, width=width)
        word = ports.word
        if pe.table == "folded":  # what is done offline, with the weights
            sign = word[pe.sign]
            word = Cat(bit if n == pe.sign else bit ^ sign for n, bit in enumerate(word))
        total = 0
        for n in range(pe.k):
            a = ports.a.word_select(n, pe.a.width).as_signed()
            # A set bit is 1 of a code, or 1 of two signs.
            total = total + Mux(ports.word[n], a, -a if pe.reinterpreted else 0)
        if pe.shift_bits:
            m.d.comb += [
                Assume(ports.shift <= max(weights.shifts)),
            ]
            total = total << ports.shift
        if fault:  # one entry, one off
            total = total + ((ports.a == 1 << (pe.a.width - 1)) & ports.word.all())
        expected = Signal(width)
        m.d.comb += [
            front.i.eq(ports.a),
            edge.i.eq(word),
            edge.valid.eq(ports.valid),
            dot.a.eq(front.o),
            dot.b.eq(Cat(edge.o, ports.shift) if pe.shift_bits else edge.o),
            dot.c.eq(ports.c),
            expected.eq(ports.c + Mux(ports.valid, total, 0)),
            Assert(dot.o == expected),
        ]

    inputs = {"a": pe.k * pe.a.width, "word": pe.k, "c": width, "valid": 1}
    return inputs | ({"shift": pe.shift_bits} if pe.shift_bits else {}), body


def planes(pe, *, fault=False):
    """All planes at once add what each of them adds alone, whatever is in the tables."""
    alone = TablePe(pe.a, WeightFormat(1), k=pe.k, table=pe.table, sign=pe.sign)
    width = pe.sum_width(pe.k)

    def body(m, ports):
        m.submodules.edge = edge = pe.edge_class(pe=pe)
        m.submodules.dot = dot = pe.dot_class(pe=pe, depth=1, width=width)
        total = 0
        for plane, place in enumerate(pe.shifts):
            m.submodules[f"edge_{plane}"] = one = alone.edge_class(pe=alone)
            m.submodules[f"dot_{plane}"] = single = alone.dot_class(pe=alone, depth=1, width=width)
            m.d.comb += [
                one.i.eq(ports.words.word_select(plane, pe.k)),
                one.valid.eq(1),
                single.a.eq(ports.row),
                single.b.eq(one.o),
                single.c.eq(0),
            ]
            total = total + (single.o << (0 if fault else place))
        m.d.comb += [
            edge.i.eq(ports.words),
            edge.valid.eq(1),
            dot.a.eq(ports.row),
            dot.b.eq(edge.o),
            dot.c.eq(0),
            Assert(dot.o == total[:width]),
        ]

    return {"row": pe.row_bits, "words": pe.word_bits}, body


INT4 = Format(4)


def pe(width, coding=Coding.ASYMMETRIC, **options):
    return TablePe(options.pop("a", INT4), WeightFormat(width, coding), **options)


def slow(unit):
    return pytest.param(unit, marks=pytest.mark.slow)


def label(unit):
    return f"{unit.a}-{unit.b}-{unit.k}-{unit.table}-{unit.sign}{'-serial' * unit.serial}"


@pytest.mark.parametrize(
    "unit",
    [
        pe(1),
        slow(pe(1, Coding.BINARY, table="half", sign=3)),
        pe(1, table="full"),
        pe(4, serial=True),
        pe(1, k=2),
        *(slow(pe(1, sign=sign)) for sign in range(1, 4)),
        slow(pe(8, serial=True)),
        slow(pe(1, k=6, a=Format(2))),
        slow(pe(1, a=Format(8))),
    ],
    ids=label,
)
def test_a_plane_adds_its_slice(unit):
    check(*lane(unit), timeout=600)


@pytest.mark.parametrize(
    "unit",
    [
        pe(2),
        pe(2, Coding.TERNARY),
        *(slow(unit) for unit in (pe(2, table="full"), pe(3, sign=1), pe(4, sign=3))),
    ],
    ids=label,
)
def test_planes_add_up(unit):
    check(*planes(unit), timeout=600)


@pytest.mark.parametrize("weights", [WeightFormat(3), WeightFormat(2, Coding.SYMMETRIC)], ids=str)
def test_products_at_the_drain(weights):
    """(sum - z' * sum of A) / 2 for every pair of them that has such a half, the least included."""

    def body(m, ports):
        m.submodules.dut = dut = Correct(
            columns=1, weights=weights, i_width=9, sum_width=6, width=12
        )
        total = ports.total.as_signed()
        wanted = Signal(signed(13))
        m.d.comb += [
            dut.i.eq(ports.i),
            dut.total.eq(ports.total),
            wanted.eq(ports.i.as_signed() - weights.correction() * total),
            Assume(~wanted[0]),
            Assert((dut.o.as_signed() << 1) == wanted),
        ]

    check({"i": 9, "total": 6}, body)


def test_one_wrong_entry_is_found():
    refute(*lane(pe(1), fault=True))


def test_a_wrong_shift_is_found():
    refute(*planes(pe(2), fault=True))
