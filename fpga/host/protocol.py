"""The host link's protocol, without any input or output.

Written from ``docs/reference/host-link.md`` and not from the gateware, so that a mistake in one
shows against the other.
"""

import enum
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

FLAG, ESCAPE, FLIP = 0x7E, 0x7D, 0x20
FCS_BYTES = 4
ANSWER = 0x80
LAST = 0x80
MAGIC = b"mtwv"
VERSION = 1
NONCE_BYTES = 8
LEAST_LIMIT = 64
BESIDE_BEATS = 4
"""Most bytes of contents that are no beats where there are some: those of a PULL's response."""
IDENTITY_BYTES = 16


class Command(enum.IntEnum):
    HELLO = 0
    WRITE = 1
    READ = 2
    PUSH = 3
    PULL = 4
    RESET = 5


class Status(enum.IntEnum):
    OK = 0
    UNKNOWN_COMMAND = 1
    WRONG_LENGTH = 2
    NO_SESSION = 3
    UNKNOWN_STREAM = 4


class ProtocolError(ValueError):
    """A frame whose check sequence is right and whose contents cannot be."""


def frame(contents: bytes) -> bytes:
    """``contents`` with flags, check sequence and stuffing."""
    framed = bytearray([FLAG])
    for byte in contents + zlib.crc32(contents).to_bytes(FCS_BYTES, "little"):
        framed += bytes([ESCAPE, byte ^ FLIP]) if byte in (FLAG, ESCAPE) else bytes([byte])
    framed.append(FLAG)
    return bytes(framed)


class FrameDecoder:
    """Contents of the frames in a stream of bytes, of at most ``limit`` bytes each.

    Whatever comes, only contents with the right check sequence leave, and the frame after the next
    flag is understood again. ``dropped`` counts what looked like a frame and was none, ``bytes``
    everything.
    """

    def __init__(self, limit: int = 1 << 16):
        self.limit = limit
        self.dropped = self.bytes = 0
        self._contents: bytearray | None = None  # None: no flag yet
        self._escaped = False

    def feed(self, data: bytes) -> list[bytes]:
        found = []
        for byte in data:
            self.bytes += 1
            if byte == FLAG:
                contents = self._end()
                if contents is not None:
                    found.append(contents)
            elif self._contents is None:
                continue
            elif byte == ESCAPE and not self._escaped:
                self._escaped = True
            elif len(self._contents) == self.limit + FCS_BYTES:
                self.dropped += 1
                self._contents = None
            else:
                self._contents.append(byte ^ FLIP if self._escaped else byte)
                self._escaped = False
        return found

    def _end(self) -> bytes | None:
        """What the flag that has just come ends, if that is a frame."""
        whole, escaped = self._contents, self._escaped
        self._contents, self._escaped = bytearray(), False
        if whole is None or (not whole and not escaped):
            return None
        contents, fcs = bytes(whole[:-FCS_BYTES]), whole[-FCS_BYTES:]
        if escaped or not contents or zlib.crc32(contents) != int.from_bytes(fcs, "little"):
            self.dropped += 1
            return None
        return contents


@dataclass(frozen=True)
class Response:
    """The contents of a response; ``command`` without the bit that marks it as one."""

    number: int
    command: int
    status: int
    results: bytes

    @classmethod
    def parse(cls, contents: bytes) -> "Response":
        if len(contents) < 3 or not contents[1] & ANSWER:
            raise ProtocolError(f"{len(contents)} bytes that are no response")
        return cls(contents[0], contents[1] & ~ANSWER, contents[2], contents[3:])


@dataclass(frozen=True)
class Facts:
    """What a device says of itself."""

    limit: int
    """Most bytes of contents, of a request and of a response."""
    sinks: tuple[int, ...]
    """Bytes per beat of the streams into the device."""
    sources: tuple[int, ...]
    identity: bytes
    """The first 16 bytes of the configuration's SHA-256."""

    @classmethod
    def parse(cls, data: bytes) -> "Facts":
        """From the results of HELLO after the nonce."""
        if data[:4] != MAGIC:
            raise ProtocolError("a device of another kind")
        if data[4:5] != bytes([VERSION]):
            raise ProtocolError(f"protocol version {data[4:5].hex()}, not {VERSION}")
        if len(data) < 9:
            raise ProtocolError("HELLO is too short")
        n_sinks, n_sources = data[7], data[8]
        end = 9 + 2 * (n_sinks + n_sources)
        if len(data) != end + IDENTITY_BYTES:
            raise ProtocolError(f"HELLO has {len(data)} bytes for {n_sinks} + {n_sources} streams")
        sizes = tuple(int(size) for size in np.frombuffer(data[9:end], "<u2"))
        limit = int.from_bytes(data[5:7], "little")
        if limit < LEAST_LIMIT:
            raise ProtocolError(
                f"HELLO tells of a limit of {limit} bytes, not {LEAST_LIMIT} and more"
            )
        most = limit - BESIDE_BEATS
        for size in sizes:
            if not 1 <= size <= most:
                raise ProtocolError(f"HELLO tells of beats of {size} bytes, not 1 to {most}")
        return cls(limit, sizes[:n_sinks], sizes[n_sinks:], data[end:])


def write_arguments(pairs: Iterable[tuple[int, int]]) -> bytes:
    return b"".join(
        address.to_bytes(4, "little") + data.to_bytes(4, "little") for address, data in pairs
    )


def read_arguments(addresses: Iterable[int]) -> bytes:
    return b"".join(address.to_bytes(4, "little") for address in addresses)


def push_arguments(stream: int, beats: bytes, last: bool = False) -> bytes:
    return bytes([stream | (LAST if last else 0)]) + beats


def pull_arguments(stream: int, most: int) -> bytes:
    return bytes([stream]) + most.to_bytes(2, "little")


def write_results(results: bytes) -> tuple[int, int]:
    """Writes that were done, and the AXI response of the one tried last."""
    _expect(len(results) == 3, "WRITE", results)
    return int.from_bytes(results[:2], "little"), results[2]


def read_results(results: bytes) -> tuple[list[int], int]:
    """The words that were read, and the AXI response of the read tried last."""
    _expect(len(results) % 4 == 1, "READ", results)
    return [int(word) for word in np.frombuffer(results[:-1], "<u4")], results[-1]


def push_results(results: bytes) -> int:
    """Beats that were taken."""
    _expect(len(results) == 2, "PUSH", results)
    return int.from_bytes(results, "little")


def pull_results(results: bytes, n_bytes: int) -> tuple[np.ndarray, bool]:
    """Beats (one per row), and whether the last of them had ``tlast``."""
    _expect(
        len(results) % n_bytes == 1 % n_bytes and results[-1:] in (b"\0", b"\1"), "PULL", results
    )
    beats = np.frombuffer(results[:-1], np.uint8).reshape(-1, n_bytes)
    return beats, bool(results[-1])


def _expect(right: bool, command: str, results: bytes) -> None:
    if not right:
        raise ProtocolError(f"{len(results)} bytes cannot be the results of {command}")
