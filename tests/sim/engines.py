"""The engines that the simulator tests share, so that each is built once."""

from matweave.hw import config as configuration
from matweave.hw.config import GemmConfig

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


def engine(name: str) -> GemmConfig:
    """A preset, or the variant of that name."""
    if name in VARIANTS:
        return configuration.load("tiny_os", [f"name='tiny_{name}'", *VARIANTS[name]])
    return configuration.load(name)
