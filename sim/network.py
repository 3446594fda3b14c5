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


class NetworkSimulator(StreamDriver):
    """One instance of a network's engine, out of reset."""

    def __init__(self, verilog: str, manifest: Mapping, *, seed: int = 1):
        self.manifest = manifest
        self.inputs, self.outputs = (manifest["streams"][each] for each in ("input", "output"))
        self.load(
            verilog,
            manifest["name"],
            {self.inputs["prefix"]: _bytes(self.inputs)},
            {self.outputs["prefix"]: _bytes(self.outputs)},
            seed=seed,
            registers=False,
        )

    def predict(self, x: np.ndarray, to: Fixed) -> np.ndarray:
        """Results, (samples, outputs) of ``float64``, for real numbers ``x``, (samples, …), which
        are first cast to ``to``, the input's format."""
        return self.real(self.predict_raw(quantised(self.samples(x), to)))

    def samples(self, x: np.ndarray) -> np.ndarray:
        """``x`` as (samples, inputs); a single sample is one row."""
        x, count = np.asarray(x), len(self.inputs["values"])
        if x.dtype.kind not in "fiub":
            raise UserError(f"inputs: must be numbers, not {x.dtype}")
        if x.size % count or (x.ndim > 1 and x[:1].size % count):
            shape = tuple(self.inputs["shape"])
            raise UserError(f"inputs: have the shape {x.shape}; each sample must be {shape}")
        return x.reshape(-1, count)

    def predict_raw(self, raw: np.ndarray) -> np.ndarray:
        """Raw results, (samples, outputs), for raw inputs (samples, inputs)."""
        parts = [self.run_raw(raw[at : at + BATCH])[0] for at in range(0, len(raw), BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.outputs["values"])), int)

    def run_raw(
        self, raw: np.ndarray, *, pauses: Mapping[str, Pause] | None = None
    ) -> tuple[np.ndarray, Outcome]:
        """Raw results and what was seen at the ports. ``pauses``: of ``x`` and ``y``."""
        beats = pack(raw, self.inputs["lane_width"])
        outcome = self.run({"x": beats}, {"y": len(raw)}, pauses=pauses)
        if outcome.taken["x"] != len(raw):
            raise EngineError(f"{outcome.taken['x']} of {len(raw)} beats of x were taken")
        return unpack(outcome.outputs["y"], self.outputs), outcome

    def real(self, raw: np.ndarray) -> np.ndarray:
        """What raw results are worth."""
        exponents = np.array([value["exponent"] for value in self.outputs["values"]])
        return raw * 2.0**exponents


def pack(raw: np.ndarray, lane: int) -> np.ndarray:
    """Beats, (samples, bytes): each value in its lane, little-endian, lowest first."""
    return np.ascontiguousarray(raw).astype(f"<i{lane // 8}").view(np.uint8).reshape(len(raw), -1)


def unpack(beats: np.ndarray, stream: Mapping) -> np.ndarray:
    """Raw results of beats; those that are never negative are unsigned."""
    size = stream["lane_width"] // 8
    signed = np.array([value["signed"] for value in stream["values"]])
    as_signed = beats.view(f"<i{size}").astype(np.int64)
    as_unsigned = beats.view(f"<u{size}").astype(np.int64)
    return np.where(signed, as_signed, as_unsigned)


def _bytes(stream: Mapping) -> int:
    return stream["lane_width"] * len(stream["values"]) // 8
