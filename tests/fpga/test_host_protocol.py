"""The protocol without a device: frames survive whatever surrounds them, and nothing else does."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matweave.fpga.host import protocol
from matweave.fpga.host.protocol import Facts, FrameDecoder, ProtocolError, Response, frame

contents = st.one_of(
    st.binary(min_size=1, max_size=80),
    st.lists(st.sampled_from([0x7E, 0x7D, 0x5E, 0x5D, 0]), min_size=1).map(bytes),
)


@given(st.lists(contents), st.integers(1, 7))
def test_frames_come_out_as_they_went_in(sent, piece):
    line = b"".join(map(frame, sent))
    decoder = FrameDecoder()
    came = []
    for at in range(0, len(line), piece):
        came += decoder.feed(line[at : at + piece])
    assert came == sent
    assert decoder.dropped == 0 and decoder.bytes == len(line)
    for each in map(frame, sent):
        assert each[0] == each[-1] == 0x7E and 0x7E not in each[1:-1]


@given(st.binary(), contents)
def test_after_any_garbage_the_next_frame_is_found(garbage, sent):
    assert FrameDecoder().feed(garbage + b"\x7e" + frame(sent))[-1:] == [sent]


@given(contents, st.data())
def test_a_damaged_frame_does_not_come_out(sent, data):
    whole = bytearray(frame(sent))
    index = data.draw(st.integers(0, len(whole) - 1))
    whole[index] ^= data.draw(st.integers(1, 255))
    assert sent not in FrameDecoder().feed(bytes(whole)) or bytes(whole) == frame(sent)


def test_aborted_too_long_and_empty_frames_are_dropped():
    decoder = FrameDecoder(limit=4)
    assert decoder.feed(frame(b"abcd")[:-1] + b"\x7d\x7e") == []
    assert decoder.feed(b"\x7d\x7e") == []
    assert decoder.feed(frame(b"abcde")) == []
    assert decoder.feed(frame(b"")) == []
    assert decoder.dropped == 4
    assert decoder.feed(b"\x7e\x7e\x7e" + frame(b"abcd")) == [b"abcd"]
    assert decoder.dropped == 4


def test_the_check_sequence_is_rfc_1662s():
    """Its appendix C.3 gives the value that is left over a right frame: 0xDEBB20E3."""
    text = b"123456789"
    assert frame(text) == b"\x7e" + text + bytes.fromhex("2639f4cb") + b"\x7e"
    assert zlib.crc32(text + bytes.fromhex("2639f4cb")) ^ 0xFFFFFFFF == 0xDEBB20E3


@pytest.mark.parametrize(
    ("parse", "data"),
    [
        (Response.parse, b""),
        (Response.parse, b"\x01\x80"),
        (Response.parse, b"\x01\x00\x00"),
        (Facts.parse, b"mtw"),
        (Facts.parse, b"mtwv\x02" + bytes(60)),
        (Facts.parse, b"mtwv\x01\x00\x02\x01"),
        (Facts.parse, b"mtwv\x01\x00\x02\x01\x00\x01\x00" + bytes(15)),
        (Facts.parse, b"mtwv\x01\x3f\x00\x01\x00\x01\x00" + bytes(16)),
        (Facts.parse, b"mtwv\x01\x00\x02\x01\x00\x00\x00" + bytes(16)),
        (Facts.parse, b"mtwv\x01\x00\x02\x00\x01\xfd\x01" + bytes(16)),
        (protocol.write_results, b"\x01\x00"),
        (protocol.read_results, b""),
        (protocol.read_results, bytes(4)),
        (protocol.push_results, bytes(3)),
        (lambda data: protocol.pull_results(data, 3), b""),
        (lambda data: protocol.pull_results(data, 3), bytes(3)),
        (lambda data: protocol.pull_results(data, 3), b"abc\x02"),
        (lambda data: protocol.pull_results(data, 1), b""),
    ],
)
def test_what_cannot_be_is_refused(parse, data):
    with pytest.raises(ProtocolError):
        parse(data)


def test_results_are_read_as_they_are_written():
    assert protocol.write_results(b"\x02\x01\x03") == (258, 3)
    assert protocol.read_results(b"\x01\x02\x03\x04\x02") == ([0x04030201], 2)
    assert protocol.read_results(b"\x00") == ([], 0)
    beats, last = protocol.pull_results(b"abcdef\x01", 3)
    assert beats.tolist() == [[97, 98, 99], [100, 101, 102]] and last
    beats, last = protocol.pull_results(b"ab\x00", 1)
    assert beats.tolist() == [[97], [98]] and not last
    assert protocol.pull_results(b"\x00", 3)[0].shape == (0, 3)
    facts = Facts.parse(b"mtwv\x01\x00\x02\x01\x01\x05\x00\x06\x01" + bytes(16))
    assert facts == Facts(512, (5,), (262,), bytes(16))
