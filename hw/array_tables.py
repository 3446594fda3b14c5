"""Tables of the arrays: ``[array]`` of a configuration, one for each ``kind``.

An array's table says its shape (:class:`.Geometry`) and has its bounds; the array itself is in
``hw/array/``.
"""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from . import cost
from .fields import integer, literal, wrong
from .geometry import Geometry, Stationary

MAX_SIDE = 256
"""Most rows or columns of an array."""
MAX_DEPTH = 64
"""Most products that one PE of a cube, or one tree, adds up per cycle."""
MAX_PIPELINE = 2
"""Most register stages in the product and adder path."""

Side = integer(1, MAX_SIDE)
Depth = integer(1, MAX_DEPTH)
Stages = integer(0, MAX_PIPELINE)


class Table(BaseModel):
    """A TOML table: nothing unknown in it, nothing converted, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Systolic(Table):
    kind: str
    rows: Side
    columns: Side
    tile_rows: Side
    tile_columns: Side

    @model_validator(mode="after")
    def _tile_fits(self):
        for tile, side in (("tile_rows", "rows"), ("tile_columns", "columns")):
            value, most = getattr(self, tile), getattr(self, side)
            if value > most:
                raise wrong(
                    f"{value} is more than {side}, which is {most}; allowed are 1 to {most}", tile
                )
        return self


class OutputStationary(_Systolic):
    """Systolic: each PE keeps one element of C while A moves right and B moves down."""

    title: ClassVar[str] = "systolic, C stays in the PEs"
    kind: Literal["output_stationary"]
    rows: Side = Field(description="PEs along M.")
    columns: Side = Field(description="PEs along N.")
    tile_rows: Side = Field(1, description="Rows of PEs between pipeline registers.")
    tile_columns: Side = Field(
        default_factory=lambda data: min(4, data["columns"]),
        description="Columns of PEs between pipeline registers; by default min(4, columns).",
    )

    @property
    def geometry(self) -> Geometry:
        return Geometry(Stationary.OUTPUT, self.rows, self.columns, 1)


class WeightStationary(_Systolic):
    """Systolic: each PE keeps one element of B while A moves right and partial sums move down."""

    title: ClassVar[str] = "systolic, B stays in the PEs"
    kind: Literal["weight_stationary"]
    rows: Side = Field(description="PEs along K.")
    columns: Side = Field(description="PEs along N.")
    tile_rows: Side = Field(
        default_factory=lambda data: min(4, data["rows"]),
        description="Rows of PEs between pipeline registers; by default min(4, rows).",
    )
    tile_columns: Side = Field(
        default_factory=lambda data: min(4, data["columns"]),
        description="Columns of PEs between pipeline registers; by default min(4, columns).",
    )

    @property
    def geometry(self) -> Geometry:
        return Geometry(Stationary.WEIGHT, 1, self.columns, self.rows)


class Matrix(Table):
    """Outer product: a column of A and a row of B are broadcast; each PE keeps one element of C."""

    title: ClassVar[str] = "operands broadcast, outer product"
    kind: Literal["matrix"]
    rows: Side = Field(description="PEs along M.")
    columns: Side = Field(description="PEs along N.")
    pipeline: Stages = Field(1, description="Register stages in the product path.")

    @property
    def geometry(self) -> Geometry:
        return Geometry(Stationary.OUTPUT, self.rows, self.columns, 1)


class Tree(Table):
    """Dot products: ``columns`` trees, each adding ``depth`` products; one column is 1D."""

    title: ClassVar[str] = "dot products, multipliers and an adder tree"
    kind: Literal["tree"]
    columns: Side = Field(description="Dot products side by side, along N.")
    depth: Depth = Field(description="Terms of each dot product, along K.")
    pipeline: Stages = Field(1, description="Register stages in the product and adder path.")

    @property
    def geometry(self) -> Geometry:
        return Geometry(Stationary.WEIGHT, 1, self.columns, self.depth)


class Cube(Table):
    """Three dimensions: each PE adds ``depth`` products per cycle to its element of C."""

    title: ClassVar[str] = "a matrix of small dot products"
    kind: Literal["cube"]
    rows: Side = Field(description="PEs along M.")
    columns: Side = Field(description="PEs along N.")
    depth: Depth = Field(description="Products that each PE adds per cycle, along K.")
    pipeline: Stages = Field(1, description="Register stages in the product and adder path.")

    @property
    def geometry(self) -> Geometry:
        return Geometry(Stationary.OUTPUT, self.rows, self.columns, self.depth)


class DigitSerial(Table):
    """Bit-weight serial: a row of PEs takes the digits of A one after another; sums stay."""

    title: ClassVar[str] = "digits of A one after another, C stays in the PEs"
    cost_model: ClassVar = staticmethod(cost.digit_serial)
    kind: Literal["digit_serial"]
    rows: Side = Field(description="PEs along M.")
    columns: Side = Field(description="PEs along N.")
    synchronise: literal("a way to synchronise rows", "fifo", "barrier") = Field(
        "fifo",
        description="`fifo`: rows run ahead of each other; `barrier`: they start tiles together.",
    )
    share: Side = Field(
        default_factory=lambda data: min(8, data["rows"]),
        description="Rows that share the adders at the drain; by default min(8, rows).",
    )

    @model_validator(mode="after")
    def _share_fits(self):
        if self.share > self.rows:
            raise wrong(
                f"{self.share} is more than rows, which is {self.rows}; allowed are 1 to "
                f"{self.rows}",
                "share",
            )
        return self

    @property
    def geometry(self) -> Geometry:
        return Geometry(Stationary.OUTPUT, self.rows, self.columns, 1)


class Lookup(Table):
    """M tables, each of all sums of ``k`` elements of A with signs, and N lanes at each of them."""

    title: ClassVar[str] = "weights looked up in tables of sums of A"
    kind: Literal["lookup"] = Field("lookup", description="A lookup engine has no other.")
    rows: Side = Field(description="Tables, along M.")
    columns: Side = Field(description="Lanes per table, along N.")
    k: integer(2, 6) = Field(4, description="Elements of A in a table, along K.")
    sign: integer(0, 5) = Field(
        0, description="Which of them has one sign in all entries: that of a word's sign bit."
    )
    planes: literal("an order of planes", "parallel", "serial") = Field(
        "parallel",
        description="Bits of weights: all at once, or `serial`, one per cycle, and how many and "
        "how they are coded is up to each job.",
    )

    @model_validator(mode="after")
    def _sign_fits(self):
        if self.sign >= self.k:
            raise wrong(
                f"{self.sign} is no element of {self.k}; allowed are 0 to {self.k - 1}", "sign"
            )
        return self

    @property
    def geometry(self) -> Geometry:
        return Geometry(Stationary.OUTPUT, self.rows, self.columns, self.k)


ARRAYS = {
    array.model_fields["kind"].annotation.__args__[0]: array
    for array in (OutputStationary, WeightStationary, Matrix, Tree, Cube, DigitSerial)
}
"""Array tables of a GEMM engine by their ``kind``."""
