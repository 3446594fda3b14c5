"""Makes ``sample.npz``: ``python -m matweave.fpga.demos.digits.sample``.

The network is trained as :mod:`.network` does it, and the golden model says what it gives.
"""

import io
import zipfile

import numpy as np

from matweave.sim.golden import gemm

from .host import SAMPLE, SCALE
from .inference import classify, engine
from .network import digits, train

IMAGES = 256
ENTRY = (1980, 1, 1, 0, 0, 0)
"""When each entry was written: always then, so that the same contents are the same bytes."""


def contents() -> dict[str, np.ndarray]:
    """The arrays of the file by their names; see :mod:`.host`."""
    data = digits()
    network, settings = train(data), engine()
    images = data.images[:IMAGES]
    golden = gemm.for_config(settings)
    found = classify(network.layers, images, golden, settings.limits.m)
    arrays = {"images": images.astype(np.uint8), "labels": data.labels[:IMAGES].astype(np.uint8)}
    for number, (layer, output) in enumerate(zip(network.layers, found.outputs, strict=True)):
        arrays[f"weights_{number}"] = layer.weights.astype(np.int8)
        arrays[f"bias_{number}"] = layer.bias.astype(np.int32)
        arrays[f"output_{number}"] = output.astype(np.int32)
        if layer.multiplier is not None:
            arrays |= {f"{name}_{number}": np.asarray(getattr(layer, name)) for name in SCALE}
    return arrays


def packed(arrays: dict[str, np.ndarray]) -> bytes:
    """As NumPy's ``savez_compressed``, without the time of writing."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            entry = io.BytesIO()
            np.save(entry, array, allow_pickle=False)
            information = zipfile.ZipInfo(f"{name}.npy", ENTRY)
            information.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(information, entry.getvalue())
    return file.getvalue()


if __name__ == "__main__":
    SAMPLE.write_bytes(packed(contents()))
    print(f"{SAMPLE.name}: {SAMPLE.stat().st_size:,} bytes")
