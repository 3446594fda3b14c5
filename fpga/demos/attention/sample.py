"""Makes ``sample.npz``: ``python -m matweave.fpga.demos.attention.sample``; needs scikit-learn.

The model is trained as :mod:`.training` does it, calibrated on the training images, and the golden
model says what the engine must give.
"""

import numpy as np

from matweave.sim.golden import transformer as golden
from matweave.sim.transformer import floating, store
from matweave.sim.transformer.calibration import calibrate

from ..digits.network import digits
from ..digits.sample import packed
from .host import SAMPLE, engine
from .training import logits, tokens, train

IMAGES = 128
HEAD = ("embed", "position", "head.weight", "head.bias")
"""Tensors that stay with the host."""


def contents() -> dict[str, np.ndarray]:
    """The arrays of the file by their names; see :mod:`.host`."""
    data, settings = digits(), engine()
    tensors = train(settings, data.train_images, data.train_labels)
    model = calibrate(settings, tensors, tokens(tensors, data.train_images))
    images, labels = data.images[:IMAGES], data.labels[:IMAGES]
    x = tokens(tensors, images)
    integers = model.quantised(x, settings.activation)
    numbers = golden.for_config(settings)
    results = [golden.encoder(each, model.parameters, numbers) for each in integers]
    real = logits(tensors, floating.encoder(x, tensors, settings))
    return {
        "images": images.astype(np.uint8),
        "labels": labels.astype(np.uint8),
        "results": np.array(results, np.int8),
        "float_read": real.argmax(axis=1).astype(np.uint8),
        **{name: tensors[name].astype(np.float32) for name in HEAD},
        **small(store.to_arrays(model)),
    }


def small(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Integers in as few bytes as hold them."""
    found = {}
    for name, array in arrays.items():
        if array.dtype.kind == "i" and array.size:
            types = (np.int8, np.int16, np.int32, np.int64)
            fits = (t for t in types if np.array_equal(array.astype(t), array))
            array = array.astype(next(fits))
        found[name] = array
    return found


if __name__ == "__main__":
    made = contents()
    SAMPLE.write_bytes(packed(made))
    print(f"{SAMPLE.name}: {SAMPLE.stat().st_size:,} bytes")
    print(f"float: {(made['float_read'] == made['labels']).mean():.1%} of {IMAGES} read right")
