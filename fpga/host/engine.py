"""What all engines at the other end of a serial line have in common."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import numpy as np

from matweave.sim.native import EngineError

from .device import Device
from .errors import DeviceReset, NotOurs
from .protocol import IDENTITY_BYTES

RESTARTS = 3
"""Jobs begun anew, because the device was reset, before that is given up."""
STALLED = 10.0
"""Seconds without a beat in any direction after which an engine counts as hanging."""

T = TypeVar("T")


class EngineDevice:
    """An engine called ``name`` at ``device``, whose ``hash`` (SHA-256 in hex) begins with the
    identity that the board must tell; ``sinks`` and ``sources``: bytes per beat of its streams.

    Raises :class:`.NotOurs` where the device holds another engine.
    """

    def __init__(
        self, device: Device, *, name: str, hash: str, sinks, sources, stalled: float = STALLED
    ):
        self.device, self.stalled = device, stalled
        self.restarts = 0
        """Jobs that were begun anew because the device was reset."""
        self._expected = name, hash, tuple(sinks), tuple(sources)
        self._idle = False
        self._check()

    def restarting(self, job: Callable[[], T]) -> T:
        """What ``job`` gives; from its beginning again where the device was reset meanwhile. A job
        that does not end leaves beats in the engine, which is reset before the next one."""
        for attempt in range(RESTARTS + 1):
            try:
                if not self._idle:
                    self.device.reset()
                self._idle = False
                result = job()
                self._idle = True
                return result
            except DeviceReset:
                if attempt == RESTARTS:
                    raise
                self.restarts += 1
                self.device.hello()
                self._check()
        raise AssertionError("unreachable")

    def counters(self, registers, names: Iterable[str]) -> dict[str, int]:
        """Those of ``registers`` that are called so, by their names in lower case."""
        names = list(names)
        words = self.device.read(int(registers[name]) for name in names)
        return {name.lower(): word for name, word in zip(names, words, strict=True)}

    def _check(self) -> None:
        facts = self.device.facts
        name, hash, sinks, sources = self._expected
        if (facts.sinks, facts.sources) != (sinks, sources) or (
            facts.identity != bytes.fromhex(hash)[:IDENTITY_BYTES]
        ):
            raise NotOurs(
                f"{self.device.port}: the board holds another engine (configuration "
                f"{facts.identity.hex()}...) than {name} ({hash[:32]}...): build and program that "
                "one, or name the one that is there"
            )

    def transfer(
        self, beats: Mapping[str, tuple[int, np.ndarray]], expected: int, result: str,
        *, mark_last: bool = False,
    ) -> np.ndarray:  # fmt: skip
        """Offer all ``beats`` (name -> number of the stream, rows of bytes), in their order, and
        take the ``expected`` ones of stream 0, called ``result``, the last of which has ``tlast``;
        ``mark_last``: so have those that are offered.

        No order can deadlock: what an engine does not take now is offered again after everything
        else has been tried.
        """
        device = self.device
        left = {name: rows for name, (_, rows) in beats.items()}
        given, missing = [], expected
        moved = time.monotonic()
        while missing or left:
            progress = 0
            for name in list(left):
                taken = self._push(beats[name][0], left[name], mark_last)
                progress += taken
                left[name] = left[name][taken:]
                if not len(left[name]):
                    del left[name]
            ended = False
            while missing and not ended:
                part, last = device.pull(0, missing)
                progress += len(part)
                missing -= len(part)
                given.append(part)
                if last != (len(part) > 0 and not missing):
                    raise EngineError(
                        f"tlast {missing} beats before the last of {expected} of {result}"
                    )
                ended = len(part) < min(device.pull_limit(0), missing + len(part))
            if progress:
                moved = time.monotonic()
            elif time.monotonic() - moved > self.stalled:
                waiting = ", ".join(f"{len(part)} of {name}" for name, part in left.items())
                raise EngineError(
                    f"{device.port}: no beat crossed in {self.stalled:g} s; missing {missing} of "
                    f"{expected} beats of {result}, not taken {waiting or 'none'}"
                )
        return np.concatenate(given) if given else np.empty((0, device.facts.sources[0]), np.uint8)

    def _push(self, stream: int, beats: np.ndarray, mark_last: bool) -> int:
        """Offer beats until one request is not taken whole; how many were taken."""
        total = 0
        while total < len(beats):
            offered = min(len(beats) - total, self.device.push_limit(stream))
            last = mark_last and total + offered == len(beats)
            taken = self.device.push(stream, beats[total : total + offered], last=last)
            total += taken
            if taken < offered:
                break
        return total
