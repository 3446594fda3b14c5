"""A layer of low-bit weights with scales per group, as jobs of a lookup engine.

``y[m, n] = sum over g of scale[n, g] * sum over k in g of a[m, k] * (q[n, k] - zero[n, g])``, and
``offset[n, g] * sum over k in g of a[m, k]`` more where there are offsets. Groups are runs of
``group`` elements along K. The inner sums are the engine's, exact integers, or of floating-point
activations floats; scales are the host's: floats. These are integers times powers of two, so that
the outer sum is exact (:class:`Scaled`) and rounded once.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from matweave.hw.config import GemmConfig
from matweave.hw.floats import FloatFormat
from matweave.hw.weights import Coding, WeightFormat

from .golden import lut, operands
from .golden.arithmetic import checked
from .golden.operands import Operand
from .jobs import Job


@dataclass(frozen=True)
class Part:
    """One job: columns ``n0`` to ``n1`` of the result, elements ``k0`` to ``k1``, which are of the
    groups ``g0`` to ``g1``: all of them, or a part of one."""

    n0: int
    n1: int
    k0: int
    k1: int
    g0: int
    g1: int


class NotFinite(ValueError):
    """A sum, or an activation, is infinite or NaN: floats' alone can be."""


def refusal(config) -> str | None:
    """Why the engine of ``config`` takes no layer, whatever is in it; ``None``: it does."""
    if config.kind != "lut":
        return f"{config.name} is no lookup engine: its kind is {config.kind}"
    if config.output.mode == "requantized":
        return f"{config.name} gives no sums: its output.mode is requantized"
    return None


def parts(config: GemmConfig, shape: tuple[int, int], group: int) -> Iterator[Part]:
    """The jobs of a layer (``shape``: N, K) for one block of rows: as many groups as the engine
    takes at once, or where it takes less than one, parts of each."""
    (n, k), limits = shape, config.limits
    most = config.max_groups if group <= limits.k else 1
    length = most * min(group, limits.k)
    for n0 in range(0, n, limits.n):
        n1 = min(n0 + limits.n, n)
        for g0 in range(0, k // group, most):
            g1 = min(g0 + most, k // group)
            end = g1 * group
            for k0 in range(g0 * group, end, length):
                yield Part(n0, n1, k0, min(k0 + length, end), g0, g1)


@dataclass(frozen=True, eq=False)
class PackedLayer:
    """``weights`` (N × K) numbers of ``format``; ``scales`` and, or ``None``, ``zeros`` (integers
    from 0 to ``2**W``, of asymmetric weights) and ``offsets`` (N × groups). ``order``: of the K
    columns of ``weights``, which element of an activation row each takes; ``None``: as they come.

    Raises :class:`ValueError` for what does not fit together, or is not finite.
    """

    format: WeightFormat
    weights: np.ndarray
    group: int
    scales: np.ndarray
    zeros: np.ndarray | None = None
    offsets: np.ndarray | None = None
    order: np.ndarray | None = None

    def __post_init__(self):
        weights = lut.weights("b", self.weights, self.format, (None, None))
        n, k = weights.shape
        if not 1 <= self.group <= k or k % self.group:
            raise ValueError(f"groups of {self.group} do not divide K, which is {k}")
        shape = (n, k // self.group)
        changes = {"weights": weights}
        for name in ("scales", "offsets"):
            value = getattr(self, name)
            if value is None and name == "offsets":
                continue
            value = np.asarray(value, np.float64)
            if value.shape != shape:
                raise ValueError(f"{name} must be {shape[0]} × {shape[1]}, not {value.shape}")
            if not np.isfinite(value).all():
                raise ValueError(f"{name} must be finite")
            changes[name] = value
        if self.zeros is not None:
            if self.format.coding is not Coding.ASYMMETRIC:
                raise ValueError(f"weights of {self.format} have no zero points")
            changes["zeros"] = checked("zeros", self.zeros, 0, 1 << self.format.width, shape)
        if self.order is not None:
            order = checked("order", self.order, 0, k - 1, (k,))
            if len(np.unique(order)) != k:
                raise ValueError("order must have every element of K once")
            changes["order"] = order
        for name, value in changes.items():
            object.__setattr__(self, name, value)

    @property
    def shape(self) -> tuple[int, int]:
        """N, K."""
        return self.weights.shape

    @property
    def groups(self) -> int:
        return self.shape[1] // self.group

    def refusal(self, config: GemmConfig) -> str | None:
        """Why the engine of ``config`` cannot hold these weights; ``None``: it can."""
        if reason := refusal(config):
            return reason
        if not config.serial and config.b != self.format:
            return f"weights are {self.format} and those of {config.name} are {config.b} (b)"
        if config.serial and self.format.width > config.b.width:
            return (
                f"weights have {self.format.width} bits and those of {config.name} at most "
                f"{config.b.width} (b)"
            )
        if self.zeros is not None and not config.subtracts_zeros:
            return f"weights have zero points; {config.name} needs zero_points = 'channel'"
        return None

    def parts(self, config: GemmConfig) -> Iterator[Part]:
        """The jobs of one block of rows."""
        return parts(config, self.shape, self.group)

    def b(self, part: Part) -> np.ndarray:
        """B of a job (K × N)."""
        return self.weights[part.n0 : part.n1, part.k0 : part.k1].T

    def job(self, config: GemmConfig, a: np.ndarray, part: Part, keep: bool = False) -> Job:
        """The job of ``part`` for rows ``a`` (M × K, in the layer's order); ``keep``: its weights
        are in the engine."""
        groups, zeros = part.g1 - part.g0, None
        if self.zeros is not None:
            zeros = self.zeros[part.n0 : part.n1, part.g0 : part.g1].T
            zeros = zeros if groups > 1 else zeros[0]
        return Job(
            a=a[:, part.k0 : part.k1],
            b=self.b(part),
            zeros=zeros,
            b_format=self.format if config.serial else None,
            keep_b=keep,
            groups=groups,
        )

    def multiply(
        self,
        config: GemmConfig,
        a: np.ndarray,
        run: Callable[[Job], np.ndarray],
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> "Scaled":
        """The product of ``a`` (M × K) and the layer, each weight loaded once. ``run``: C of a job
        of the engine of ``config``; ``progress``: jobs done, of how many.

        Raises :class:`NotFinite` where sums are."""
        if refusal := self.refusal(config):
            raise ValueError(refusal)
        n, k = self.shape
        a = operands.checked("a", a, config.a, (None, k))
        ordered = a if self.order is None else a[:, self.order]
        result = config.result_format
        sums = _integers(np.zeros((len(a), n, self.groups), np.int64), result)
        starts = range(0, len(a), config.limits.m)
        parts = list(self.parts(config))
        for number, part in enumerate(parts):
            for block, m0 in enumerate(starts):
                rows = slice(m0, m0 + config.limits.m)
                c = run(self.job(config, ordered[rows], part, keep=block > 0))
                c = _integers(c if part.g1 - part.g0 > 1 else c[:, None], result)
                sums[rows, part.n0 : part.n1, part.g0 : part.g1] += c.swapaxes(1, 2)
                progress(number * len(starts) + block + 1, len(starts) * len(parts))
        terms = [(sums, _unit(result))]
        if self.offsets is not None:
            activations = _integers(ordered, config.a).reshape(len(a), 1, self.groups, self.group)
            terms.append((activations.sum(axis=3), _unit(config.a)))
        return Scaled.of(self, terms)


def _unit(format: Operand) -> int:
    """All finite numbers of ``format`` are multiples of two to this power."""
    return 1 - format.bias - format.fraction if isinstance(format, FloatFormat) else 0


def _integers(values: np.ndarray, format: Operand) -> np.ndarray:
    """``values`` of ``format`` in such units."""
    if not isinstance(format, FloatFormat):
        return values
    if not np.isfinite(values).all():
        raise NotFinite(f"a sum, or an activation, is infinite or NaN in {format}")
    wide = np.ldexp(values.astype(np.float64), -_unit(format))
    return np.vectorize(int, otypes=[object])(wide)


@dataclass(frozen=True, eq=False)
class Scaled:
    """Results ``integers * 2**exponent`` (M × N, Python integers), exact."""

    integers: np.ndarray
    exponent: int

    @classmethod
    def of(cls, layer: PackedLayer, terms: list[tuple[np.ndarray, int]]) -> "Scaled":
        """``terms``: what scales, and offsets where there are any, are multiplied with: integers
        (M × N, or 1, × groups) and the power of two that they are in units of."""
        factors = [layer.scales] + [layer.offsets] * (layer.offsets is not None)
        parts = [
            (term, *np.frexp(factor), unit)
            for (term, unit), factor in zip(terms, factors, strict=True)
        ]
        least = min(int(exponent.min()) + unit for _, _, exponent, unit in parts) - 53
        integers = 0
        for term, fraction, exponent, unit in parts:
            mantissa = np.ldexp(fraction, 53).astype(np.int64).astype(object)
            scale = mantissa << (exponent + unit - 53 - least).astype(object)
            integers = integers + (term.astype(object) * scale).sum(axis=2)
        return cls(integers, least)

    def rounded(self) -> np.ndarray:
        """The nearest float64, infinite beyond the largest."""
        up, down = 1 << max(self.exponent, 0), 1 << max(-self.exponent, 0)
        values = [_quotient(each * up, down) for each in self.integers.flat]
        return np.array(values).reshape(self.integers.shape)


def _quotient(numerator: int, denominator: int) -> float:
    """Rounded once, which the conversion of a large numerator alone is not."""
    try:
        return numerator / denominator
    except OverflowError:
        return math.inf if numerator > 0 else -math.inf
