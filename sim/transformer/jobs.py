"""One job of an encoder, and jobs drawn from a seed."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from matweave.hw.transformer.config import EncoderConfig

from ..cases import VALUES, Case, values
from ..golden import transformer as golden
from ..golden.arithmetic import checked
from ..layout import lane_dtype, pack_rows
from ..registers import Control, EncoderMode, EncoderRegister
from .drawing import parameters as drawn
from .packing import parameter_words, weight_beats
from .ranges import check

COUNTERS = ("CYCLES", "STALL_B", "STALL_P", "STALL_X", "STALL_Y")
WRITTEN = ("TOKENS", "MODE")
"""Registers of a job."""


@dataclass(frozen=True, eq=False)
class EncoderJob:
    """``x`` (tokens, width) through the model of ``parameters``, which is loaded first unless
    ``load`` is false: the engine has it from a job before."""

    x: np.ndarray
    parameters: golden.Parameters
    load: bool = True

    def checked(self, config: EncoderConfig) -> "EncoderJob":
        """This job with integer arrays, if the engine of ``config`` can do it.

        Raises :class:`ValueError` with one line where it cannot.
        """
        activation, model = config.activation, config.model
        x = checked("x", self.x, activation.min, activation.max, (None, model.width))
        if not 1 <= len(x) <= model.tokens:
            raise ValueError(f"x has {len(x)} tokens; this engine takes 1 to {model.tokens}")
        return dataclasses.replace(self, x=x, parameters=check(config, self.parameters))

    def pack(self, config: EncoderConfig, fill=None) -> dict[str, np.ndarray]:
        """Beats by stream; ``fill`` as in :mod:`..layout`."""
        rows = self.x.reshape(-1, config.array.geometry.n)
        beats = {"x": pack_rows(rows, config.activation, fill)}
        if self.load:
            beats |= {
                "b": weight_beats(config, self.parameters, fill),
                "p": parameter_words(self.parameters),
            }
        return beats

    def beats(self, config: EncoderConfig) -> dict[str, int]:
        """How many there are, by stream."""
        sizes = config.sizes
        words = len(self.x) * sizes.words
        model = {"b": sizes.weight_beats, "p": sizes.entries + sizes.parameters}
        return {**(model if self.load else {}), "x": words, "y": words}

    @property
    def work(self) -> int:
        """Multiply-accumulates with weights."""
        return len(self.x) * sum(
            dense.weights.size for layer in self.parameters.layers for dense in layer.products
        )

    def utilisation(self, config: EncoderConfig, cycles: int) -> float:
        """Of the array of weights, loading and attention included in ``cycles``."""
        return self.work / (config.macs_per_cycle * cycles)

    def unpack(self, config: EncoderConfig, beats: np.ndarray) -> np.ndarray:
        """The result, (tokens, width)."""
        found = beats.reshape(-1).view(lane_dtype(config.activation)).astype(np.int64)
        return found.reshape(len(self.x), -1)

    def expected(self, config: EncoderConfig) -> np.ndarray:
        """What the golden model says."""
        return golden.encoder(self.x, self.parameters, golden.for_config(config))

    def registers(self, config: EncoderConfig) -> list[tuple[int, int]]:
        """(address, data) of every write, the start last."""
        return [
            (int(EncoderRegister.TOKENS), len(self.x)),
            (int(EncoderRegister.MODE), int(EncoderMode.LOAD * self.load)),
            (int(EncoderRegister.CONTROL), int(Control.START)),
        ]


def stream_bytes(config: EncoderConfig) -> tuple[dict[str, int], dict[str, int]]:
    """Input and output port prefixes with their bytes per beat."""
    g = config.array.geometry
    word = g.n * config.activation.lane_width // 8
    weights = g.b_lanes * config.weight.lane_width // 8
    return {"s_axis_b": weights, "s_axis_p": 4, "s_axis_x": word}, {"m_axis_y": word}


SIZES = ("one", "panel", "panel_plus", "most", "random")
"""Corner classes of the number of tokens."""


def case(config: EncoderConfig, seed: int, index: int, largest: int | None = None) -> Case:
    """The job number ``index``. The first ones go through the corner classes in turn."""
    rng = np.random.default_rng([seed, index])
    bound = min(config.model.tokens, largest or config.model.tokens)
    size, rows = SIZES[index % len(SIZES)], config.array.geometry.m
    tokens = {
        "one": 1,
        "panel": rows,
        "panel_plus": rows + 1,
        "most": bound,
        "random": rng.integers(1, bound + 1),
    }[size]
    tokens = int(min(max(tokens, 1), bound))
    kind = VALUES[index % len(VALUES)] if index % 2 else "random"
    x = values(config.activation, kind, (tokens, config.model.width), rng)
    job = EncoderJob(x, drawn(config, rng, corners=index % 3 == 2))
    return Case(f"{index}: {tokens} tokens {size}, x {kind}", job.checked(config))
