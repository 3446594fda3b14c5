"""What hls4ml builds as it was told to, and its user hardly meant: one line each.

Read from a ModelGraph, like :mod:`.reading`, so that this file needs no hls4ml. Nothing here is
refused: results are bit-exact with hls4ml's emulation, only far from the model's.
"""

from ..errors import plain
from ..fixed import Fixed, FixedRounding
from .reading.common import fixed

STEP = 0.5
"""A softmax whose table sees its inputs in steps of more is hardly one."""
ENTRIES = 16
"""Fewest entries of a table of reciprocals."""

_SCALES = ("ApplyAlpha", "BatchNormalization", "QBatchNormalization", "Reshape", "Flatten",
           "Transpose")  # fmt: skip
"""What lies between an input and its quantiser (QONNX: a scale that is no power of two)."""


def advice(model) -> list[str]:
    """Warnings about a ModelGraph whose ``optimize`` flow has run; none, if all is well."""
    nodes = list(model.get_layers())
    return [
        *(line for each in nodes if each.class_name in ("Input", "InputLayer")
          for line in _truncated(each, nodes)),
        *(line for each in nodes if each.class_name == "Softmax" for line in _softmax(each)),
    ]  # fmt: skip


def _truncated(node, nodes) -> list[str]:
    """An input that is truncated before a quantiser rounds it: QONNX's, whose type is the default.

    Truncating first is harmless where a half is then rounded up: the bits that decide are there.
    """
    own = _result(node)
    if own is None or own.rounding is not FixedRounding.TRN:
        return []
    lines = []
    for reader, direct in _quantisers(node, nodes):
        to = _result(reader)
        rounding = getattr(reader, "RND", None) or (to and to.rounding.value)
        harmless = direct and to and rounding == "RND" and to.fraction < own.fraction
        if rounding not in (None, "TRN", "TRN_ZERO") and not harmless:
            lines.append(
                f"layer {plain(node.name)} ({plain(node.class_name)}): its type {own} truncates "
                f"inputs before {plain(reader.name)} rounds them ({rounding}); give it a type in "
                "hls_config that holds them, or round inputs first"
            )
    return lines


def _quantisers(node, nodes):
    """The first quantisers behind ``node``, and whether nothing lies between."""
    waiting, seen = [(node, True)], set()
    while waiting:
        source, direct = waiting.pop()
        for reader in nodes:
            if reader.name in seen or not set(reader.inputs) & set(source.outputs):
                continue
            seen.add(reader.name)
            if reader.class_name in _SCALES:
                waiting.append((reader, direct and "Reshape" in reader.class_name))
            elif "Quantizer" in reader.class_name or reader.get_attr("activation") == "linear":
                yield reader, direct


def _softmax(node) -> list[str]:
    """hls4ml's tables: exp's is read with the top bits of ``max(x) - x`` (``softmax_stable``)."""
    where, lines = f"layer {plain(node.name)} (Softmax)", []
    precision = getattr(getattr(node.get_input_variable(), "type", None), "precision", None)
    size = node.get_attr("exp_table_size") or node.get_attr("table_size")
    integer = getattr(precision, "integer", None)
    if size and integer is not None:
        step = 2.0 ** (int(integer) - 1) / int(size)
        if step > STEP:
            lines.append(
                f"{where}: its inputs, {plain(precision)}, are seen by a table of {int(size)} "
                f"entries in steps of {step:g}, which is too coarse; give the layer before it a "
                "result type of fewer integer bits in hls_config, or leave the Softmax out"
            )
    entries = node.get_attr("inv_table_size")
    if entries and int(entries) < ENTRIES:
        lines.append(
            f"{where}: its table of reciprocals has {int(entries)} entries, with which results are "
            f"mostly zeros; give it inv_table_size of at least {ENTRIES}"
        )
    return lines


def _result(node) -> Fixed | None:
    try:
        return fixed(node, node.get_output_variable().type.precision, "result")
    except ValueError:  # refused by reading, with the reason
        return None
