"""Recodings of operands and their partial products, exhaustively where that is possible."""

import gc
import random

import pytest
from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.sim import Simulator

from matweave.hw.arith import compress
from matweave.hw.arith.booth import BoothRecoding
from matweave.hw.arith.csd import CsdRecoding
from matweave.hw.arith.ent import EntRecoding
from matweave.hw.arith.recoding import Digit
from matweave.hw.formats import Format
from matweave.sim.golden import recoding as golden

INT8, UINT8 = Format(8), Format(8, False)

RECODINGS = {
    "booth": BoothRecoding,
    "csd": CsdRecoding,
    "csd-prefix": lambda format: CsdRecoding(format, carry="prefix"),
    "ent": EntRecoding,
    "ent-prefix": lambda format: EntRecoding(format, carry="prefix"),
    "ent-sm": lambda format: EntRecoding(format, form="sign_magnitude"),
    "ent-sm-prefix": lambda format: EntRecoding(format, form="sign_magnitude", carry="prefix"),
}


def formats(widths):
    return [Format(width, signed) for width in widths for signed in (True, False)]


def cases(names, widths):
    """Each recoding of each format; unsigned ones have one form only."""
    pairs = [(name, format) for name in names for format in formats(widths)]
    return [(name, format) for name, format in pairs if format.signed or "sm" not in name]


def number(bits, format):
    return bits - (1 << format.width) if format.signed and bits >> (format.width - 1) else bits


def golden_digits(recoding, value):
    if isinstance(recoding, BoothRecoding):
        return golden.booth(value, recoding.format).tolist()
    if isinstance(recoding, CsdRecoding):
        return golden.csd_pairs(value, recoding.format).tolist()
    form = "sign_magnitude" if recoding.sign_magnitude else "signed"
    return golden.ent(value, recoding.format, form).tolist()


def simulate(module, process):
    simulator = Simulator(module)
    simulator.add_testbench(process)
    simulator.run()


def recoded(recoding, values):
    """(code, digits) of each operand, by the recoder and what its readers build."""
    m = Module()
    m.submodules.recoder = recoder = recoding.recoder_class(recoding=recoding)
    digits = recoding.digits(m, recoder.o, "digit_")
    assert len(digits) == recoding.n_digits
    lines = Signal(3 * len(digits))
    none = Const(0, 1)
    m.d.comb += lines.eq(Cat(*(none if line is None else line for d in digits for line in d)))
    digit_of = {0b000: 0, 0b001: 1, 0b010: 2, 0b101: -1, 0b110: -2}  # never 100 or x11
    result = []

    async def process(ctx):
        for value in values:
            ctx.set(recoder.i, value)
            await ctx.delay(1e-9)
            bits = ctx.get(lines)
            result.append(
                (ctx.get(recoder.o), [digit_of[bits >> (3 * k) & 7] for k in range(len(digits))])
            )

    simulate(m, process)
    return result


def numbers(format):
    return range(format.min, format.max + 1)


def wrong(recoding, values=None):
    """The operands whose digits are not the golden model's."""
    values = numbers(recoding.format) if values is None else values
    found = recoded(recoding, values)
    return [
        value
        for value, (_, digits) in zip(values, found, strict=True)
        if digits != golden_digits(recoding, value)
    ]


@pytest.mark.parametrize("name, format", cases(RECODINGS, range(2, 17)), ids=str)
def test_digits_are_the_golden_model_s(name, format):
    recoding = RECODINGS[name](format)
    rng = random.Random(format.width)
    values = numbers(format)
    if format.width > 10:  # a proof has all of them: tests/formal/test_arith.py
        ends = [format.min, format.min + 1, format.max - 1, format.max, 0]
        values = ends + [rng.randint(format.min, format.max) for _ in range(250)]
    assert wrong(recoding, values) == []


def test_number_of_digits():
    for recoding in (BoothRecoding, CsdRecoding, EntRecoding):
        assert [recoding(Format(w)).n_digits for w in (2, 3, 8, 15, 16)] == [1, 2, 4, 8, 8]
        assert [recoding(Format(w, False)).n_digits for w in (2, 3, 8, 15, 16)] == [2, 2, 5, 8, 9]


@pytest.mark.parametrize("format", formats(range(2, 17)), ids=str)
def test_code_widths(format):
    for name, make in RECODINGS.items():
        recoding = make(format)
        recoder = recoding.recoder_class(recoding=recoding)
        expected = format.width + 1 if name.startswith("ent") else 3 * recoding.n_digits
        assert recoding.code_width == len(recoder.o) == expected


@pytest.mark.parametrize("name", RECODINGS)
def test_the_code_of_zero_is_zero(name):
    for format in formats([2, 3, 8, 9]):
        recoding = RECODINGS[name](format)
        assert recoded(recoding, [0]) == [(0, [0] * recoding.n_digits)]


def test_published_examples():
    """arXiv 2404.11887; most significant digit first there."""
    for name in RECODINGS:
        if name.startswith("ent"):
            (_, signed), (_, other) = recoded(RECODINGS[name](INT8), [91, 124])
            assert (signed, other) == ([-1, -1, 2, 1], [0, -1, 0, 2])
            (code, unsigned), _ = recoded(RECODINGS[name](UINT8), [91, 124])
            assert (code, unsigned) == (0b0_01_10_11_11, [-1, -1, 2, 1, 0])


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
def test_bad_values():
    for recoding in (BoothRecoding, CsdRecoding, EntRecoding):
        for width in (1, 17):
            with pytest.raises(ValueError, match="2 to 16 bits"):
                recoding(format=Format(width))
    with pytest.raises(ValueError, match="form must be signed or sign_magnitude, not 'plain'"):
        EntRecoding(INT8, form="plain")
    for recoding in (CsdRecoding, EntRecoding):
        with pytest.raises(ValueError, match="carry must be ripple or prefix, not 'select'"):
            recoding(INT8, carry="select")
    gc.collect()  # the warning comes when the refused component is collected


# Traps, each as a bug that the comparison with the golden model must find.


def faulty(recoding, code=None, digits=None):
    """``recoding`` with ``code(operand, code)`` in place of its code, or ``digits(digits, code)``
    in place of its digits."""

    class FaultyRecoder(recoding.recoder_class):
        def elaborate(self, platform):
            m = Module()
            m.submodules.right = right = recoding.recoder_class(recoding=recoding)
            m.d.comb += [right.i.eq(self.i), self.o.eq(code(self.i, right.o))]
            return m

    class FaultyRecoding(type(recoding)):
        recoder_class = FaultyRecoder if code else recoding.recoder_class

        def digits(self, m, code, name):
            right = super().digits(m, code, name)
            return digits(right, code) if digits else right

    return FaultyRecoding(**vars(recoding))


SIGN_MAGNITUDE = EntRecoding(INT8, form="sign_magnitude")


def test_pitfall_2_minus_two_read_as_zero_is_found():
    """A sign merged into two bits turns 01 into 11 and 10 into 00, which then means -2, not 0."""

    def merged(right, code):
        pairs = [code[k : k + 2] for k in range(0, 8, 2)]
        pairs = [(low, high ^ (code[-1] & (low | high))) for low, high in pairs]
        return [Digit(low, high & ~low, low & high) for low, high in pairs]

    lost = [v for v in numbers(INT8) if -2 in golden_digits(SIGN_MAGNITUDE, v)]
    assert lost and wrong(faulty(SIGN_MAGNITUDE, digits=merged)) == lost


def test_pitfall_2_zero_read_as_minus_two_is_found():
    def unchecked(right, code):
        """As if the sign had been merged into every digit: 00 is -2 in negative operands."""
        zeros = [code[-1] & ~code[k : k + 2].any() for k in range(0, 8, 2)]
        pairs = zip(right, zeros, strict=True)
        return [Digit(digit.one, digit.two | zero, digit.neg | zero) for digit, zero in pairs]

    zeros = [v for v in numbers(INT8) if v < 0 and 0 in golden_digits(SIGN_MAGNITUDE, v)]
    assert zeros and wrong(faulty(SIGN_MAGNITUDE, digits=unchecked)) == zeros


def test_pitfall_3_negative_zero_is_never_a_code_and_reads_as_zero():
    for format in (Format(width) for width in range(2, 9)):
        recoding = EntRecoding(format, form="sign_magnitude")
        negative_zero = 1 << format.width
        assert negative_zero not in [code for code, _ in recoded(recoding, numbers(format))]
        planted = faulty(recoding, code=lambda operand, code: negative_zero)  # noqa: B023
        assert recoded(planted, [0]) == [(negative_zero, [0] * recoding.n_digits)]


def test_pitfall_3_minus_128_coded_as_negative_zero_is_found():
    assert recoded(SIGN_MAGNITUDE, [-128]) == [(0b1_10_00_00_00, [0, 0, 0, -2])]
    narrow = faulty(SIGN_MAGNITUDE, code=lambda operand, code: code ^ ((operand == 0x80) << 7))
    assert wrong(narrow) == [-128]


@pytest.mark.parametrize("name", [name for name in RECODINGS if "sm" not in name])
def test_pitfall_4_final_carry_dropped_is_found(name):
    recoding = RECODINGS[name](UINT8)
    dropped = faulty(recoding, digits=lambda right, code: [*right[:-1], Digit(Const(0, 1))])
    carried = list(range(128 if name == "booth" else 171, 256))  # 170 is 2222 in digits
    assert wrong(dropped) == carried


def test_canonical_digits_of_examples():
    """Most significant first: 7 is 8 - 1, 6 is 8 - 2, 10 is 8 + 2, 171 is 256 - 85."""
    expected = {7: [0, 0, 2, -1], 6: [0, 0, 2, -2], 10: [0, 0, 2, 2], -128: [-2, 0, 0, 0]}
    for value, (_, digits) in zip(expected, recoded(CsdRecoding(INT8), expected), strict=True):
        assert digits[::-1] == expected[value]
    (_, digits), (_, most) = recoded(CsdRecoding(UINT8), [171, 255])
    assert digits[::-1] == [1, -1, -1, -1, -1] and most[::-1] == [1, 0, 0, 0, -1]


def test_pitfall_5_booth_s_lowest_digit_has_a_0_below_it():
    assert recoded(BoothRecoding(INT8), [0b10]) == [(0b001_110, [-2, 1, 0, 0])]


def test_pitfall_5_the_lowest_digit_10_as_plus_two_is_found():
    booth = BoothRecoding(INT8)
    planted = faulty(booth, code=lambda operand, code: code ^ ((operand[:2] == 0b10) << 2))
    assert wrong(planted) == [v for v in numbers(INT8) if v % 4 == 2]


@pytest.mark.parametrize("format", formats([7, 8]), ids=str)
def test_a_two_of_the_wrong_sign_is_found(format):
    """Of canonical digits the bit above a slice decides whether it is 2 or -2."""
    for digit in range(CsdRecoding(format).n_digits - 1):
        two, neg = 3 * digit + 1, 3 * digit + 2
        planted = faulty(
            CsdRecoding(format),
            code=lambda operand, code: code ^ (code[two] << neg),  # noqa: B023
        )
        twos = [v for v in numbers(format) if abs(golden_digits(planted, v)[digit]) == 2]
        assert twos and wrong(planted) == twos


# Products

READERS = ["booth", "csd", "ent", "ent-sm"]
"""Of the two ways to carry one will do: codes are the same."""


def check_products(recoding, b_format, width, pairs):
    m = Module()
    a_format = recoding.format
    m.submodules.recoder = recoder = recoding.recoder_class(recoding=recoding)
    bus = Signal(a_format.width + b_format.width)
    m.d.comb += recoder.i.eq(bus[: a_format.width])
    rows = recoding.partial_products(m, recoder.o, bus[a_format.width :], b_format)
    product = compress.total(m, rows, width)

    async def process(ctx):
        for x, y in pairs:
            ctx.set(bus, x | y << a_format.width)
            await ctx.delay(1e-9)
            expected = number(x, a_format) * number(y, b_format) % (1 << width)
            assert ctx.get(product) == expected, (x, y)

    simulate(m, process)


@pytest.mark.parametrize("b_format", formats(range(2, 5)), ids=str)
@pytest.mark.parametrize("name, a_format", cases(READERS, range(2, 5)), ids=str)
def test_products_exhaustively(name, a_format, b_format):
    pairs = [(x, y) for x in range(1 << a_format.width) for y in range(1 << b_format.width)]
    check_products(RECODINGS[name](a_format), b_format, a_format.width + b_format.width, pairs)


@pytest.mark.parametrize("b_format", formats([8, 16]), ids=str)
@pytest.mark.parametrize("name, a_format", cases(READERS, [8, 15]), ids=str)
def test_products_at_corners(name, a_format, b_format):
    def corners(format):
        low, high = format.min, format.max
        all_minus_two = sum(-2 << (2 * k) for k in range(format.width // 2))  # …10101010
        values = {low, low + 1, -1, 0, 1, high - 1, high, all_minus_two, 0x5555}
        return sorted({value & ((1 << format.width) - 1) for value in values})

    rng = random.Random(1)
    pairs = [(x, y) for x in corners(a_format) for y in corners(b_format)]
    for _ in range(50):
        pairs.append((rng.getrandbits(a_format.width), rng.getrandbits(b_format.width)))
    for width in (a_format.width + b_format.width, 40):
        check_products(RECODINGS[name](a_format), b_format, width, pairs)
