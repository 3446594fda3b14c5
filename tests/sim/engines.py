"""The engines that the simulator tests share, so that each is built once."""

from matweave.hw import config as configuration
from matweave.hw.engine_table import EngineTable

KINDS = ("tiny_os", "tiny_ws", "tiny_matrix", "tiny_tree", "tiny_cube", "tiny_opt4c", "tiny_opt3")
"""One small engine per kind of array, and one whose PEs search by themselves."""

VARIANTS = {
    "booth_unsigned": ["pe.kind='booth'", "a='uint6'", "b='int5'", "output.rounding='half_even'"],
    "wide": ["a='int16'", "b='uint16'", "limits.k=5", "output.format='int16'"],
    "saturating": ["accumulator={width=17,overflow='saturate'}", "output.scale='tensor'"],
    "wrapping": ["accumulator={width=16,overflow='wrap'}", "output.rounding='floor'"],
    "raw": ["output.mode='raw'", "a='int2'", "b='uint2'", "array.rows=1", "array.tile_rows=1"],
    "requantized": ["output.mode='requantized'", "output.format='uint4'"],
    "tflite": ["output.rounding='tflite_double'", "array.columns=1", "array.tile_columns=1"],
    "one_tile": ["array.tile_rows=2", "array.tile_columns=3", "output.rounding='truncate'"],
}
"""Output-stationary engines, each different in several ways at once."""

PACKED = {
    "packed_attention": ["cache.k='int4'", "cache.v='int2'", "cache.k_group=4", "cache.v_group=2"],
    "packed_attention_wide": ["cache.k='int2'", "cache.v='int4'", "cache.k_group=8",
                              "cache.v_group=4", "array.lanes=4", "masks.keys=false"],
}  # fmt: skip
"""Attention engines with packed caches, whose groups are shorter than a query's keys and longer."""


def engine(name: str) -> EngineTable:
    """A preset, or the variant of that name."""
    if name in VARIANTS:
        return configuration.load("tiny_os", [f"name='tiny_{name}'", *VARIANTS[name]])
    if name in PACKED:
        return configuration.load("tiny_attention", [f"name='tiny_{name}'", *PACKED[name]])
    return configuration.load(name)
