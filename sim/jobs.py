"""One job of a GEMM engine: its operands, checked, as beats and as register writes."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from matweave.hw.config import GemmConfig
from matweave.hw.formats import Format

from . import layout
from .golden.arithmetic import checked
from .golden.gemm import BIAS, for_config
from .golden.requantize import MULTIPLIER_MAX, SHIFT_MAX, ZERO_POINT
from .registers import Control, Mode, Register, tables


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
        a = checked("a", self.a, config.a.min, config.a.max, (None, None))
        b = checked("b", self.b, config.b.min, config.b.max, (a.shape[1], None))
        m, n, k = len(a), b.shape[1], a.shape[1]
        for name, size in (("m", m), ("n", n), ("k", k)):
            limit = getattr(config.limits, name)
            if not 1 <= size <= limit:
                raise ValueError(f"{name} is {size}; this engine takes 1 to {limit}")
        _check_mode(self, config)
        changes = {"a": a, "b": b}
        if self.c0 is not None:
            result = config.result_format
            changes["c0"] = checked("c0", self.c0, result.min, result.max, (m, n))
        if self.bias is not None:
            changes["bias"] = checked("bias", self.bias, BIAS.min, BIAS.max, (n,))
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

    @property
    def work(self) -> int:
        """Useful multiply-accumulates."""
        m, n, k = self.shape
        return m * n * k

    def given(self, config: GemmConfig) -> dict[str, int]:
        """Beats by output stream."""
        return {"c": config.geometry.beats(*self.shape)["c"]}

    def unpack(self, config: GemmConfig, beats: dict[str, np.ndarray]) -> np.ndarray:
        """C from the beats of the output streams."""
        m, n, _ = self.shape
        return layout.unpack_c(beats["c"], m, n, config.geometry, self.lane(config))

    def expected(self, config: GemmConfig) -> np.ndarray:
        """C, as the golden model says."""
        return for_config(config)(**self.arguments())

    def lane(self, config: GemmConfig) -> Format:
        """What a lane of C holds."""
        return config.output.format if config.output.mode == "requantized" else config.result_format


def _check_mode(job: Job, config: GemmConfig) -> None:
    built = config.output.mode
    if job.requantize and built == "raw":
        raise ValueError("this engine has no requantizer: its output.mode is raw")
    if not job.requantize and built == "requantized":
        raise ValueError("this engine gives requantized results only: its output.mode says so")


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
    ):
        """Multiply: arguments as ``matweave.sim.golden.gemm`` has them, the result as ``job``.

        Raises :class:`ValueError` where they do not fit the engine.
        """
        job = Job(
            a=a, b=b, c0=c0, bias=bias, multiplier=multiplier, shift=shift,
            zero_point=zero_point, relu=relu, requantize=requantize,
        )  # fmt: skip
        return self.job(job)
