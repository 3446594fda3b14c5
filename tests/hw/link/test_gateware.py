"""The compiled gateware against the golden model, byte for byte, whatever it is sent."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matweave.fpga.host.protocol import Command, Status, frame
from matweave.sim.serial_board import SerialModule

from .toy import LIMIT, Golden, ask, endless_verilog, linked_verilog

pytestmark = pytest.mark.requires_tool("verilator", "g++", "perl")

FUZZ = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def module():
    with SerialModule(linked_verilog(), "toy_linked", cycles_per_bit=8) as made:
        yield made


def hello(number=0, nonce=b"\x7e\x7d\x00nonce"):
    return bytes([number, Command.HELLO]) + nonce


addresses = st.one_of(
    st.sampled_from([0, 4, 8]), st.sampled_from([12, 16, 60, 64, 1 << 16, 2**32 - 4])
)
words = st.binary(min_size=4, max_size=4)
four_bytes = st.builds(lambda address: address.to_bytes(4, "little"), addresses)


@st.composite
def arguments(draw, command):
    """Mostly right ones."""
    if command == Command.HELLO:
        return draw(st.binary(min_size=8, max_size=8))
    if command == Command.WRITE:
        good = st.just((4).to_bytes(4, "little"))
        pairs = st.tuples(st.one_of(good, good, good, four_bytes), words)
        return b"".join(a + d for a, d in draw(st.lists(pairs, max_size=7)))
    if command == Command.READ:
        return b"".join(draw(st.lists(four_bytes, max_size=15)))
    if command == Command.PUSH:
        stream = draw(st.sampled_from([0, 0, 1, 0x80, 0x81, 2, 0x7F]))
        size = 3 if stream & 1 == 0 else 1
        return bytes([stream]) + draw(st.binary(max_size=60 // size * size - 3))
    if command == Command.PULL:
        most = draw(st.sampled_from([0, 1, 2, 3, 256, 0xFFFF]))
        return bytes([draw(st.sampled_from([0, 0, 0, 1]))]) + most.to_bytes(2, "little")
    return b""


@st.composite
def requests(draw):
    command = draw(st.sampled_from([*Command, *Command, Command.PUSH, Command.PULL, 6, 0xFF]))
    if command == Command.HELLO and draw(st.booleans()):
        command = Command.READ
    number = draw(st.integers(0, 3))
    data = draw(arguments(command))
    if draw(st.integers(0, 5)) == 0:  # a wrong length, often
        data = data[: draw(st.integers(0, len(data)))] + draw(st.binary(max_size=2))
    return (bytes([number, command]) + data)[:LIMIT]


@FUZZ
@given(st.booleans(), st.lists(requests(), min_size=1, max_size=12))
def test_every_answer_is_the_golden_models(module, greeted, asked):
    """Numbers are few, so that many requests are repetitions, or taken for some."""
    module.reset()
    golden = Golden()
    for request in [hello(), *asked] if greeted else asked:
        assert ask(module, frame(request)) == [golden.answer(request)], request.hex()


@FUZZ
@given(st.lists(st.one_of(st.binary(max_size=200), requests().map(frame)), max_size=6), requests())
def test_garbage_does_nothing_and_the_next_frame_is_understood(module, garbage, request_):
    """Whatever comes between flags and is no frame leaves no trace but, at most, no answer."""
    module.reset()
    golden = Golden()
    assert ask(module, frame(hello())) == [golden.answer(hello())]
    for index, noise in enumerate(garbage):
        broken = bytearray(noise)
        if broken[:1] == b"\x7e":  # a frame: flip a bit of it
            broken[1 + index % (len(broken) - 2)] ^= 1 << index
        assert ask(module, bytes(broken)) == []
        probe = bytes([0x40 + index, Command.READ, *bytes(12)])
        probe = probe[:6] + (4).to_bytes(4, "little") + (8).to_bytes(4, "little")
        assert ask(module, frame(probe)) == [golden.answer(probe)]
    asked = bytes([0x60]) + request_[1:]
    assert ask(module, frame(asked)) == [golden.answer(asked)]


@pytest.mark.parametrize("length", [LIMIT - 1, LIMIT, LIMIT + 1, LIMIT + 4, LIMIT + 5, 3 * LIMIT])
def test_too_long_frames_are_dropped(module, length):
    golden = Golden()
    golden.answer(hello())
    ask(module, frame(hello()))
    request = bytes([1, Command.PUSH, 1]) + bytes(range(length - 3))
    expected = [golden.answer(request)] if length <= LIMIT else []
    assert ask(module, frame(request)) == expected
    after = bytes([2, Command.READ]) + (8).to_bytes(4, "little")
    assert ask(module, frame(after)) == [golden.answer(after)]


@pytest.mark.parametrize("contents", [b"", b"\x01"])
def test_too_short_frames_are_dropped(module, contents):
    ask(module, frame(hello()))
    assert ask(module, frame(contents)) == []
    assert ask(module, frame(b"\x01\x05")) == [b"\x01\x85\x00"]


def test_truncated_and_aborted_frames_are_dropped(module):
    """Every prefix of a frame, with and without an abort; then the whole of it."""
    ask(module, frame(hello()))
    request = bytes([1, Command.WRITE]) + (4).to_bytes(4, "little") + b"\x7e\x7d\x00\x01"
    whole = frame(request)
    for end in range(len(whole) - 1):
        for tail in (b"", b"\x7d"):
            assert ask(module, whole[:end] + tail + b"\x7e") == []
    assert ask(module, whole) == [b"\x01\x81\x00\x01\x00\x00"]
    read = bytes([2, Command.READ]) + bytes(4)
    assert ask(module, frame(read)) == [b"\x02\x82\x00\x01\x00\x00\x00\x00"]


def test_every_flipped_bit_is_noticed(module):
    ask(module, frame(hello()))
    whole = frame(bytes([1, Command.WRITE]) + (4).to_bytes(4, "little") + bytes(4))
    for bit in range(8 * len(whole)):
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        # A damaged flag may join the next frame's, which then is lost too: hence flags between.
        assert ask(module, bytes(broken) + b"\x7e\x7e") == []
    read = bytes([2, Command.READ]) + bytes(4)
    assert ask(module, frame(read)) == [b"\x02\x82\x00" + bytes(5)]


def test_requests_that_come_while_one_is_executed_are_lost_and_do_no_harm(module, seed):
    rng = random.Random(seed)
    golden = Golden()
    golden.answer(hello())
    ask(module, frame(hello()))
    writes = 0
    for number in range(1, 40):
        request = bytes([number, Command.WRITE]) + b"".join(
            (4).to_bytes(4, "little") + rng.randbytes(4) for _ in range(rng.randrange(1, 7))
        )
        expected = golden.answer(request)
        # The second one arrives, in part, while the first is answered.
        answers = ask(module, frame(request) + rng.choice([b"", b"\x7e"]) + frame(request))
        assert answers in ([expected], [expected, expected])
        writes += len(request) // 8
    read = bytes([99, Command.READ]) + bytes(4)
    assert ask(module, frame(read)) == [golden.answer(read)]
    assert golden.registers[0] == writes


def test_after_a_reset_nothing_but_a_greeting_is_executed(module):
    ask(module, frame(hello()))
    module.reset()
    write = bytes([1, Command.WRITE]) + (4).to_bytes(4, "little") + bytes(4)
    assert ask(module, frame(write)) == [bytes([1, 0x81, Status.NO_SESSION])]
    ask(module, frame(hello(2)))
    assert ask(module, frame(bytes([3, Command.READ]) + bytes(4))) == [b"\x03\x82\x00" + bytes(5)]


def test_a_reset_at_any_time_leaves_a_link_that_works(module, seed):
    rng = random.Random(seed)
    request = bytes([1, Command.PUSH, 0]) + bytes(range(0x70, 0x70 + 30))
    for _ in range(100):
        module.send(frame(hello()) + frame(request))
        module.run(rng.randrange(12_000))
        module.reset(rng.randrange(1, 4))
        while module.unsent or module.quiet < 1000:
            module.run(500)
        module.receive()
        golden = Golden()
        for asked in (hello(7), bytes([8, Command.RESET]), bytes([9, Command.READ]) + bytes(4)):
            assert ask(module, frame(asked)) == [golden.answer(asked)]


def test_a_line_that_is_held_low_is_no_byte(module):
    """Longer than a byte, at any time; the next frame is understood."""
    golden = Golden()
    assert ask(module, frame(hello())) == [golden.answer(hello())]
    for number, low in enumerate((20, 79, 80, 81, 85, 200, 1000), start=1):
        module.hold_low(True)
        module.run(low)
        module.hold_low(False)
        module.run(200)
        asked = bytes([number, Command.READ]) + bytes(4)
        assert ask(module, b"\x7e" + frame(asked)) == [golden.answer(asked)]


@pytest.mark.parametrize("command", [*Command, 6])
def test_every_length_of_every_command(module, command):
    """Right ones, wrong ones, and none of them executed by halves."""
    golden = Golden()
    assert ask(module, frame(hello())) == [golden.answer(hello())]
    for length in range(2, LIMIT + 1):
        argument = (4).to_bytes(4, "little") + b"\x01\x02\x03\x04"  # also for WRITE
        if command in (Command.PUSH, Command.PULL):
            argument = bytes(8)
        request = (bytes([length, command]) + 8 * argument)[:length]
        assert ask(module, frame(request)) == [golden.answer(request)], length
        probe = bytes([length ^ 0x80, Command.READ]) + b"\0\0\0\0\4\0\0\0\x08\0\0\0"
        assert ask(module, frame(probe)) == [golden.answer(probe)], length
        if command == Command.PUSH and length % 8 == 0:
            drain = bytes([length ^ 0x40, Command.PULL, 0, 9, 0])
            assert ask(module, frame(drain)) == [golden.answer(drain)]


@pytest.mark.parametrize("size", [1, 4, 60])
def test_a_response_is_filled_and_not_overfilled(size):
    """With beats that there are always more of; none is lost between two PULLs."""
    n = (LIMIT - 4) // size
    with SerialModule(endless_verilog(size), "endless", cycles_per_bit=8) as endless:
        ask(endless, frame(hello()))
        count = 0
        for number, most in enumerate((0, 1, n - 1, n, n + 1, 0xFF, 0x100, 0xFFFF), start=1):
            request = bytes([number, Command.PULL, 0]) + most.to_bytes(2, "little")
            beats = b"".join(bytes([(count + i) % 256]) * size for i in range(min(n, most)))
            assert ask(endless, frame(request)) == [bytes([number, 0x84, 0]) + beats + b"\0"]
            count += min(n, most)
        total = 0
        for number in range(20, 24):
            data = random.Random(number).randbytes((LIMIT - 3) // size * size)
            request = bytes([number, Command.PUSH, 0]) + data
            taken = (len(data) // size).to_bytes(2, "little")
            assert ask(endless, frame(request)) == [bytes([number, 0x83, 0]) + taken]
            request = bytes([number + 100, Command.READ]) + bytes(4)
            for at in range(0, len(data), size):
                total += int.from_bytes(data[at : at + size], "little")
            total %= 2**32
            answer = bytes([number + 100, 0x82, 0]) + total.to_bytes(4, "little") + b"\0"
            assert ask(endless, frame(request)) == [answer]
