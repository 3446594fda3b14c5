"""A network's Verilog, compiled: whole arrays of samples through the RTL.

Everything that is needed besides the Verilog is in the manifest::

    with NetworkSimulator(design.verilog, design.manifest) as simulator:
        y = simulator.predict(x)
"""

from collections.abc import Mapping

import numpy as np

from matweave.hw.errors import UserError
from matweave.hw.fixed import Fixed

from .driver import Pause
from .golden.network import quantised
from .streams import EngineError, Outcome, StreamDriver

BATCH = 1 << 16
"""Samples per run: bounds the memory, and lets Ctrl-C through."""


class TakesSamples:
    """Whoever has :meth:`run_samples` is called as the golden model is. ``manifest``: what
    ``matweave`` says of the network's engine."""

    manifest: Mapping

    @property
    def inputs(self) -> Mapping:
        """The manifest's input stream."""
        return self.manifest["streams"]["input"]

    @property
    def outputs(self) -> Mapping:
        """The manifest's output stream."""
        return self.manifest["streams"]["output"]

    def run_samples(self, beats: np.ndarray) -> np.ndarray:
        """The beats of the results, (samples, bytes), for those of the samples."""
        raise NotImplementedError

    def predict(self, x: np.ndarray, to: Fixed) -> np.ndarray:
        """Results, (samples, outputs) of ``float64``, for real numbers ``x``, (samples, …), which
        are first cast to ``to``, the input's format."""
        return self.real(self.predict_raw(quantised(self.samples(x), to)))

    def samples(self, x: np.ndarray) -> np.ndarray:
        """``x`` as (samples, inputs); a single sample is one row."""
        x, count = np.asarray(x), len(self.inputs["values"]) * beats(self.inputs)
        if x.dtype.kind not in "fiub":
            raise UserError(f"inputs: must be numbers, not {x.dtype}")
        one = x.shape == tuple(self.inputs["shape"])
        if x.size % count or (x.ndim > 1 and not one and x[:1].size % count):
            shape = tuple(self.inputs["shape"])
            raise UserError(f"inputs: have the shape {x.shape}; each sample must be {shape}")
        return x.reshape(-1, count)

    def predict_raw(self, raw: np.ndarray) -> np.ndarray:
        """Raw results, (samples, outputs), for raw inputs (samples, inputs)."""
        parts = [
            unpack(self.run_samples(pack(raw[at : at + BATCH], self.inputs)), self.outputs)
            for at in range(0, len(raw), BATCH)
        ]
        size = len(self.outputs["values"]) * beats(self.outputs)
        return np.concatenate(parts) if parts else np.zeros((0, size), int)

    def real(self, raw: np.ndarray) -> np.ndarray:
        """What raw results are worth."""
        exponents = [value["exponent"] for value in self.outputs["values"]] * beats(self.outputs)
        return raw * 2.0 ** np.array(exponents)


class NetworkSimulator(TakesSamples, StreamDriver):
    """One instance of a network's engine, out of reset."""

    def __init__(self, verilog: str, manifest: Mapping, *, seed: int = 1):
        self.manifest = manifest
        self.load(
            verilog,
            manifest["name"],
            {self.inputs["prefix"]: beat_bytes(self.inputs)},
            {self.outputs["prefix"]: beat_bytes(self.outputs)},
            seed=seed,
            registers=False,
        )

    def run_samples(self, beats: np.ndarray) -> np.ndarray:
        return self._run(beats, None).outputs["y"]

    def run_raw(
        self, raw: np.ndarray, *, pauses: Mapping[str, Pause] | None = None
    ) -> tuple[np.ndarray, Outcome]:
        """Raw results and what was seen at the ports. ``pauses``: of ``x`` and ``y``."""
        outcome = self._run(pack(raw, self.inputs), pauses)
        return unpack(outcome.outputs["y"], self.outputs), outcome

    def _run(self, given: np.ndarray, pauses) -> Outcome:
        wanted = len(given) // beats(self.inputs) * beats(self.outputs)
        outcome = self.run({"x": given}, {"y": wanted}, pauses=pauses)
        if outcome.taken["x"] != len(given):
            raise EngineError(f"{outcome.taken['x']} of {len(given)} beats of x were taken")
        return outcome


def beats(stream: Mapping) -> int:
    """Of a sample, or of its result."""
    return stream.get("beats", 1)


def pack(raw: np.ndarray, stream: Mapping) -> np.ndarray:
    """The beats, each a row of bytes, of samples (samples, values) for a stream of the manifest:
    each value in its lane, little-endian, lowest first."""
    lanes = np.ascontiguousarray(raw).astype(f"<i{stream['lane_width'] // 8}")
    return lanes.view(np.uint8).reshape(len(raw) * beats(stream), -1)


def unpack(given: np.ndarray, stream: Mapping) -> np.ndarray:
    """Raw results, (samples, values), of beats; those that are never negative are unsigned."""
    size = stream["lane_width"] // 8
    signed = np.array([value["signed"] for value in stream["values"]])
    as_signed = given.view(f"<i{size}").astype(np.int64)
    as_unsigned = given.view(f"<u{size}").astype(np.int64)
    values = np.where(signed, as_signed, as_unsigned)
    return values.reshape(len(values) // beats(stream), -1)


def beat_bytes(stream: Mapping) -> int:
    """Bytes of a beat of a stream of the manifest."""
    return stream["lane_width"] * len(stream["values"]) // 8
