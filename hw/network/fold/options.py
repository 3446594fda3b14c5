"""What a user says of folding: cycles per sample, and which layers are on arrays."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral

from ...errors import ConfigError, plain, shown
from ..layers import Network
from . import matrix

STREAM = "stream"
"""The ``fold`` of networks whose samples come token by token, a pixel or time step each."""
MAX_INTERVAL = matrix.MAX_REUSE
"""Most cycles per sample."""


def cycles(network: Network, wanted: int | str | None) -> int:
    """Cycles per sample: any number for an input of one axis; of several, the first counts tokens,
    and it is a divisor or a multiple of their number. ``tokens``: one of them in each cycle;
    :data:`STREAM`: one pixel in each, which all axes but the last count; ``None``: 1. Raises
    :class:`ConfigError` for anything else."""
    shape = list(network.input.shape)
    if wanted is None:
        return 1
    if wanted == STREAM:
        return math.prod(shape[:-1])
    if wanted != "tokens" and (isinstance(wanted, bool) or not isinstance(wanted, Integral)):
        raise ConfigError(
            f"fold: must be 'tokens', 'stream' or a number of cycles, not {shown(wanted)}"
        )
    if wanted == "tokens":
        if len(shape) < 2:
            raise ConfigError(
                f"fold: an input of the shape {shape} has no tokens, which the first of several "
                "axes counts; reshape it in the model, or give a number of cycles"
            )
        return shape[0]
    if not 1 <= wanted <= MAX_INTERVAL:
        raise ConfigError(f"fold: must be 1 to {MAX_INTERVAL} cycles, not {shown(wanted)}")
    if len(shape) > 1 and shape[0] % wanted and wanted % shape[0]:
        allowed = [each for each in range(1, shape[0] + 1) if shape[0] % each == 0]
        raise ConfigError(
            f"fold: {wanted} cycles do not divide the {shape[0]} tokens of an input of the shape "
            f"{shape}; allowed are {', '.join(map(str, allowed))} and multiples of {shape[0]}"
        )
    return int(wanted)


@dataclass(frozen=True)
class Reuse:
    """Which layers are on arrays: ``layers``, by name, each in at most so many cycles, and
    ``every`` other that can be, in so many; ``pe``: what the arrays are made of
    (:func:`.matrix.pes`). Raises :class:`ConfigError` for numbers and names that are none."""

    layers: Mapping[str, int] = field(default_factory=dict)
    every: int | None = None
    pe: str = matrix.DEFAULT_PE

    def __post_init__(self):
        matrix.checked_pe(self.pe)
        for name, count in self.layers.items():
            _check(f"reuse of layer {plain(name)}", count)
        if self.every is not None:
            _check("reuse", self.every)

    @classmethod
    def of(cls, wanted: "int | Mapping[str, int] | None", pe: str = matrix.DEFAULT_PE) -> "Reuse":
        """Cycles of every layer, or by name."""
        if isinstance(wanted, Mapping):
            return cls(dict(wanted), pe=pe)
        return cls(every=wanted, pe=pe)

    @property
    def most(self) -> int:
        """Cycles of the slowest layer."""
        return max([*self.layers.values(), self.every or 1])


UNROLLED = Reuse()


def _check(what, count):
    if isinstance(count, bool) or not isinstance(count, Integral):
        raise ConfigError(f"{what}: must be a number of cycles, not {shown(count)}")
    if not 1 <= count <= MAX_INTERVAL:
        raise ConfigError(f"{what}: must be 1 to {MAX_INTERVAL} cycles, not {shown(count)}")
