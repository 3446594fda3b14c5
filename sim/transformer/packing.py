"""The streams of an encoder's model: blocks of weights, words of parameters."""

import numpy as np

from matweave.hw.transformer.config import EncoderConfig

from .. import layout
from ..golden.transformer import Dense, Layer, Parameters, SumNorm


def weight_beats(
    config: EncoderConfig, parameters: Parameters, fill: layout.Fill = None
) -> np.ndarray:
    """Beats of stream B, (beats, bytes): of all products in their order; ``fill`` as in
    :mod:`..layout`."""
    gemm = config.gemm
    return np.concatenate(
        [
            layout.pack_b(dense.weights, gemm.geometry, gemm.b, fill, serial=gemm.serial)
            for layer in parameters.layers
            for dense in layer.products
        ]
    )


def parameter_words(parameters: Parameters) -> np.ndarray:
    """Beats of stream P, (words, 4 bytes): the table, angles, then the steps' in their order."""
    words = list(parameters.table)
    if parameters.angles is not None:
        cosines, sines = (parameters.angles[:, :, part].ravel() for part in (0, 1))
        words += list((cosines & 0xFFFF) | (sines & 0xFFFF) << 16)
    if parameters.first is not None:
        words += _norm(parameters.first)
    for layer in parameters.layers:
        words += _layer(layer)
    return (np.array(words, np.int64) & 0xFFFF_FFFF).astype("<u4").view(np.uint8).reshape(-1, 4)


def _layer(layer: Layer) -> list[int]:
    scales = (layer.logit, layer.scale)
    return [
        *_dense(layer.q),
        *_dense(layer.k),
        *_dense(layer.v),
        *(number for scale in scales for number in (scale.multiplier, scale.shift)),
        *_dense(layer.output),
        *_norm(layer.norm_attention),
        *([] if layer.gate is None else _dense(layer.gate)),
        *_dense(layer.up),
        *([] if layer.gated is None else [layer.gated.multiplier, layer.gated.shift, 0, 0]),
        *_dense(layer.down),
        *_norm(layer.norm_hidden),
    ]


def _dense(dense: Dense) -> list[int]:
    return list(np.stack([dense.bias, dense.multiplier, dense.shift], axis=1).ravel())


def _norm(step: SumNorm) -> list[int]:
    channels = np.stack([step.gain, step.bias], axis=1).ravel()
    return [step.of_x, step.of_y, step.shift, step.gain_shift, *channels]
