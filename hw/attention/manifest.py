"""What the manifest says of an attention engine beside what it says of any."""

from ..formats import Format
from ..stream import described
from . import regmap
from .regmap import of_manifest as of_manifest


def facts(config, engine) -> dict:
    """In JSON types. Cycles are of ``clk``; widths in bits."""
    shape = engine.shape
    d, lanes = shape.dimension, shape.lanes
    return {
        "streams": {
            "q": described("s_axis_q", "sink", shape.q, d, shape.q.lane_width),
            "k": {
                **described("s_axis_k", "sink", shape.k, lanes * d, shape.k.lane_width),
                "mask_bits": shape.mask_bits,
                **_packed(shape.k_bits, group=shape.k_group),
            },
            "v": {
                **described("s_axis_v", "sink", shape.v, lanes * d, shape.v.lane_width),
                **_packed(shape.v_bits, group=shape.v_group),
            },
            **_groups(shape),
            "o": described("m_axis_o", "source", shape.output, shape.output_lanes, shape.o_lane),
        },
        "formats": {
            "q": str(shape.q),
            "k": str(shape.k),
            "v": str(shape.v),
            "logit": "int16",
            "exponential": str(shape.p),
            "total": f"uint{shape.total_width}",
            "sum": str(shape.sum),
            "output": str(shape.output),
        },
        "limits": {
            "queries": shape.max_queries,
            "keys": shape.max_keys,
            "kv_heads": shape.max_kv_heads,
            "group": shape.max_group,
        },
        "scales": {
            "multiplier_bits": shape.multiplier_bits,
            "max_shift": shape.max_output_shift,
        },
        "performance": {
            "macs_per_cycle": config.macs_per_cycle,
            "score_latency": shape.score_latency,
        },
        "buffers": {
            "score_beats": shape.score_depth,
            "states": shape.states,
            "output_beats": shape.output_depth,
        },
        "registers": {
            "address_width": regmap.ADDRESS_WIDTH,
            "addresses": regmap.ADDRESS,
            "tables": {},
        },
    }


def _packed(bits: int, **numbers: int) -> dict:
    """What a packed stream has beside; decision 0013 says where its bits are."""
    return {"packed": {"code_bits": bits, **numbers}} if bits else {}


def _groups(shape) -> dict:
    """The stream of K's minima and steps, where K is packed: pairs of bytes by channel."""
    if not shape.k_bits:
        return {}
    return {"g": described("s_axis_g", "sink", Format(8, False), 2 * shape.dimension, 8)}
