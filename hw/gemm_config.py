"""What a configuration says about a GEMM engine: the tables of ``kind = "gemm"``, and what every
engine's have.
"""

import dataclasses
import functools
import operator
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from . import catalog, cost
from .array_tables import ARRAYS, Table
from .engine_table import EngineTable
from .errors import described
from .fields import OperandFormat, choice, integer, integer_or, literal, one_of, wrong
from .floats import FloatFormat
from .formats import Format, Overflow, Rounding, accumulator_width, lane_width
from .geometry import Geometry
from .weights import WeightFormat, WeightRange

MAX_LIMIT = 65_536
"""Largest M, N or K."""
MIN_ACCUMULATOR, MAX_ACCUMULATOR = 2, 48
"""Bounds in bits of an accumulator whose width is given."""


BIAS = Format(32)
"""An element of bias beside integers."""

Limit = integer(1, MAX_LIMIT)


class Limits(Table):
    """The largest sizes of a job: C[m, n] = A[m, k] · B[k, n]."""

    m: Limit = Field(description="Most rows of A and C.")
    n: Limit = Field(description="Most columns of B and C.")
    k: Limit = Field(description="Most columns of A and rows of B.")


class Pe(Table):
    """The multiply-accumulate variant in every cell of the array; one table for each variant."""

    kind: str

    @property
    def options(self) -> dict:
        """All keys but ``kind``: the keyword arguments of the PE."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "kind"}


def _pe_table(facts: catalog.PeFacts) -> type[Pe]:
    fields = {"kind": (Literal[facts.name], Field(facts.name, description="The default is mac."))}
    for name, option in facts.options.items():
        values = literal(f"a value of {name}", *option["allowed"])
        default = Field(option["default"], description=option["description"])
        fields[name] = (values, default)
    table = create_model(f"{facts.name.capitalize()}Pe", __base__=Pe, **fields)
    table.__doc__ = f"{facts.title}. {facts.summary}"
    return table


PES: dict[str, type[Pe]] = {facts.name: _pe_table(facts) for facts in catalog.pes().values()}
"""PE tables by their ``kind``."""


def _table_of(what: str, tables: Mapping[str, type[Table]], default: str | None = None):
    """A validator that refuses what Pydantic could not choose one of ``tables`` by."""

    def check(value: object) -> object:
        if isinstance(value, Table):
            return value
        if not isinstance(value, dict):
            raise wrong(f"must be a table, not {described(value)}")
        if "kind" not in value:
            if default is None:
                raise wrong(f"is missing; allowed are {', '.join(tables)}", "kind")
            return {"kind": default, **value}
        try:
            one_of(what, lambda: tables)(value["kind"])
        except PydanticCustomError as error:
            raise wrong(error.message(), "kind") from None
        return value

    return BeforeValidator(check)


def table_choice(what: str, tables: Mapping[str, type[Table]], default: str | None = None):
    """The type of one of ``tables``, by its ``kind``; ``default``: where that is missing."""
    union = functools.reduce(operator.or_, tables.values())
    if len(tables) == 1:
        return Annotated[union, _table_of(what, tables, default)]
    return Annotated[union, Field(discriminator="kind"), _table_of(what, tables, default)]


class Accumulator(Table):
    """The running sum of products."""

    width: integer_or("exact", MIN_ACCUMULATOR, MAX_ACCUMULATOR) = Field(
        "exact",
        description="Bits, at least the widths of a and b together; `exact`: as many as limits.k "
        "products can need.",
    )
    overflow: choice(Overflow, "an overflow") = Field(
        Overflow.WRAP, description="What a sum that leaves the accumulator or the result does."
    )


class Output(Table):
    """What happens to a finished sum."""

    mode: literal("an output mode", "raw", "requantized", "both") = Field(
        "both", description="`both`: each job chooses."
    )
    format: OperandFormat = Field(
        "int8", validate_default=True, description="Of a requantised element."
    )
    rounding: choice(Rounding, "a rounding") = Field(
        Rounding.HALF_UP, description="Of the scaled sum."
    )
    scale: literal("a scale", "channel", "tensor") = Field(
        "channel", description="One multiplier and shift per column of C, or one for all."
    )
    multiplier_stages: integer(1, 2) = Field(
        1,
        description="Register stages of the multiplication: 2 for a faster clock, products of 16 "
        "by 16 bits first.",
    )


class GemmConfig(EngineTable):
    """A matrix-multiplication engine: C = requantise(A · B + C₀ + bias)."""

    kind: Literal["gemm"] = Field(description="Which engine this is.")
    a: OperandFormat = Field(description="Format of A.")
    b: OperandFormat = Field(description="Format of B.")
    limits: Limits = Field(description="The largest sizes of a job.")
    array: table_choice("an array", ARRAYS) = Field(
        description="The multipliers and how they are wired."
    )
    pe: table_choice("a PE", PES, "mac") = Field(
        PES["mac"](), description="What each of them is made of."
    )
    accumulator: Accumulator = Accumulator()
    output: Output = Output()

    @model_validator(mode="after")
    def _parts_agree(self):
        if refusal := self._own_refusal():
            raise wrong(*refusal)
        width, products = self.accumulator.width, self.a.width + self.b.width
        if width != "exact" and width < products:
            raise wrong(
                f"{width} bits do not hold one product of {self.a} and {self.b}; "
                f"allowed are 'exact' and {products} to {MAX_ACCUMULATOR}",
                "accumulator.width",
            )
        if (
            self.output.mode != "raw"
            and self.output.rounding is Rounding.TFLITE_DOUBLE
            and self.result_format.width != 32
        ):
            raise wrong(
                f"tflite_double is defined for 32-bit results only, and an accumulator of "
                f"{self.accumulator_format.width} bits needs {self.result_format.width}; allowed "
                "are the other roundings, or an accumulator of at most 32 bits",
                "output.rounding",
            )
        if refusal := self.cost.refusal():
            table, reason = refusal
            raise wrong(reason, table)
        return self

    def _own_refusal(self) -> tuple[str, str] | None:
        """What does not fit together in this kind of engine, and where; ``None``: nothing."""
        width = self.accumulator.width
        reason = catalog.refusal(
            self.pe.kind,
            self.array.kind,
            None if width == "exact" else width,
            self.accumulator.overflow,
        )
        return (reason, "pe.kind") if reason else None

    @property
    def geometry(self) -> Geometry:
        """The block of the GEMM that the array takes per cycle."""
        return self.array.geometry

    @property
    def pe_facts(self) -> catalog.PeFacts:
        """What is known of the PE."""
        return catalog.pes()[self.pe.kind]

    @functools.cached_property
    def accumulator_format(self) -> Format:
        """Signed; if exact, the narrowest that holds any sum of ``limits.k`` products."""
        width = self.accumulator.width
        return Format(
            accumulator_width(self.a, self.b_range, self.limits.k) if width == "exact" else width
        )

    @property
    def b_range(self) -> Format | WeightRange:
        """What is multiplied with A: B's least and largest element."""
        return self.b

    @property
    def serial(self) -> bool:
        """Whether B comes bit after bit, in the format that a job says."""
        return False

    @property
    def b_lane_width(self) -> int:
        """Bits of a lane of a beat of B."""
        return 1 if self.serial else self.b.lane_width

    @property
    def subtracts_zeros(self) -> bool:
        """Whether a job may subtract zero points from B."""
        return False

    @property
    def max_groups(self) -> int:
        """Most groups of K in a job."""
        return 1

    def b_beats(self, b: Format | WeightFormat) -> int:
        """Beats of B per block, where its elements are of format ``b``."""
        return b.width if self.serial else 1

    @property
    def macs_per_cycle(self) -> int | float:
        """Peak multiply-accumulates per cycle with B of the configured format."""
        peak = self.geometry.macs / self.b_beats(self.b)
        return int(peak) if peak == int(peak) else peak

    @property
    def result_format(self) -> Format:
        """Of a raw element of C, and of C₀: signed, 32 or 64 bits."""
        return Format(lane_width(max(32, self.accumulator_format.width)))

    @property
    def bias_format(self) -> Format | FloatFormat:
        """Of an element of bias, a word of its table."""
        return self.result_format if self.floats else BIAS

    @property
    def floats(self) -> bool:
        """Whether A, and with it sums, C, C₀ and bias, are floating-point numbers."""
        return False

    @property
    def cost(self) -> cost.Cost:
        # Groups are as much memory as so many blocks along K.
        k = -(-self.limits.k // self.geometry.k) * self.geometry.k * self.max_groups
        limits = (self.limits.m, self.limits.n, k if self.max_groups > 1 else self.limits.k)
        model = getattr(self.array, "cost_model", cost.gemm)
        found = model(
            self.geometry, self.a, self.b, self.accumulator_format, self.result_format, limits
        )
        zeros = self.subtracts_zeros * self.max_groups * self.limits.n * (self.b.width + 1)
        return dataclasses.replace(found, buffer_bits=found.buffer_bits + zeros)
