"""Bit-weight serial arrays: a PE's number is what its digits and operands add up to, inductively; a
PE that recodes and searches groups of operands leaves out no digit and adds none twice; the drain's
final addition adds."""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Mux, Signal

from matweave.hw.array.group_cell import GroupCell
from matweave.hw.array.serial_cell import LINES, SerialCell, carry_places, state_bits
from matweave.hw.array.serial_drain import DrainLane, parts
from matweave.hw.formats import Format
from matweave.hw.pe import REGISTRY
from matweave.sim.formal import opened

from .harness import check, refute


def later(m, value, cycles: int):
    for _ in range(cycles):
        register = Signal(value.shape(), name=f"later_{cycles}", reset_less=True)
        m.d.sync += register.eq(value)
        value = register
    return value


def number(state, width: int):
    """The sum, and every carry at its place."""
    total = state[:width]
    for index, place in enumerate(carry_places(width)):
        total = total + (state[width + index] << place)
    return total[:width]


def sums(name, b_format, *, width, fault=None):
    """In every cycle the state's number is what the digits and operands so far add up to, four
    times what was before a shift, and the bus shows it or nothing."""
    pe = REGISTRY[name](Format(8), b_format)
    latency = 2 if pe.lanes == 1 else 3

    def body(m, ports):
        dut = SerialCell(pe=pe, width=width)
        m.submodules.dut, registers = opened(dut)
        m.d.comb += [getattr(dut, name).eq(getattr(ports, name)) for name in inputs]
        added = 0
        for lane in range(pe.lanes):
            one, two, neg = ports.select.word_select(lane, LINES)
            value = ports.b.word_select(lane, b_format.width)
            operand = value.as_signed() if b_format.signed else value
            product = Mux(one, operand, 0) + Mux(two, operand << 1, 0)
            added = added + Mux(neg, -product, product)
            m.d.comb += [Assume(~(one & two)), Assume(~neg | one | two)]
        m.d.comb += Assume(~(ports.clear & ports.shift))
        if fault == "multiple":  # a negative multiple of the most negative operand, one too few
            low = ports.b[: b_format.width]
            added = added - (ports.select[2] & (low == 1 << (len(low) - 1)))
        clear, shift, read = (later(m, getattr(ports, n), 1) for n in ("clear", "shift", "read"))
        total = Signal(width, reset_less=True)
        before = Mux(clear, 0, Mux(shift, total << (1 if fault == "shift" else 2), total))
        m.d.sync += total.eq(before + later(m, added, latency - 1))
        # Registers begin with anything: a sum counts once it began with digits that came in.
        since, counts = Signal(range(latency + 1)), Signal()
        m.d.sync += since.eq(Mux(since == latency, since, since + 1))
        m.d.sync += counts.eq(counts | (clear & (since == latency)))
        state = Signal(state_bits(width))
        m.d.comb += [
            state.eq(Cat(registers["sum"], registers["carries"])),
            Assert(~counts | (number(state, width) == total)),
            Assert(dut.o == Mux(read, state, 0)),
        ]

    inputs = {
        "b": pe.lanes * b_format.width,
        "select": pe.lanes * LINES,
        "clear": 1,
        "shift": 1,
        "read": 1,
    }
    return inputs, body


@pytest.mark.parametrize(
    "name, b_format, width",
    [
        ("opt3", Format(8), 20),
        ("opt4c", Format(8), 20),
        ("opt4c", Format(8, False), 20),
        ("opt4c", Format(8), 7),
        ("opt4e", Format(3), 12),
        pytest.param("opt4e", Format(8), 16, marks=pytest.mark.slow),
        pytest.param("opt4e", Format(8, False), 16, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_a_number_is_the_sum_of_its_multiples(name, b_format, width):
    check(*sums(name, b_format, width=width), mode="induction", depth=5)


@pytest.mark.parametrize("fault", ["multiple", "shift"])
def test_a_wrong_multiple_or_shift_is_found(fault):
    refute(*sums("opt4c", Format(4), width=12, fault=fault), mode="bmc", depth=8)


# Groups.


def canonical_digit(pe, operand, weight: int):
    """Digit ``weight`` of an operand x in canonical signed digits, in pairs: as x is (3x - x) / 2,
    digit k is bit k + 1 of 3x less that of x."""
    value = operand.as_signed() if pe.a.signed else operand
    triple, number = value + (value << 1), 0
    for place in range(2):
        bit = 2 * weight + place + 1
        number = number + (((triple >> bit)[0] - (value >> bit)[0]) << place)
    return number


def ent_digit(pe, operand, weight: int):
    """Digit ``weight`` of an EN-T recoded operand as a number, from what lies below it: the digits
    there reach up to 2 * (1 + 4 + ...), and a rest above that is carried."""
    value = operand.as_signed() if pe.a.signed else operand
    size = Mux(value < 0, -value, value)[: pe.a.width]
    below = size[: 2 * weight]
    slice_ = size[2 * weight : 2 * weight + 2] + (below > int("10" * weight or "0", 2))
    last = weight == pe.recoding.n_digits - 1
    number = slice_ if last else Mux(slice_ > 2, slice_ - 4, slice_)
    return Mux(value < 0, -number, number)


DIGITS = {"csd": canonical_digit, "ent": ent_digit}


def times(number, operand, b_format):
    """A digit from -2 to 2 times an operand of B."""
    value = operand.as_signed() if b_format.signed else operand
    size = Mux(abs(number) == 1, value, 0) + Mux(abs(number) == 2, value << 1, 0)
    return Mux(number < 0, -size, size)


def product(lines, operand, b_format):
    """The same for a digit as select lines."""
    one, two, neg = lines
    value = operand.as_signed() if b_format.signed else operand
    size = Mux(one, value, 0) + Mux(two, value << 1, 0)
    return Mux(neg, -size, size)


def groups(a_format, b_format, *, terms, digits="csd", fault=None):
    """At any time: what the PE within was told to add (as the proof above has it), what it is about
    to be told, and what is left of the group make up what was sent. ``done``: at most one digit is
    left, so that a group takes a cycle per digit."""
    pe = REGISTRY["opt3"](a_format, b_format, digits=digits)
    width, b_width = pe.state_width(terms, 32), b_format.width

    def body(m, ports):
        inside, signals = opened(dut := GroupCell(pe=pe, width=width))
        m.submodules.dut = inside
        m.d.comb += [
            dut.b.eq(ports.b),
            dut.select.eq(Cat(ports.a, ports.weight, ports.load, ports.step)),
            Assume(ports.weight < pe.recoding.n_digits),
        ]
        lines = [signals[f"lines_{place}"] for place in range(pe.group)]
        pending = Cat(line[:2].any() for line in lines)
        # The row's part of the bargain.
        m.d.comb += Assume(~ports.load | ~pending.any() | (ports.step & dut.done))
        sent, told = Signal(width, reset_less=True), Signal(width, reset_less=True)
        new, left = 0, 0
        for place, line in enumerate(lines):
            number = Signal(range(-2, 3), name=f"number_{place}")
            with m.Switch(ports.weight):
                for weight in range(pe.recoding.n_digits):
                    with m.Case(weight):
                        value = ports.a.word_select(place, a_format.width)
                        m.d.comb += number.eq(DIGITS[digits](pe, value, weight))
            other = ports.b.word_select(place, b_width)
            held = signals["group_b"].word_select(place, b_width)
            new = new + times(number, other, b_format)
            left = left + product(line, held, b_format)
            m.d.comb += Assert(~(line[0] & line[1]) & (~line[2] | line[:2].any()))
        if fault == "late":  # a group that comes with the last digit of another
            new = Mux(pending.any(), 0, new)
        if fault == "sign":  # -2 times the most negative
            new = new + 16 * (number == -2) * (other == 1 << (b_width - 1))
        about = product(signals["line"], signals["other"], b_format)
        m.d.sync += [
            told.eq(told + about),
            sent.eq(Mux(ports.load, sent + new, sent)),
        ]
        total = Signal(width)
        m.d.comb += [
            total.eq(told + about + left),
            Assert(total == sent),
            Assert(dut.done == ((pending & (pending - 1)) == 0)),
        ]

    inputs = {"weight": pe.weight_bits, "load": 1, "step": 1}
    inputs |= {"a": pe.group * a_format.width, "b": pe.group * b_width}
    return inputs, body


@pytest.mark.parametrize(
    "a_format, b_format",
    [
        (Format(8), Format(3)),
        (Format(8, False), Format(3)),
        (Format(5), Format(3, False)),
        (Format(8), Format(8)),
    ],
    ids=str,
)
@pytest.mark.parametrize("digits", DIGITS)
def test_groups_lose_no_digit_and_add_none_twice(digits, a_format, b_format):
    check(*groups(a_format, b_format, terms=16, digits=digits), mode="induction")


@pytest.mark.parametrize("fault", ["late", "sign"])
@pytest.mark.parametrize("digits", DIGITS)
def test_a_wrong_group_is_found(digits, fault):
    wrong = groups(Format(4), Format(3), terms=8, digits=digits, fault=fault)
    refute(*wrong, mode="bmc", depth=4)


# The drain.


def resolved(width, *, fault=False):
    """Part by part, each a cycle after the one below it, the lane's output is the number."""

    def body(m, ports):
        m.submodules.dut = dut = DrainLane(width=width)
        m.d.comb += dut.state.eq(ports.state)
        total = Signal(width)
        m.d.comb += total.eq(number(ports.state, width) - (fault & ports.state.all()))
        last = len(parts(width))
        since = Signal(range(last + 1))  # no part has seen anything yet
        m.d.sync += since.eq(Mux(since == last, since, since + 1))
        for index, (start, end) in enumerate(parts(width)):
            wanted = later(m, total[start:end], 1 + index)
            m.d.comb += Assert((since <= index) | (dut.o[start:end] == wanted))

    return {"state": state_bits(width)}, body


@pytest.mark.parametrize("width", [2, 7, 24, 32])
def test_the_drain_adds(width):
    check(*resolved(width), mode="induction", depth=len(parts(width)) + 2)


def test_a_wrong_sum_in_the_drain_is_found():
    refute(*resolved(8, fault=True), mode="bmc", depth=5)
