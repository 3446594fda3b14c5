"""GEMM engines: what the flow knows of :class:`~matweave.hw.config.GemmConfig`."""

from ...hw import config as configurations
from ...hw.formats import Rounding, signed_width
from ...hw.geometry import Stationary
from .engine import Configured, Multipliers

PLAIN = ("mac", "mac_edge")
"""PEs whose product is a plain ``*``, which may become a DSP block."""
KEYS = ("rows", "columns", "depth")
"""Keys of ``[array]`` that say how large an array is."""


class Gemm(Configured):
    kind = "gemm"
    configuration = configurations.GemmConfig

    @property
    def without(self) -> str:
        """Why there are no multiplications in the array, where that is so."""
        return f"PE {self.config.pe.kind} recodes an operand: it has no multiplication"

    def multipliers(self):
        """Those of the array and, where there is one, of the requantiser
        (hw/arith/requantize.py)."""
        config = self.config
        recoded = None if config.pe.kind in PLAIN else self.without
        bits = (config.a.width, config.b.width)
        found = [Multipliers("array", config.geometry.macs, bits, recoded)]
        if config.output.mode != "raw":
            lanes = config.geometry.c_lanes
            shifted_left = config.output.rounding is Rounding.TFLITE_DOUBLE
            width = (config.result_format if shifted_left else config.accumulator_format).width
            if config.output.multiplier_stages == 2:
                found.append(Multipliers("requantiser", lanes * 2 * -(-width // 16), (16, 16)))
            else:
                found.append(Multipliers("requantiser", lanes, (width, 31)))
        return found

    def faster(self, words):
        config = self.config
        pipeline = getattr(config.array, "pipeline", 2)
        tiles = getattr(config.array, "tile_columns", 1)
        if "requantiser" in words:  # it multiplies 32 by 31 bits in a cycle
            if config.output.multiplier_stages < 2:
                return "set output.multiplier_stages = 2"
            return "leave the requantiser out (output.mode = 'raw')"
        if pipeline < 2:
            return f"raise array.pipeline from {pipeline}"
        if config.pe.kind == "mac" and hasattr(config.array, "tile_columns"):
            return "set pe.kind = 'mac_edge', which has a register at the array's edge"
        if tiles > 1:
            return f"lower array.tile_columns from {tiles}"
        return "lower array.rows or array.columns"

    def smaller(self, resource, *, dsp):
        config = self.config
        if resource == "BRAM":  # of the operand that is buffered whole, as in fpga/host/gemm.py
            weight = config.geometry.stationary is Stationary.WEIGHT
            return f"lower limits.{'m' if weight else 'n'} or limits.k"
        sides = " or ".join(f"array.{key}" for key in KEYS if hasattr(config.array, key))
        return f"lower {sides}" + (", or build with --no-dsp" if dsp else "")

    def summary(self):
        config = self.config
        found = {
            "array": config.array.kind,
            "pe": config.pe.kind,
            "a": str(config.a),
            "b": str(config.b),
            "accumulator": str(config.accumulator_format),
            "output": config.output.mode,
        }
        about = (
            "{a} by {b}, array {array} of {pe} PEs, accumulator {accumulator}, output {output}"
        ).format(**found)
        return found | {"about": about}

    def performance(self, clock_mhz, fmax_mhz, baud):
        from .gemm_performance import performance

        return performance(self.config, clock_mhz, fmax_mhz, baud)

    def device(self, device):
        from ..host import GemmDevice

        return GemmDevice(device, self.config)


class Lut(Gemm):
    """The same with lookup arrays (:class:`~matweave.hw.config.LutConfig`)."""

    kind = "lut"
    configuration = configurations.LutConfig
    without = "weights are looked up in tables: there is no multiplication"

    def multipliers(self):
        """And, of zero points, one per column: by the sum of a row's activations. Of floats, by
        significands, and where only weights' bits change, one for all columns."""
        config, found = self.config, super().multipliers()
        if config.floats:
            if config.subtracts_zeros or config.serial:
                count = config.geometry.n if config.subtracts_zeros else 1
                bits = (config.b.width + 2, config.result_format.fraction + 1)
                found.append(Multipliers("sums of activations", count, bits))
        elif config.subtracts_zeros:
            most = -config.limits.k * config.a.min
            bits = (config.b.width + 1, signed_width(-most, most))
            found.append(Multipliers("zero points", config.geometry.n, bits))
        return found
