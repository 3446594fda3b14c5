"""Softmax in the ways that hls4ml has, and a better one.

hls4ml finds 1 over the sum in a table whose steps can be as wide as a quarter, so that results do
not add up to 1. ``exact`` takes tables that are as fine as an unrolled network may have.
"""

import numpy as np

from ...errors import ConfigError, nearest, plain, shown
from ...fixed import Fixed, FixedOverflow, FixedRounding
from ..layers import MAX_ENTRIES, Argmax, Layer, LegacySoftmax, Softmax
from .common import common, fixed, input_format, raw, refuse, size_of_table
from .functions import FLOAT, exp, patterns

SOFTMAX = ("model", "hls4ml", "exact")
"""What the backend's option ``softmax`` may be: HGQ2's with its own tables and all others as hls4ml
has them; all as hls4ml has them; or all with finer tables."""


def wanted_softmax(given) -> str:
    """That option; ``None`` is the first. Raises :class:`ConfigError` for another."""
    if given is not None and given not in SOFTMAX:
        allowed = f"allowed are {', '.join(SOFTMAX)}{nearest(str(given), SOFTMAX)}"
        raise ConfigError(f"softmax: {shown(given)} is none; {allowed}")
    return given or SOFTMAX[0]


def softmax(node) -> list[Layer]:
    values = common(node)
    slices = {"outer": int(node.get_attr("n_outer", 1)), "inner": int(node.get_attr("n_inner", 1))}
    implementation = str(node.get_attr("implementation", "stable")).lower()
    if implementation == "argmax":
        return [Argmax(**values, **slices)]
    wanted = wanted_softmax(node.model.config.get_config_value("Softmax"))
    if wanted == "exact":
        return [Softmax(**values, **slices, **_exact(node, values, slices))]
    if wanted == "model" and node.get_attr("_bit_exact"):  # as hls4ml marks HGQ2's
        return [Softmax(**values, **slices, **_of_hgq(node, values, slices, implementation))]
    if implementation == "legacy":
        return [LegacySoftmax(**values, **slices, **_legacy(node))]
    if implementation not in ("stable", "latency"):
        raise refuse(node, f"the implementation {plain(implementation)} is none",
                     "allowed are stable, latency, legacy, argmax")  # fmt: skip
    return [Softmax(**values, **slices, **_tables(node, implementation == "stable"))]


def _type(node, name: str) -> Fixed:
    return fixed(node, node.get_attr(f"{name}_t").precision, name)


def _sizes(node):
    """Of both tables, no more than what is looked up has values (``FixSoftmaxTableSize``)."""
    given = size_of_table(node, "table_size")
    if node.get_attr("inv_table_size") is None:
        bits = min(input_format(node).width, _type(node, "inv_table").width)
        given = min(given, 1 << bits)
    return (size_of_table(node, name, given) for name in ("exp_table_size", "inv_table_size"))


def _tables(node, stable: bool) -> dict:
    source, (exp_size, inv_size) = input_format(node), _sizes(node)
    norm = source.plain()
    if stable:
        if node.get_attr("inp_norm_t") is not None:
            norm = _type(node, "inp_norm")
        elif source.width - source.signed < 1:
            raise refuse(node, "has inputs of one bit", "give them more")
        else:
            norm = Fixed(source.width - source.signed, source.integer - source.signed, False)
            if source.signed:
                exp_size = min(inv_size, 1 << norm.width)
    # A type that nobody set is exp_table_t's.
    default = node.get_attr("inv_inp_t").name == "model_default_t"
    inv_input = _type(node, "exp_table" if default else "inv_inp")
    sign, scale = -1 if stable else 1, FLOAT(node.get_attr("exp_scale", 1.0))
    of_exp, of_inverse = _type(node, "exp_table"), _type(node, "inv_table")
    with np.errstate(divide="ignore"):
        inverse = FLOAT(1) / patterns(inv_input, inv_size)
    return {
        "stable": stable, "norm": norm,
        "exp_table": raw(exp(sign * (patterns(norm, exp_size) * scale)), of_exp),
        "exp_table_format": of_exp, "accum": _type(node, "accum"), "inv_input": inv_input,
        "inv_table": raw(inverse, of_inverse), "inv_table_format": of_inverse,
    }  # fmt: skip


def _of_hgq(node, values, slices, implementation) -> dict:
    """HGQ2's QSoftmax (``hgq/layers/softmax.py``): a value for every number that its quantisers
    leave, an exact sum, and ``1 / (sum + 1e-7)``, all in ``float``.

    hls4ml carries the quantisers, but types the sum by what its table needs. Where that quantiser
    has no bits left (a trained model may do without the division), hls4ml's own results are zero.
    """
    stable = implementation == "stable"
    norm = _type(node, "inp_norm") if stable else input_format(node).plain()
    inv_input, of_exp, of_inverse = (
        _type(node, each) for each in ("inv_inp", "exp_table", "inv_table")
    )
    for what, to in (("values that are looked up", norm), ("sums that are looked up", inv_input)):
        if 1 << to.width > MAX_ENTRIES:
            limit = MAX_ENTRIES.bit_length() - 1
            raise refuse(node, f"has {what} of {to.width} bits", f"train it with at most {limit}")
    count = int(np.prod(values["shape"])) // (slices["outer"] * slices["inner"])
    more = (count - 1).bit_length()
    scale = FLOAT((-1 if stable else 1) * node.get_attr("exp_scale", 1.0))
    distances, sums = (patterns(to, 1 << to.width) for to in (norm, inv_input))
    return {
        "stable": stable, "norm": norm,
        "exp_table": raw(exp(distances * scale), of_exp),
        "exp_table_format": of_exp,
        "accum": Fixed(of_exp.width + more, of_exp.integer + more, of_exp.signed),
        "inv_input": inv_input,
        "inv_table": raw(FLOAT(1) / (sums + FLOAT(1e-7)), of_inverse),
        "inv_table_format": of_inverse,
    }  # fmt: skip


def _legacy(node) -> dict:
    exp_size, inv_size = _sizes(node)
    to = _type(node, "table")
    x = FLOAT(16.0 * (np.arange(exp_size) - exp_size / 2.0) / exp_size)
    sums = FLOAT(64.0 * np.arange(inv_size) / inv_size)
    with np.errstate(divide="ignore"):
        inverse = np.where(sums > 0, 1.0 / np.float64(sums), 0.0)
    return {"exp_table": raw(exp(x), to), "inv_table": raw(inverse, to), "table_format": to}


def _exact(node, values, slices) -> dict:
    """Distances in full, of which the highest 12 bits are looked up; ``exp`` and ``1/x`` rounded
    to nearest with 18 bits; the sum rounded to the 12 bits of its table, so that a softmax of n
    values is right to 2**-(13 - bits of n)."""
    source = input_format(node)
    count = int(np.prod(values["shape"])) // (slices["outer"] * slices["inner"])
    norm = Fixed(source.width, source.integer, False)
    modes = FixedRounding.RND, FixedOverflow.SAT
    unit = Fixed(18, 1, False, *modes)
    entries = MAX_ENTRIES.bit_length() - 1
    total = count.bit_length()
    accum = Fixed(unit.fraction + total, total, False)
    inv_input = Fixed(entries, total, False, *modes)
    distance = np.float64(patterns(norm, 1 << min(norm.width, entries)))
    sums = np.float64(patterns(inv_input, MAX_ENTRIES))
    scale = float(node.get_attr("exp_scale", 1.0))
    return {
        "stable": True, "norm": norm, "exp_table": raw(np.exp(-scale * distance), unit),
        "exp_table_format": unit, "accum": accum, "inv_input": inv_input,
        "inv_table": raw(1 / np.maximum(sums, 1.0), unit), "inv_table_format": unit,
    }  # fmt: skip
