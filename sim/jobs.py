"""One job of a GEMM engine: its operands, checked, as beats and as register writes."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from matweave.hw.config import GemmConfig
from matweave.hw.formats import Format

from . import layout
from .registers import Control, Mode, Register, tables

BIAS = Format(32)
MULTIPLIER = Format(31, signed=False)
MAX_SHIFT = 62
ZERO_POINT = Format(17)


@dataclass(frozen=True, eq=False)
class Job:
    """C = A · B and what is done to it; the arguments of the golden model."""

    a: np.ndarray
    b: np.ndarray
    c0: np.ndarray | None = None
    bias: np.ndarray | None = None
    multiplier: np.ndarray | int | None = None
    shift: np.ndarray | int | None = None
    zero_point: int = 0
    relu: bool = False
    requantize: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """M, N, K."""
        return len(self.a), self.b.shape[1], self.a.shape[1]

    def arguments(self) -> dict:
        """For ``golden(**job.arguments())``."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def checked(self, config: GemmConfig) -> "Job":
        """This job with integer arrays, if the engine of ``config`` can do it.

        Raises :class:`ValueError` with one line where it cannot.
        """
        a = _array("a", self.a, config.a, 2)
        b = _array("b", self.b, config.b, 2)
        if a.shape[1] != b.shape[0]:
            raise ValueError(f"a has {a.shape[1]} columns but b has {b.shape[0]} rows")
        m, n, k = len(a), b.shape[1], a.shape[1]
        for name, size in (("m", m), ("n", n), ("k", k)):
            limit = getattr(config.limits, name)
            if not 1 <= size <= limit:
                raise ValueError(f"{name} is {size}; this engine takes 1 to {limit}")
        _check_mode(self, config)
        checked = {"a": a, "b": b}
        if self.c0 is not None:
            checked["c0"] = _array("c0", self.c0, config.result_format, 2, (m, n))
        if self.bias is not None:
            checked["bias"] = _array("bias", self.bias, BIAS, 1, (n,))
        if self.requantize:
            checked |= self._checked_scale(config, n)
        return dataclasses.replace(self, **checked)

    def _checked_scale(self, config: GemmConfig, n: int) -> dict:
        scale = {}
        for name, low, high in (("multiplier", 0, MULTIPLIER.max), ("shift", 0, MAX_SHIFT)):
            value = getattr(self, name)
            if value is None:
                raise ValueError(f"{name} is needed to requantize")
            if config.output.scale == "tensor":
                scale[name] = int(_ranged(name, value, low, high, 0))
            elif np.ndim(value) == 0:
                scale[name] = np.full(n, _ranged(name, value, low, high, 0))
            else:
                scale[name] = _ranged(name, value, low, high, 1, (n,))
        zero_point = _ranged("zero_point", self.zero_point, ZERO_POINT.min, ZERO_POINT.max, 0)
        return {**scale, "zero_point": int(zero_point)}

    def pack(self, config: GemmConfig, fill: layout.Fill = None) -> dict[str, np.ndarray]:
        """Beats by stream."""
        geometry = config.geometry
        beats = {
            "a": layout.pack_a(self.a, geometry, config.a, fill),
            "b": layout.pack_b(self.b, geometry, config.b, fill),
        }
        if self.c0 is not None:
            beats["c0"] = layout.pack_c0(self.c0, geometry, config.result_format, fill)
        return beats

    def mode(self) -> Mode:
        mode = Mode(0)
        for flag, on in (
            (Mode.ADD_C0, self.c0 is not None),
            (Mode.ADD_BIAS, self.bias is not None),
            (Mode.REQUANTIZE, self.requantize),
            (Mode.RELU, self.relu),
        ):
            mode |= flag if on else Mode(0)
        return mode

    def registers(self, config: GemmConfig) -> list[tuple[int, int]]:
        """(address, data) of every write, the start last."""
        m, n, k = self.shape
        writes = [(Register.M, m), (Register.N, n), (Register.K, k), (Register.MODE, self.mode())]
        base = tables(config.limits.n)
        columns = {}
        if self.bias is not None:
            columns["bias"] = self.bias
        if self.requantize:
            writes.append((Register.ZERO_POINT, self.zero_point))
            if config.output.scale == "tensor":
                writes.append((Register.MULTIPLIER, self.multiplier))
                writes.append((Register.SHIFT, self.shift))
            else:
                columns |= {"multiplier": self.multiplier, "shift": self.shift}
        for name, values in columns.items():
            writes += [(base[name] + 4 * i, value) for i, value in enumerate(values)]
        writes.append((Register.CONTROL, Control.START))
        return [(int(address), int(data) & 0xFFFF_FFFF) for address, data in writes]

    def lane(self, config: GemmConfig) -> Format:
        """What a lane of C holds."""
        return config.output.format if config.output.mode == "requantized" else config.result_format


def _check_mode(job: Job, config: GemmConfig) -> None:
    built = config.output.mode
    if job.requantize and built == "raw":
        raise ValueError("this engine has no requantizer: its output.mode is raw")
    if not job.requantize and built == "requantized":
        raise ValueError("this engine gives requantized results only: its output.mode says so")


def _array(name: str, value, format: Format, ndim: int, shape=None) -> np.ndarray:
    return _ranged(name, value, format.min, format.max, ndim, shape)


def _ranged(name: str, value, low: int, high: int, ndim: int, shape=None) -> np.ndarray:
    """``value`` as an integer array of so many dimensions, with nothing outside low ... high."""
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold integers, not {array.dtype}")
    if array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimensions, not {array.ndim}")
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, not {array.shape}")
    if array.size and not (low <= int(array.min()) and int(array.max()) <= high):
        worst = int(array.min()) if int(array.min()) < low else int(array.max())
        raise ValueError(f"{name} holds {worst}, which is outside {low} to {high}")
    return array
