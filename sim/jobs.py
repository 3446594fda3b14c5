"""One job of a GEMM engine: its operands, checked, as beats and as register writes."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from matweave.hw.config import GemmConfig
from matweave.hw.formats import Format
from matweave.hw.weights import CODINGS, WeightFormat

from . import layout
from .golden import lut, operands
from .golden.arithmetic import checked
from .golden.gemm import for_config
from .golden.operands import Operand
from .golden.requantize import MULTIPLIER_MAX, SHIFT_MAX, ZERO_POINT
from .registers import GROUPS, WEIGHTS, Control, Mode, Register, tables, zero_table


@dataclass(frozen=True, eq=False)
class Job:
    """C = A · B and what is done to it; the arguments of the golden model. Arrays of floats, where
    the engine takes them, are of the numbers (float16, or float32 whose values its formats have).
    """

    a: np.ndarray
    b: np.ndarray
    c0: np.ndarray | None = None
    bias: np.ndarray | None = None
    multiplier: np.ndarray | int | None = None
    shift: np.ndarray | int | None = None
    zero_point: int = 0
    relu: bool = False
    requantize: bool = False
    zeros: np.ndarray | None = None
    b_format: WeightFormat | None = None
    keep_b: bool = False
    """Whether the engine has B already, from the job before."""
    groups: int = 1
    """Of so many the elements along K are; with several, C and C0 are M × groups × N and zeros
    groups × N."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """M, N, K (of a group)."""
        return len(self.a), self.b.shape[1], self.a.shape[1] // self.groups

    def arguments(self) -> dict:
        """For ``golden(**job.arguments())``, which need not know where B comes from."""
        names = [field.name for field in dataclasses.fields(self)]
        return {name: getattr(self, name) for name in names if name != "keep_b"}

    def checked(self, config: GemmConfig) -> "Job":
        """This job with arrays of integers, or of float32, if the engine of ``config`` can do it.

        Raises :class:`ValueError` with one line where it cannot.
        """
        _check_weights(self, config)
        a = operands.checked("a", self.a, config.a, (None, None))
        b = lut.weights("b", self.b, self.weights(config), (a.shape[1], None))
        m, n, k = len(a), b.shape[1], a.shape[1] // self.groups
        of_groups = (self.groups,) if self.groups > 1 else ()
        for name, size in (("m", m), ("n", n), ("k", k)):
            limit = getattr(config.limits, name)
            if not 1 <= size <= limit:
                raise ValueError(f"{name} is {size}; this engine takes 1 to {limit}")
        _check_mode(self, config)
        changes = {"a": a, "b": b}
        if self.zeros is not None:
            changes["zeros"] = lut.zero_points(self.zeros, self.weights(config), (*of_groups, n))
        if self.c0 is not None:
            size = (m, *of_groups, n)
            changes["c0"] = operands.checked("c0", self.c0, config.result_format, size)
        if self.bias is not None:
            changes["bias"] = operands.checked("bias", self.bias, config.bias_format, (n,))
        if self.requantize:
            changes |= self._checked_scale(config, n)
        return dataclasses.replace(self, **changes)

    def _checked_scale(self, config: GemmConfig, n: int) -> dict:
        """Multiplier and shift, one or one per column as the engine has them; zero point."""
        scale = {}
        for name, most in (("multiplier", MULTIPLIER_MAX), ("shift", SHIFT_MAX)):
            value = getattr(self, name)
            if value is None:
                raise ValueError("requantisation needs a multiplier and a shift")
            channels = config.output.scale == "channel"
            if channels and np.ndim(value) == 0:
                value = np.broadcast_to(value, (n,))
            scale[name] = checked(name, value, 0, most, (n,) if channels else ())
        zero_point = checked("zero_point", self.zero_point, ZERO_POINT.min, ZERO_POINT.max, ())
        return {**scale, "zero_point": int(zero_point)}

    def weights(self, config: GemmConfig) -> Format | WeightFormat:
        """The format of this job's B."""
        return config.b if self.b_format is None else self.b_format

    def beats(self, config: GemmConfig) -> dict[str, int]:
        """How many there are, by stream (``c0`` as ``c``)."""
        of_b = config.b_beats(self.weights(config))
        beats = config.geometry.beats(*self.shape, of_b, self.groups)
        return beats | {"b": 0} if self.keep_b else beats

    def pack(self, config: GemmConfig, fill: layout.Fill = None) -> dict[str, np.ndarray]:
        """Beats by stream."""
        geometry, (m, n, _) = config.geometry, self.shape
        parts = np.split(self.a, self.groups, axis=1)
        a = [layout.pack_a(part, geometry, config.a, fill) for part in parts]
        beats = {"a": layout.grouped(a, -(-m // geometry.m)) if self.groups > 1 else a[0]}
        if not self.keep_b:
            parts = np.split(self.b, self.groups)
            b = [self._pack_b(config, part, fill) for part in parts]
            beats["b"] = layout.grouped(b, -(-n // geometry.n)) if self.groups > 1 else b[0]
        if self.c0 is not None:
            c0 = layout.spread(self.c0, geometry) if self.groups > 1 else self.c0
            beats["c0"] = layout.pack_c0(c0, geometry, config.result_format, fill)
        return beats

    def unpack(self, config: GemmConfig, beats: np.ndarray) -> np.ndarray:
        """C from its beats. Raises :class:`.layout.LayoutError` where they cannot be it."""
        geometry, (m, n, _) = config.geometry, self.shape
        if self.groups == 1:
            return layout.unpack_c(beats, m, n, geometry, self.lane(config))
        columns = -(-n // geometry.n) * geometry.n * self.groups
        c = layout.unpack_c(beats, m, columns, geometry, self.lane(config))
        return layout.gathered(c, self.groups, n, geometry)

    def utilisation(self, config: GemmConfig, cycles: int) -> float:
        """Useful multiply-accumulates over those that the array could do in ``cycles``."""
        m, n, k = self.shape
        peak = config.geometry.macs / config.b_beats(self.weights(config))
        return m * n * k * self.groups / (peak * cycles)

    def _pack_b(self, config: GemmConfig, b: np.ndarray, fill: layout.Fill) -> np.ndarray:
        return layout.pack_b(b, config.geometry, self.weights(config), fill, serial=config.serial)

    def mode(self) -> Mode:
        mode = Mode(0)
        for flag, on in (
            (Mode.ADD_C0, self.c0 is not None),
            (Mode.ADD_BIAS, self.bias is not None),
            (Mode.REQUANTIZE, self.requantize),
            (Mode.RELU, self.relu),
            (Mode.SUBTRACT_ZEROS, self.zeros is not None),
            (Mode.KEEP_B, self.keep_b),
        ):
            mode |= flag if on else Mode(0)
        return mode

    def registers(self, config: GemmConfig) -> list[tuple[int, int]]:
        """(address, data) of every write, the start last."""
        m, n, k = self.shape
        writes = [(Register.M, m), (Register.MODE, self.mode())]
        if not self.keep_b:
            writes += [(Register.N, n), (Register.K, k)]
            writes += [(GROUPS, self.groups)] * (config.max_groups > 1)
        base = tables(config.limits.n)
        columns = {}
        if config.serial and not self.keep_b:
            weights = self.weights(config)
            code = weights.width + (CODINGS.index(weights.coding) << 4)
            writes.append((WEIGHTS, code))
        if self.zeros is not None:
            panels = -(-config.limits.n // config.geometry.n)
            stride = panels * config.geometry.n
            base["zero"] = zero_table(config.limits.n, stride * config.max_groups)
            writes += [
                (base["zero"] + 4 * (stride * group + i), value)
                for group, zeros in enumerate(np.atleast_2d(self.zeros))
                for i, value in enumerate(zeros)
            ]
        if self.bias is not None:
            columns["bias"] = operands.lanes(self.bias, config.bias_format)
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

    def expected(self, config: GemmConfig) -> np.ndarray:
        """C, as the golden model says."""
        return for_config(config)(**self.arguments())

    def lane(self, config: GemmConfig) -> Operand:
        """What a lane of C holds."""
        return config.output.format if config.output.mode == "requantized" else config.result_format


def _check_mode(job: Job, config: GemmConfig) -> None:
    built = config.output.mode
    if job.requantize and built == "raw":
        raise ValueError("this engine has no requantizer: its output.mode is raw")
    if not job.requantize and built == "requantized":
        raise ValueError("this engine gives requantized results only: its output.mode says so")


def _check_weights(job: Job, config: GemmConfig) -> None:
    if job.zeros is not None and not config.subtracts_zeros:
        raise ValueError("this engine subtracts no zero points: see zero_points")
    if not 1 <= job.groups <= config.max_groups:
        raise ValueError(f"groups is {job.groups}; this engine takes 1 to {config.max_groups}")
    if np.ndim(job.a) == 2 and np.shape(job.a)[1] % job.groups:
        raise ValueError(f"{job.groups} groups do not divide K, which is {np.shape(job.a)[1]}")
    if job.keep_b and config.kind != "lut":
        raise ValueError("this engine keeps no B: only those of kind lut do")
    if job.b_format not in (None, config.b):
        if not config.serial:
            raise ValueError(f"this engine's weights are {config.b}: its array.planes is parallel")
        if job.b_format.width > config.b.width:
            raise ValueError(
                f"weights of {job.b_format} have {job.b_format.width} bits; this engine takes 1 "
                f"to {config.b.width}"
            )


class TakesJobs:
    """Whoever has ``job(Job)`` is called as the golden model is."""

    def gemm(
        self,
        a,
        b,
        c0=None,
        bias=None,
        multiplier=None,
        shift=None,
        zero_point: int = 0,
        relu: bool = False,
        requantize: bool = False,
        zeros=None,
        b_format: WeightFormat | None = None,
        groups: int = 1,
    ):
        """Multiply: arguments as ``matweave.sim.golden.gemm`` has them, the result as ``job``.

        Raises :class:`ValueError` where they do not fit the engine.
        """
        job = Job(
            a=a, b=b, c0=c0, bias=bias, multiplier=multiplier, shift=shift,
            zero_point=zero_point, relu=relu, requantize=requantize, zeros=zeros,
            b_format=b_format, groups=groups,
        )  # fmt: skip
        return self.job(job)
