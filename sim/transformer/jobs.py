"""One job of an encoder or a decoder, and jobs drawn from a seed."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from matweave.hw.transformer.config import EncoderConfig

from ..cases import VALUES, Case, values
from ..golden import transformer as golden
from ..golden.arithmetic import checked
from ..golden.operands import lane_dtype
from ..layout import pack_rows
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
    ``load`` is false: the engine has it from a job before. Of a decoder ``past``, (tokens, width):
    those of jobs before, whose keys and values the engine has; ``None``: none."""

    x: np.ndarray
    parameters: golden.Parameters
    load: bool = True
    past: np.ndarray | None = None

    @property
    def position(self) -> int:
        """Of the first token."""
        return 0 if self.past is None else len(self.past)

    @property
    def sequence(self) -> np.ndarray:
        """All tokens from the first on."""
        return self.x if self.past is None else np.concatenate([self.past, self.x])

    def checked(self, config: EncoderConfig) -> "EncoderJob":
        """This job with integer arrays, if the engine of ``config`` can do it.

        Raises :class:`ValueError` with one line where it cannot.
        """
        activation, model = config.activation, config.model
        x = checked("x", self.x, activation.min, activation.max, (None, model.width))
        if not 1 <= len(x) <= model.tokens:
            raise ValueError(f"x has {len(x)} tokens; this engine takes 1 to {model.tokens}")
        past = self.past
        if past is not None:
            past = checked("past", past, activation.min, activation.max, (None, model.width))
            if not model.causal:
                raise ValueError("an encoder's jobs have no past")
            if self.load and len(past):
                raise ValueError(
                    "of a model that is loaded nothing is cached; there can be no past"
                )
            if len(past) + len(x) > model.context:
                raise ValueError(
                    f"{len(past)} tokens and {len(x)} more; this engine takes {model.context}"
                )
        parameters = check(config, self.parameters)
        return dataclasses.replace(self, x=x, parameters=parameters, past=past)

    def before(self, config: EncoderConfig) -> "list[EncoderJob]":
        """Jobs with which an engine that has nothing comes to have this one's past, and its
        model."""
        most = config.model.tokens
        return [
            EncoderJob(
                self.past[start : start + most],
                self.parameters,
                load=start == 0,
                past=self.past[:start] if start else None,
            )
            for start in range(0, self.position, most)
        ]

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
        model = {"b": sizes.weight_beats, "p": sizes.entries + sizes.angles + sizes.parameters}
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
        """What the golden model says of the whole sequence: the last tokens' results."""
        numbers = golden.for_config(config)
        return golden.encoder(self.sequence, self.parameters, numbers)[self.position :]

    def registers(self, config: EncoderConfig) -> list[tuple[int, int]]:
        """(address, data) of every write, the start last."""
        return [
            (int(EncoderRegister.TOKENS), len(self.x)),
            *([(int(EncoderRegister.POSITION), self.position)] if config.model.causal else []),
            (int(EncoderRegister.MODE), int(EncoderMode.LOAD * self.load)),
            (int(EncoderRegister.CONTROL), int(Control.START)),
        ]


def stream_bytes(config: EncoderConfig) -> tuple[dict[str, int], dict[str, int]]:
    """Input and output port prefixes with their bytes per beat."""
    g = config.array.geometry
    word = g.n * config.activation.lane_width // 8
    weights = g.b_lanes * config.gemm.b_lane_width // 8
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
    # Of a decoder every third job brings a model (:func:`cases`).
    corners = index % 9 == 6 if config.model.causal else index % 3 == 2
    job = EncoderJob(x, drawn(config, rng, corners=corners))
    return Case(f"{index}: {tokens} tokens {size}, x {kind}", job.checked(config))


def cases(
    config: EncoderConfig, seed: int, count: int, largest: int | None = None
) -> Iterator[Case]:
    """``count`` jobs for an engine that does them one after another. Of a decoder two of three go
    on with the sequence of the one before: by a token; or by several, from anywhere in it. Of the
    others, which begin one, every second has the model that is there."""
    before = None
    for index in range(count):
        item = case(config, seed, index, largest)
        if config.model.causal and index % 3:
            item = _following(config, before, item, np.random.default_rng([seed, index, 1]))
        elif config.model.causal and index % 2:
            job = dataclasses.replace(item.job, parameters=before.parameters, load=False)
            item = Case(f"{item.name}, model kept", job)
        before = item.job
        yield item


def _following(config: EncoderConfig, before: EncoderJob, item: Case, rng) -> Case:
    most = min(len(before.sequence), config.model.context - 1)
    one = rng.integers(2)
    position = most if one else int(rng.integers(1, most + 1))
    x = item.job.x[: 1 if one else config.model.context - position]
    past = before.sequence[:position]
    job = EncoderJob(x, before.parameters, load=False, past=past).checked(config)
    return Case(f"{item.name}, {len(x)} of them from {position} on", job)
