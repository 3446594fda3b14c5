"""What a user says about an attention engine: validated, frozen, free of Amaranth and NumPy."""

import functools
from enum import Enum
from typing import Literal

from pydantic import Field, model_validator

from ..array_tables import Table
from ..cost import MAX_MULTIPLIERS, MAX_STREAM_BITS
from ..engine_table import EngineTable
from ..fields import OperandFormat, choice, integer, literal, wrong
from ..formats import Rounding
from .shape import Shape

LANES = (2, 4, 8, 16, 32, 64)
MOST_BEATS = 16
"""Beats of a block."""


class Heads(Table):
    """The keys that are compared with a query per cycle."""

    dimension: integer(2, 256) = Field(description="Elements of a head.")
    lanes: literal("a number of lanes", *LANES) = Field(description="Keys per cycle.")
    block: integer(2, 64 * MOST_BEATS) = Field(
        default_factory=lambda data: data.get("lanes", 2),
        description="Keys between two renormalisations: `lanes` times 1, 2, 4, 8 or 16.",
    )

    @model_validator(mode="after")
    def _blocks_are_whole_beats(self):
        beats = [1 << n for n in range(MOST_BEATS.bit_length())]
        allowed = [self.lanes * each for each in beats]
        if self.block not in allowed:
            raise wrong(
                f"{self.block} is no block of {self.lanes} lanes; allowed are "
                f"{', '.join(map(str, allowed))}",
                "block",
            )
        return self


class Limits(Table):
    """The largest sizes of a job."""

    queries: integer(1, 65_536) = Field(description="Most positions with queries.")
    keys: integer(1, 65_536) = Field(description="Most keys of a KV head.")
    kv_heads: integer(1, 256) = Field(16, description="Most heads of K and V.")
    group: integer(1, 256) = Field(16, description="Most query heads to each KV head.")


class Softmax(Table):
    """The integers of the softmax."""

    fraction: integer(2, 8) = Field(
        6, description="Bits of a logit after its point, of 16 in all; base 2."
    )
    exponential: integer(8, 15) = Field(12, description="Bits of an exponential.")
    reciprocal: literal("a number of bits", 9, 11, 13, 15) = Field(
        15, description="Bits of the reciprocal of a row's total."
    )
    dither: bool = Field(
        True,
        description="Exponentials are rounded at places that differ by lane, so that the sum of "
        "small ones is kept.",
    )


class Result(Table):
    """What a finished query gives."""

    format: OperandFormat = Field("int8", validate_default=True, description="Of an element.")
    lanes: integer(1, 256) = Field(description="Elements per beat; they divide the dimension.")
    rounding: choice(Rounding, "a rounding") = Field(
        Rounding.HALF_UP, description="Of the scaled quotient; not tflite_double."
    )
    partial: bool = Field(
        False,
        description="A job may give states instead, to be merged: sums, total, maximum. Lanes are "
        "as wide as a sum then, and at least 2.",
    )


class Masks(Table):
    """Keys that do not count; causal and window masks are always built in."""

    keys: bool = Field(False, description="A bit per key in each beat of K, which masks it.")


class Packing(Enum):
    """How elements of a cache come: as their format says, or as codes with minima and steps."""

    PLAIN = "plain"
    INT4 = "int4"
    INT2 = "int2"

    @property
    def bits(self) -> int:
        """Of a code; 0: there are none."""
        return {"plain": 0, "int4": 4, "int2": 2}[self.value]


class Cache(Table):
    """How K and V come: packed ones are dequantised to `k` and `v` on the fly."""

    k: choice(Packing, "a packing") = Field(
        Packing.PLAIN, description="Of K: per channel, in groups of keys."
    )
    v: choice(Packing, "a packing") = Field(
        Packing.PLAIN, description="Of V: per key, in groups of channels."
    )
    k_group: integer(2, 4096) = Field(
        32, description="Keys of a group of packed K: `array.lanes` times a power of two."
    )
    v_group: integer(1, 256) = Field(
        32, description="Channels of a group of packed V; they divide `array.dimension`."
    )


class AttentionConfig(EngineTable):
    """A streaming attention engine: softmax(Q · K) · V in one pass over the keys."""

    kind: Literal["attention"] = Field(description="Which engine this is.")
    q: OperandFormat = Field("int8", validate_default=True, description="Format of Q.")
    k: OperandFormat = Field("int8", validate_default=True, description="Format of K.")
    v: OperandFormat = Field("int8", validate_default=True, description="Format of V.")
    array: Heads = Field(description="Dot products and sums side by side.")
    limits: Limits = Field(description="The largest sizes of a job.")
    softmax: Softmax = Softmax()
    output: Result = Field(description="What a finished query gives.")
    masks: Masks = Masks()
    cache: Cache = Cache()

    @model_validator(mode="after")
    def _parts_agree(self):
        lanes, dimension = self.output.lanes, self.array.dimension
        if dimension % lanes:
            allowed = [n for n in range(1, dimension + 1) if dimension % n == 0]
            raise wrong(
                f"{lanes} does not divide array.dimension, which is {dimension}; allowed are "
                f"{', '.join(map(str, allowed))}",
                "output.lanes",
            )
        if self.output.rounding is Rounding.TFLITE_DOUBLE:
            raise wrong(
                "tflite_double is two roundings, and a result is rounded once; allowed are the "
                "other roundings",
                "output.rounding",
            )
        if self.output.partial and lanes < 2:
            raise wrong("1 is too few for the total and the maximum of a state", "output.lanes")
        self._check_cache()
        multipliers = 2 * self.array.lanes * dimension
        if multipliers > MAX_MULTIPLIERS:
            raise wrong(
                f"{multipliers} multipliers are needed and at most {MAX_MULTIPLIERS} are allowed; "
                "lower lanes or dimension",
                "array",
            )
        if self.shape.sum.width > 64:
            raise wrong(
                f"sums of {self.shape.sum.width} bits are needed and at most 64 are allowed; "
                "lower limits.keys, or softmax.exponential, or v",
                "limits.keys",
            )
        widest = max(self.shape.k_width, self.shape.v_width)
        if widest > MAX_STREAM_BITS:
            raise wrong(
                f"{widest} bits in one stream are needed and at most {MAX_STREAM_BITS} are "
                "allowed; lower lanes or dimension",
                "array",
            )
        return self

    def _check_cache(self) -> None:
        cache, array = self.cache, self.array
        for name in ("k", "v"):
            format = getattr(self, name)
            if getattr(cache, name).bits and format.width > 8:
                raise wrong(
                    f"{getattr(cache, name).value} is dequantised to at most 8 bits, and {name} is "
                    f"{format}",
                    f"cache.{name}",
                )
        beats, rest = divmod(cache.k_group, array.lanes)
        if cache.k.bits and (rest or beats & (beats - 1) or not beats):
            raise wrong(
                f"{cache.k_group} is no group of {array.lanes} lanes; allowed are these times a "
                "power of two",
                "cache.k_group",
            )
        if cache.v.bits and array.dimension % cache.v_group:
            allowed = [n for n in range(1, array.dimension + 1) if array.dimension % n == 0]
            raise wrong(
                f"{cache.v_group} does not divide array.dimension, which is {array.dimension}; "
                f"allowed are {', '.join(map(str, allowed))}",
                "cache.v_group",
            )

    @functools.cached_property
    def shape(self) -> Shape:
        """The numbers of the engine."""
        return Shape(
            q=self.q,
            k=self.k,
            v=self.v,
            output=self.output.format,
            rounding=self.output.rounding,
            dimension=self.array.dimension,
            lanes=self.array.lanes,
            block=self.array.block,
            fraction=self.softmax.fraction,
            exponential=self.softmax.exponential,
            reciprocal=self.softmax.reciprocal,
            dither=self.softmax.dither,
            max_queries=self.limits.queries,
            max_keys=self.limits.keys,
            max_kv_heads=self.limits.kv_heads,
            max_group=self.limits.group,
            output_lanes=self.output.lanes,
            key_masks=self.masks.keys,
            partial=self.output.partial,
            k_bits=self.cache.k.bits,
            v_bits=self.cache.v.bits,
            k_group=self.cache.k_group if self.cache.k.bits else 0,
            v_group=self.cache.v_group if self.cache.v.bits else 0,
        )

    @property
    def macs_per_cycle(self) -> int:
        """Multiply-accumulates per cycle, of Q · K and of P · V."""
        return 2 * self.array.lanes * self.array.dimension


TABLES: dict[str, type[Table]] = {
    "array": Heads,
    "limits": Limits,
    "softmax": Softmax,
    "output": Result,
    "masks": Masks,
    "cache": Cache,
}
"""Its tables by their keys."""
