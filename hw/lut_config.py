"""What a configuration says about a lookup engine: the tables of ``kind = "lut"``."""

import math
from typing import Literal

from pydantic import Field

from . import catalog
from .array_tables import Lookup
from .fields import ActivationFormat, SumFormat, WeightOperandFormat, integer, literal
from .floats import FP32, FloatFormat
from .formats import Overflow
from .gemm_config import Accumulator, GemmConfig, Pe, table_choice
from .weights import Coding, WeightRange

MAX_GROUPS = 256
"""Most groups of a job."""


class LookupPe(Pe):
    """A table of activation sums in which weights are looked up."""

    kind: Literal["table"] = Field("table", description="A lookup array has no other.")


class LookupAccumulator(Accumulator):
    """The running sum of products: exact of integers, of floats rounded at each addition."""

    width: literal("a width of this engine's sums", "exact") = Field(
        "exact", description="Of integers: as many bits as limits.k products can need."
    )
    format: SumFormat = Field(
        "fp32",
        validate_default=True,
        description="Of sums of floats, and of C: one that has all numbers of a.",
    )


class LutConfig(GemmConfig):
    """A matrix-multiplication engine whose weights, B, have few bits: they are looked up in tables
    of sums of A's elements."""

    kind: Literal["lut"] = Field(description="Which engine this is.")
    a: ActivationFormat = Field(
        description="Format of A. With floats, C, C₀ and bias are floats too (accumulator.format), "
        "and results raw."
    )
    b: WeightOperandFormat = Field(
        description="Format of B; `binary`: -1 and 1, `ternary`: -1, 0 and 1. With array.planes = "
        "'serial' the widest, and what WEIGHTS says after reset."
    )
    zero_points: literal("what zero points are for", "none", "channel") = Field(
        "none",
        description="`channel`: a job may subtract one number per column from B (MODE, table "
        "zero).",
    )
    groups: integer(1, MAX_GROUPS) = Field(
        1,
        description="Most groups along K of a job, each of at most limits.k and with sums, and "
        "zero points, of its own.",
    )
    array: table_choice("an array of this engine", {"lookup": Lookup}, "lookup") = Field(
        description="The tables and the lanes that look up in them."
    )
    accumulator: LookupAccumulator = LookupAccumulator()
    pe: table_choice("a PE of this engine", {"table": LookupPe}, "table") = Field(
        LookupPe(), description="What each of them is made of."
    )

    def _own_refusal(self):
        bits = 1 if self.serial else self.b.width
        beat = self.geometry.b_lanes * bits
        if beat % 8:
            whole = 8 // math.gcd(8, self.geometry.k * bits)
            return (
                f"a beat of B, {self.geometry.b_lanes} weights of {bits} bits, must be "
                f"whole bytes and has {beat} bits; make array.columns a multiple of {whole}",
                "array.columns",
            )
        if self.zero_points != "none" and self.b.coding is not Coding.ASYMMETRIC:
            return (
                f"weights of {self.b} have no zero points; allowed is 'none', or b = "
                f"'uint{self.b.width}'",
                "zero_points",
            )
        if self.floats:
            return self._float_refusal()
        if self.accumulator.format != FP32:
            return (
                f"is of sums of floats, and a is {self.a}; leave accumulator.format out",
                "accumulator.format",
            )
        return None

    def _float_refusal(self):
        """What an engine with floating-point activations has not."""
        if self.output.mode != "raw":
            return (
                f"results of {self.a} activations are not requantised; set output.mode = 'raw'",
                "output.mode",
            )
        if self.accumulator.overflow is not Overflow.WRAP:
            return (
                f"sums of {self.a} activations that are too large are infinite; leave "
                "accumulator.overflow out",
                "accumulator.overflow",
            )
        if not self.accumulator.format.contains(self.a):
            return (
                f"{self.accumulator.format} has not all numbers of {self.a}; allowed are fp32 and "
                f"{self.a}",
                "accumulator.format",
            )
        return None

    @property
    def floats(self):
        return isinstance(self.a, FloatFormat)

    @property
    def accumulator_format(self):
        return self.accumulator.format if self.floats else super().accumulator_format

    @property
    def result_format(self):
        return self.accumulator.format if self.floats else super().result_format

    @property
    def b_range(self):
        """With zero points, 0 to ``2**W``, they are subtracted; serial ones have any coding."""
        low, high = self.b.min, self.b.max
        codes = 1 << self.b.width
        if self.serial:
            low, high = -max(codes // 2, 1), codes - 1
        return WeightRange(-codes if self.subtracts_zeros else low, high)

    @property
    def serial(self):
        return self.array.planes == "serial"

    @property
    def subtracts_zeros(self):
        return self.zero_points != "none"

    @property
    def max_groups(self):
        return self.groups

    @property
    def pe_facts(self):
        return catalog.PeFacts("table", "Table lookup", (LookupPe.__doc__ or "").strip())
