"""Makes ``sample.npz``: ``python -m matweave.fpga.demos.lut_gemv.sample``; needs gguf, and
scikit-learn, which has the images.

A network of 64 pixels, 64 hidden units and 10 digits is trained in float, and its weights quantised
to Q4_0 blocks by the ``gguf`` package, whose dequantised weights say what the layers must give.
"""

from fractions import Fraction

import numpy as np
from sklearn.neural_network import MLPClassifier

from ..digits.network import PIXEL_SCALE, digits
from ..digits.sample import packed
from .host import SAMPLE, classified, hidden

HIDDEN = 64
IMAGES = 256
SEED = 1


def contents() -> dict[str, np.ndarray]:
    """The arrays of the file by their names; see :mod:`.host`."""
    data = digits()
    classifier = MLPClassifier((HIDDEN,), random_state=SEED, max_iter=500, alpha=0.01,
                               learning_rate_init=0.003)  # fmt: skip
    pixels = data.train_images * PIXEL_SCALE
    classifier.fit(pixels, data.train_labels)
    (w1, w2), (b1, b2) = classifier.coefs_, classifier.intercepts_
    # 127 hidden steps to the largest activation of the training images.
    step = 127 / np.maximum(pixels @ w1 + b1, 0).max()
    arrays = {
        "images": data.images[:IMAGES].astype(np.uint8),
        "labels": data.labels[:IMAGES].astype(np.uint8),
        "scale_0": np.array(PIXEL_SCALE * step), "bias_0": b1 * step,
        "scale_1": np.array(1 / step), "bias_1": b2,
    }  # fmt: skip
    activations = arrays["images"].astype(np.int64)
    for number, weights in enumerate((w1, w2)):
        codes, scales, dequantised = quantised(weights.T)
        products = exact(activations, dequantised)
        arrays |= {f"weights_{number}": codes, f"scales_{number}": scales,
                   f"products_{number}": products}  # fmt: skip
        activations = hidden(products * arrays[f"scale_{number}"] + arrays[f"bias_{number}"])
    return arrays


def quantised(weights: np.ndarray):
    """Rows of weights as Q4_0: codes and scales, and what the package makes of them again."""
    import gguf

    kind = gguf.GGMLQuantizationType.Q4_0
    blocks = gguf.quants.quantize(weights.astype(np.float32), kind)
    dequantised = gguf.quants.dequantize(blocks, kind)
    # A block begins with its scale; with 1 in its place it gives the integers.
    each = blocks.reshape(-1, gguf.GGML_QUANT_SIZES[kind][1]).copy()
    scales = each[:, :2].copy().view("<f2").reshape(len(weights), -1)
    each[:, :2] = np.frombuffer(np.float16(1).tobytes(), np.uint8)
    codes = gguf.quants.dequantize(each.reshape(blocks.shape), kind).astype(np.int8)
    return codes, scales, dequantised


def exact(a: np.ndarray, w: np.ndarray) -> np.ndarray:
    """``a @ w.T`` in fractions, each rounded once."""
    rows = [[Fraction(float(each)) for each in row] for row in w]
    return np.array(
        [[float(sum(int(x) * y for x, y in zip(row, column, strict=True) if x)) for column in rows]
         for row in a]
    )  # fmt: skip


if __name__ == "__main__":
    made = contents()
    SAMPLE.write_bytes(packed(made))
    print(f"{SAMPLE.name}: {SAMPLE.stat().st_size:,} bytes")
    from matweave.sim.golden.gemm import for_config

    from ...engines import load as engine
    from .. import load

    settings = engine(load("lut-gemv").engine)
    golden = for_config(settings)
    print(classified(made, settings, lambda job: golden(**job.arguments())))
