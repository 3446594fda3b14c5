"""What a user says about transformer layers: validated, frozen, free of Amaranth and NumPy."""

import functools
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from ..array_tables import ARRAYS, Lookup, Table
from ..attention.config import LANES, MOST_BEATS, AttentionConfig, Softmax
from ..cost import MAX_BUFFER_BITS
from ..engine_table import EngineTable
from ..explain import explain
from ..fields import LayerWeightFormat, SignedOperandFormat, integer, literal, wrong
from ..formats import Format
from ..gemm_config import PES, GemmConfig, table_choice
from ..lut_config import LookupPe, LutConfig
from ..weights import NAMES, Coding, WeightFormat
from .sizes import Sizes

SUMS_STAY = {
    **{kind: array for kind, array in ARRAYS.items() if kind not in ("weight_stationary", "tree")},
    "lookup": Lookup,
}
"""Arrays to which activations come in panels of rows."""
LEAST_BITS, MOST_BITS = 4, 8
"""Of an activation; a table of functions has 2**bits entries."""


class Model(Table):
    """The sizes of the layers, and what they do."""

    width: integer(2, 1024) = Field(description="Elements of a token (d_model).")
    heads: integer(1, 64) = Field(
        description="Heads of attention; without `head` they divide the width."
    )
    hidden: integer(2, 4096) = Field(description="Elements of the hidden layer (d_ff).")
    layers: integer(1, 64) = Field(description="Layers, each with weights of its own.")
    tokens: integer(1, 4096) = Field(description="Most tokens of a job.")
    norm: literal("a norm", "layer", "rms", "none") = Field(
        "layer", description="LayerNorm; RMSNorm, which subtracts no mean; or none at all."
    )
    order: literal("an order", "post", "pre") = Field(
        "post", description="Norms behind the sums, or before attention and feed-forward."
    )
    epsilon: integer(1, 1 << 16) = Field(
        1, description="Added to a norm's variance, in squares of an activation's last place."
    )
    head: integer(1, 256) = Field(
        default_factory=lambda data: data.get("width", 1) // data.get("heads", 1) or 1,
        description="Elements of a head; `width / heads` unless given.",
    )
    kv_heads: integer(1, 64) = Field(
        default_factory=lambda data: data.get("heads", 1),
        description="Heads of keys and values, which divide `heads`; as many unless given. Fewer: "
        "grouped queries, 1: multi-query attention.",
    )
    causal: bool = Field(
        False,
        description="A decoder: a token attends to itself and those before it, and their keys and "
        "values stay for the next job.",
    )
    rotary: literal("an order of pairs", "none", "interleaved", "halves") = Field(
        "none",
        description="Rotary positions (RoPE) of queries and keys, in pairs of neighbours or of a "
        "head's halves, as Llama has them.",
    )
    rotary_base: integer(2, 1 << 30) = Field(
        10_000, description="Of the angles of `rotary`: pair i turns by base^(-2i/head) per token."
    )
    gated: bool = Field(
        False,
        description="Gated feed-forward (GLU): the function of one product, the gate, times "
        "another, as Llama has it (SwiGLU).",
    )
    context: integer(1, 1 << 16) = Field(
        default_factory=lambda data: data.get("tokens", 1),
        description="Most tokens of a decoder's sequence, over all its jobs; as `tokens` unless "
        "given.",
    )


class AttentionPart(Table):
    """The part of attention."""

    lanes: literal("a number of lanes", *LANES) = Field(
        description="Keys per cycle; they divide the array's rows."
    )
    block: integer(2, LANES[-1] * MOST_BEATS) = Field(
        default_factory=lambda data: data.get("lanes", 2),
        description="Keys between two renormalisations: `lanes` times 1, 2, 4, 8 or 16.",
    )


class Requantizers(Table):
    """What scales the results of products."""

    multiplier_stages: integer(1, 2) = Field(
        1, description="Register stages of the multiplication: 2 for a faster clock."
    )


def _usual_pe(array: Table | None) -> Table:
    return LookupPe() if isinstance(array, Lookup) else PES["mac"]()


class EncoderConfig(EngineTable):
    """A transformer's layers, as encoder or decoder; activations, weights, cache on the chip."""

    kind: Literal["encoder"] = Field(description="Which engine this is.")
    activation: SignedOperandFormat = Field(
        "int8", validate_default=True, description="Format of activations, int4 to int8."
    )
    weight: LayerWeightFormat = Field(
        "int8",
        validate_default=True,
        description="Format of weights. `lookup` arrays have `binary` (-1 and 1), `ternary` (-1, 0 "
        "and 1), int2, int3, int4, int6 and int8; all others int2 to int16.",
    )
    model: Model = Field(description="The sizes of the layers, and what they do.")
    array: table_choice("an array of this engine", SUMS_STAY) = Field(
        description="The multipliers of weights and how they are wired, or `lookup`: tables in "
        "which weights of few bits are looked up."
    )
    pe: table_choice("a PE", {**PES, "table": LookupPe}, "mac") = Field(
        default_factory=lambda data: _usual_pe(data.get("array")),
        description="What each of them is made of: `mac` unless given, and of a lookup array its "
        "table, which no other has.",
    )
    attention: AttentionPart = Field(description="The part of attention.")
    softmax: Softmax = Softmax()
    requantizers: Requantizers = Requantizers()

    @model_validator(mode="after")
    def _parts_agree(self):
        if not LEAST_BITS <= self.activation.width <= MOST_BITS:
            raise wrong(
                f"{self.activation} is no format of activations; allowed are int{LEAST_BITS} to "
                f"int{MOST_BITS}",
                "activation",
            )
        if refusal := self._array_refusal() or self._contradiction() or self._division():
            raise wrong(*refusal)
        for part in (self._gemm_tables, self._attention_tables):
            model, tables = part()
            try:
                model.model_validate(tables)
            except ValidationError as error:
                raise wrong(f"of the {tables['kind']} part: {explain(error, model)}") from None
        if (bits := self.sizes.memory_bits) > MAX_BUFFER_BITS:
            raise wrong(
                f"{bits} bits of memory are needed and at most {MAX_BUFFER_BITS} are allowed; "
                "lower layers, width, hidden, tokens or context",
                "model",
            )
        return self

    @property
    def looks_up(self) -> bool:
        """Whether weights are looked up in tables."""
        return isinstance(self.array, Lookup)

    def _array_refusal(self) -> tuple[str, str] | None:
        """What the array does not take, and where; ``None``: nothing."""
        if self.looks_up != isinstance(self.pe, LookupPe):
            own = "table" if self.looks_up else ", ".join(PES)
            return f"{self.pe.kind} is no PE of {self.array.kind}; allowed are {own}", "pe.kind"
        if self.looks_up and str(self.weight) not in NAMES:
            # Zero points are none of a layer's parameters.
            allowed = [n for n in NAMES if WeightFormat.parse(n).coding is not Coding.ASYMMETRIC]
            return f"{self.weight} is not looked up; allowed are {', '.join(allowed)}", "weight"
        if not self.looks_up and not isinstance(self.weight, Format):
            return (
                f"{self.weight} weights are looked up; set array.kind = 'lookup', or an int2 to "
                "int16",
                "weight",
            )
        return None

    @property
    def weight_format(self) -> Format | WeightFormat:
        """Of weights as the array takes them; a lookup array codes."""
        return WeightFormat.parse(str(self.weight)) if self.looks_up else self.weight

    def _contradiction(self) -> tuple[str, str] | None:
        """What of the model cannot be together, and where; ``None``: nothing."""
        model, rows = self.model, self.array.geometry.m
        if model.norm == "none" and model.order == "pre":
            return "without norms there is no order 'pre'; leave it away", "model.order"
        if model.context < model.tokens:
            return f"{model.context} is less than model.tokens, {model.tokens}", "model.context"
        if not model.causal and model.context != model.tokens:
            return "is for decoders; set model.causal = true or leave it away", "model.context"
        if model.causal and rows & (rows - 1):
            return f"{rows} is not a power of two, which a decoder's must be", "array.rows"
        return None

    def _division(self) -> tuple[str, str] | None:
        """What does not divide what it should, and where; ``None``: nothing."""
        model, g = self.model, self.array.geometry
        if "head" not in model.model_fields_set and model.width % model.heads:
            return (
                f"{model.heads} heads do not divide width, which is {model.width}; set model.head "
                "to a head's elements",
                "model.heads",
            )
        if model.heads % model.kv_heads:
            return f"{model.kv_heads} does not divide model.heads, {model.heads}", "model.kv_heads"
        for part, what, whole, where in (
            (g.n, "columns", model.head, "a head's elements, model.head"),
            (g.n, "columns", model.width, "model.width"),
            (g.n, "columns", model.hidden, "model.hidden"),
            (g.k, "k" if self.looks_up else "depth", g.n, "columns"),
        ):
            if whole % part:
                return f"{part} does not divide {where}, {whole}", f"array.{what}"
        if model.rotary != "none" and g.n % 2:
            return f"{g.n} is odd; pairs that are turned must be in a word", "array.columns"
        if g.m % self.attention.lanes:
            return (
                f"{self.attention.lanes} does not divide array.rows, which is {g.m}",
                "attention.lanes",
            )
        return None

    def _gemm_tables(self) -> tuple[type, dict]:
        model = self.model
        longest = max(model.width, model.heads * model.head, model.hidden)
        kind = "lut" if self.looks_up else "gemm"
        return {"lut": LutConfig, "gemm": GemmConfig}[kind], {
            "kind": kind,
            "name": self.name,
            "a": self.activation,
            "b": self.weight_format,
            "limits": {"m": self.sizes.covered, "n": longest, "k": longest},
            "array": self.array,
            "pe": self.pe,
            "output": {
                "mode": "requantized",
                "format": self.activation,
                "multiplier_stages": self.requantizers.multiplier_stages,
            },
        }

    def _attention_tables(self) -> tuple[type, dict]:
        model, activation = self.model, self.activation
        return AttentionConfig, {
            "kind": "attention",
            "name": self.name,
            "q": activation,
            "k": activation,
            "v": activation,
            "array": {
                "dimension": model.head,
                "lanes": self.attention.lanes,
                "block": self.attention.block,
            },
            "limits": {
                "queries": model.tokens,
                "keys": model.context,
                "kv_heads": model.kv_heads,
                "group": model.heads // model.kv_heads,
            },
            "softmax": self.softmax,
            "output": {"format": activation, "lanes": self.array.geometry.n},
        }

    @functools.cached_property
    def gemm(self) -> GemmConfig:
        """The engine of products with weights."""
        model, tables = self._gemm_tables()
        return model.model_validate(tables)

    @functools.cached_property
    def attend(self) -> AttentionConfig:
        """The engine of attention."""
        model, tables = self._attention_tables()
        return model.model_validate(tables)

    @functools.cached_property
    def sizes(self) -> Sizes:
        """The numbers that memories, walks and steps are made of."""
        model, g = self.model, self.array.geometry
        return Sizes(
            activation=self.activation,
            weight=self.weight_format,
            serial=self.looks_up and self.array.planes == "serial",
            # Digits that are zeros take no cycle.
            paced=self.array.kind != "digit_serial",
            width=model.width,
            heads=model.heads,
            kv_heads=model.kv_heads,
            head=model.head,
            hidden=model.hidden,
            layers=model.layers,
            tokens=model.tokens,
            context=model.context,
            causal=model.causal,
            rotary=model.rotary != "none",
            pre=model.order == "pre",
            normed=model.norm != "none",
            centred=model.norm == "layer",
            epsilon=model.epsilon,
            gated=model.gated,
            rows=g.m,
            columns=g.n,
            depth=g.k,
            keys=self.attention.lanes,
        )

    @property
    def macs_per_cycle(self) -> int | float:
        """Multiply-accumulates per cycle with weights; those of attention come one after."""
        return self.gemm.macs_per_cycle


TABLES: dict[str, type[Table]] = {
    "model": Model,
    "attention": AttentionPart,
    "requantizers": Requantizers,
}
"""Its own tables by their keys; ``array`` and ``pe`` are a GEMM engine's, ``softmax`` is
attention's."""
