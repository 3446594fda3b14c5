"""The same network by da4ml (LGPL-3.0, an optional oracle: ``pip install da4ml``)."""

import tempfile
from pathlib import Path

import numpy as np

LATENCY_CUTOFF = 5
"""da4ml's own setting of the published comparison: four stages for both models."""


def da4ml_verilog(network) -> str:
    """da4ml's Verilog of the layers (Dense, ReLU, quantisers that wrap), top module ``da``."""
    from da4ml.codegen import RTLModel
    from da4ml.trace import FixedVariableArrayInput, HWConfig, comb_trace

    inputs = FixedVariableArrayInput(network.input.size, hwconf=HWConfig(1, -1, -1))
    x = quantised(inputs, [network.input.result] * network.input.size)
    for layer in network.layers[1:]:
        kind = type(layer).__name__
        if kind == "Dense":
            weight = layer.weight * 2.0**-layer.weight_format.fraction
            x = x @ weight + layer.bias * 2.0**-layer.bias_format.fraction
        elif kind == "Relu":
            x = x.relu()
        elif kind == "Cast":
            x = quantised(x, layer.formats)
        else:
            raise ValueError(f"{layer.name}: da4ml is not asked for a {kind}")
    with tempfile.TemporaryDirectory() as folder:
        model = RTLModel(
            comb_trace(inputs, x), "da", folder, flavor="verilog", latency_cutoff=LATENCY_CUTOFF
        )
        model.write()
        texts = [path.read_text() for path in sorted(Path(folder).rglob("*.v"))]
    return "\n".join(text for text in texts if "$readmemh" not in text)  # unused tables


def quantised(x, formats):
    """``x`` in a format per value; ``None`` is zero."""
    known = [each for each in formats if each is not None]
    assert all(each.overflow.value == "WRAP" for each in known), "da4ml's quantize wraps"
    (rounding,) = {each.rounding.value for each in known}
    bits = [
        (0, 0, 0) if each is None else (each.signed, each.integer - each.signed, each.fraction)
        for each in formats
    ]
    return x.quantize(*np.array(bits, int).T, "WRAP", rounding)
