"""The words of the protocol as the gateware has them: ``docs/reference/host-link.md``.

Pure Python; imports no Amaranth.
"""

import enum

MAGIC = b"mtwv"
VERSION = 1
"""Of the protocol."""
NONCE_BYTES = 8
IDENTITY_BYTES = 16
ANSWER = 0x80
"""Set in the command of a response."""
HEADER = 3
"""Bytes of a response before its results: sequence, command, status."""


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
