"""What the manifest says of transformer layers beside what it says of any engine."""

from ..formats import Format
from ..stream import described
from . import regmap
from .regmap import of_manifest as of_manifest
from .sizes import PARAMETER_BITS


def facts(config, engine) -> dict:
    """In JSON types. Cycles are of ``clk``; widths in bits."""
    sizes, lane, gemm = engine.sizes, config.activation.lane_width, config.gemm
    weights = sizes.columns * sizes.depth
    return {
        "streams": {
            "b": described("s_axis_b", "sink", gemm.b, weights, gemm.b_lane_width),
            "p": described("s_axis_p", "sink", Format(PARAMETER_BITS), 1, PARAMETER_BITS),
            "x": described("s_axis_x", "sink", config.activation, sizes.columns, lane),
            "y": described("m_axis_y", "source", config.activation, sizes.columns, lane),
        },
        "formats": {
            "activation": str(config.activation),
            "weight": str(config.weight),
            "accumulator": str(gemm.accumulator_format),
            "normalised": str(sizes.normalised),
        },
        "limits": {
            "tokens": sizes.tokens,
            **({"context": sizes.context} if sizes.causal else {}),
        },
        "model": {
            "weight_beats": sizes.weight_beats,
            "table_entries": sizes.entries,
            **({"angles": sizes.angles} if sizes.rotary else {}),
            "parameters": sizes.parameters,
        },
        "steps": {
            "once": [step.name for step in sizes.prologue],
            "layer": [step.name for step in sizes.body],
        },
        "memories": {
            "bits": sizes.memory_bits,
            "banks": sizes.rows,
            "depths": list(sizes.memory_depths),
            "regions": [dict(places) for places in sizes.regions],
            **({"cache": _cache(sizes)} if sizes.causal else {}),
        },
        "performance": {"macs_per_cycle": config.macs_per_cycle},
        "registers": {
            "address_width": regmap.ADDRESS_WIDTH,
            "addresses": regmap.addresses(decoder=sizes.causal),
            "tables": {},
        },
    }


def _cache(sizes) -> dict:
    """Where keys and values are: words of a bank."""
    return {
        **{name: sizes.region(name)[1] for name in sizes.cached},
        "layer": sizes.layer_words,
        "panel": sizes.kv_words,
    }
