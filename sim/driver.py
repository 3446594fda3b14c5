"""The structures of ``native.cpp`` for ctypes; all fields are 64 bits wide."""

import ctypes
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

RUNNING, DONE, HANG, VIOLATION = range(4)

VIOLATIONS = (
    "nothing",
    "tvalid fell before tready",
    "payload changed while waiting",
    "tlast before the last beat",
    "last beat without tlast",
    "a beat beyond the last",
)

READ, WRITE, FLUSH = range(3)


@dataclass(frozen=True)
class Pause:
    """Random pauses of one stream: in each cycle one starts with ``probability`` and lasts 1 to
    ``burst`` cycles. The same ``seed`` gives the same pauses; ``None``: the engine's."""

    probability: float = 0.0
    burst: int = 1
    seed: int | None = None


QUIET = Pause()


@dataclass(frozen=True)
class Access:
    """One register operation, not before cycle ``at``, and what came of it."""

    kind: int
    address: int
    data: int = 0
    at: int = 0
    response: int | None = None
    cycle: int | None = None


def read(address: int, at: int = 0) -> Access:
    return Access(READ, int(address), at=at)


def write(address: int, data: int, at: int = 0) -> Access:
    return Access(WRITE, int(address), int(data) & 0xFFFF_FFFF, at)


def flush(address: int, data: int, at: int = 0) -> Access:
    """A write after which the outputs must be empty and stay so."""
    return Access(FLUSH, int(address), int(data) & 0xFFFF_FFFF, at)


class _Stream(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        *((name, ctypes.c_uint64) for name in (
            "beats", "surplus", "pause", "burst", "random",
            "done", "stalls", "idles", "pausing", "valid",
        )),
    ]  # fmt: skip

    def set(self, beats: np.ndarray, pause: Pause, seed: int) -> None:
        """Beats to send, or room for those expected; the caller keeps the array alive."""
        assert beats.dtype == np.uint8 and beats.flags.c_contiguous
        # Not beats.ctypes.data, which makes two objects to tell one address.
        self.data, self.beats = beats.__array_interface__["data"][0], len(beats)
        if pause is not QUIET:
            self.pause = round(min(1.0, max(0.0, pause.probability)) * 2**32)
        self.burst = max(1, pause.burst)
        seed = seed if pause.seed is None else pause.seed
        self.random = (seed * 0x9E3779B97F4A7C15 + 0x1234567) % (2**64 - 1) + 1


class _Operation(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64) for name in ("at", "kind", "address", "data", "response", "cycle")
    ]


@functools.lru_cache
def job_type(n_inputs: int, n_outputs: int) -> type[ctypes.Structure]:
    """The ``Job`` of an engine with so many streams."""
    names = (
        "n_operations", "start_at", "watchdog", "drain", "stop_at", "reset_at", "reset_for",
        "cycle", "operation", "phase", "quiet", "drained", "first_in", "last_out", "any_in",
        "violation", "violating",
    )  # fmt: skip

    class Job(ctypes.Structure):
        _fields_ = [
            ("inputs", _Stream * n_inputs),
            ("outputs", _Stream * n_outputs),
            ("operations", ctypes.POINTER(_Operation)),
            *((name, ctypes.c_uint64) for name in names),
        ]

        def set_operations(self, accesses: Sequence[Access]) -> None:
            self._operations = (_Operation * len(accesses))(
                *((a.at, a.kind, a.address, a.data) for a in accesses)
            )
            self.operations, self.n_operations = self._operations, len(accesses)

        def streams(self) -> list[_Stream]:
            return [*self.inputs, *self.outputs]

        def results(self) -> list[Access]:
            """The operations that were done."""
            return [
                Access(o.kind, o.address, o.data, o.at, o.response, o.cycle)
                for o in self._operations[: self.operation]
            ]

    return Job


def load(path: Path, job: type[ctypes.Structure]) -> ctypes.CDLL:
    """The library at ``path`` with its functions typed."""
    library = ctypes.CDLL(str(path))
    u64, pointer = ctypes.c_uint64, ctypes.c_void_p
    for name, result, arguments in (
        ("new", pointer, [u64]),
        ("delete", None, [pointer]),
        ("cycles", u64, [pointer]),
        ("job_size", u64, []),
        ("run", ctypes.c_int64, [pointer, pointer, u64]),
        ("idle", None, [pointer, u64, u64]),
    ):
        function = getattr(library, f"matweave_{name}")
        function.restype, function.argtypes = result, arguments
    assert library.matweave_job_size() == ctypes.sizeof(job), "native.cpp and driver.py disagree"
    return library
