"""The names of ``transformers``' Llama (and Mistral, Qwen2) for the tensors of a decoder.

Theirs are matrices of their own for queries, keys and values, here one; what they leave out, biases
most of all, is zeros here.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

FUNCTION = "silu"
"""Theirs, unless something else is said."""
COMPUTED = ("rotary_emb.inv_freq",)
"""Ends of names that some files have and nobody needs."""
_LAYER = {
    "self_attn.out_proj": "self_attn.o_proj",
    "linear_gate": "mlp.gate_proj",
    "linear1": "mlp.up_proj",
    "linear2": "mlp.down_proj",
    "norm1": "input_layernorm",
    "norm2": "post_attention_layernorm",
}


@dataclass(frozen=True)
class Part:
    """A tensor of the file, and which rows of the wanted one it is."""

    name: str
    rows: int


def prefix(names: Collection[str]) -> str | None:
    """What is before their names in a file that has them; else ``None``."""
    return next(
        (each for each in ("model.", "")
         if f"{each}layers.0.self_attn.q_proj.weight" in names), None
    )  # fmt: skip


def parts(name: str, before: str, shapes: Mapping[str, list[int]]) -> list[Part]:
    """What the wanted tensor ``name`` of ``shapes`` consists of, one below the other."""
    rows = shapes[name][0]
    words = name.split(".")
    if words[0] == "norm":
        return [Part(before + name, rows)]
    layer, rest = ".".join(words[:2]), ".".join(words[2:])
    joint = "self_attn.in_proj_"
    if rest.startswith(joint):
        kind = rest.removeprefix(joint)
        queries = shapes[f"{layer}.self_attn.out_proj.weight"][1]
        sizes = (queries, (rows - queries) // 2, (rows - queries) // 2)
        return [
            Part(f"{before}{layer}.self_attn.{part}_proj.{kind}", size)
            for part, size in zip("qkv", sizes, strict=True)
        ]
    part, kind = rest.rsplit(".", 1)
    return [Part(f"{before}{layer}.{_LAYER[part]}.{kind}", rows)]
