"""Reads one layer of a file of quantised weights, in a process of its own: ``python -m
matweave.weight_file``, see :mod:`.child`.

What is read is checked before it is believed: sizes against each other, codes against their
format, scales for being finite. The answer is an ``.npz`` of plain arrays (:data:`ARRAYS`) with
``header``, JSON: either ``error``, a line, or ``format``, ``group`` and ``tensor``.

GGUF blocks are laid out as in ggml's ``ggml-common.h``; GPTQ's tensors as AutoGPTQ writes them (its
``qlinear_cuda.py``), AWQ's as AutoAWQ does (its ``gemm.py``, 4 bits in the order 0 2 4 6 1 3 5 7).
"""

import io
import json
import os
import sys
from pathlib import Path

import numpy as np

from matweave.hw.errors import ConfigError, UserError, plain

from . import child

ARRAYS = ("weights", "scales", "zeros", "offsets", "order")
"""As of :class:`~matweave.sim.packed.PackedLayer`."""
LARGEST = 1 << 28
"""Weights of a layer."""
PACKAGES = {"gguf": "'matweave[weights]'", "safetensors": "'matweave[weights]'"}
LAYOUTS = ("gptq", "gptq-wrap", "gptq-v2", "awq")
"""How tensors of a safetensors file are to be read. Zero points of ``gptq`` are stored less one,
and 15 stands for 16 (of 4 bits); with ``gptq-wrap`` it stands for 0; the others' are as they are.
"""
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)


def main() -> int:
    """Takes a request as JSON on standard input, answers on standard output."""
    child.limit()
    request = json.load(sys.stdin)
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # Python's libraries print, and so may those in C
    arrays = {}
    try:
        arrays, header = load(**request)
    except UserError as error:
        header = {"error": str(error)}
    except ImportError as error:
        name = (error.name or "").partition(".")[0]
        header = {"error": f"{plain(error)}: pip install {PACKAGES.get(name, plain(name))}"}
    except MemoryError:
        header = {"error": "out of memory while reading the weights"}
    buffer = io.BytesIO()
    np.savez(buffer, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    answer.write(buffer.getvalue())
    answer.close()
    return 0


def load(path: str, tensor: str | None, layout: str | None):
    """The layer's arrays, and the header."""
    file = Path(path)
    readers = {".gguf": _gguf, ".safetensors": _safetensors}
    if file.suffix.lower() not in readers:
        raise ConfigError(
            f"{plain(file.name)}: is not a file of weights; allowed are .gguf, .safetensors, .npy"
        )
    if not file.is_file():
        raise ConfigError(f"{plain(path)}: there is no such file")
    try:
        arrays, header = readers[file.suffix.lower()](file, tensor, layout)
    except (UserError, ImportError, MemoryError):
        raise
    except Exception as error:  # whatever a foreign file makes foreign code do
        line = (f"{type(error).__name__}: {error}".splitlines() or [""])[0]
        raise ConfigError(f"{plain(file.name)}: cannot be read: {plain(line)}") from None
    for name in ("scales", "offsets"):
        if name in arrays and not np.isfinite(arrays[name]).all():
            raise ConfigError(f"{plain(header['tensor'])}: {name} are not all finite")
    return arrays, header


def _chosen(names, wanted: str | None, file: Path, what: str) -> str:
    names = list(names)
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted in names:
        return wanted
    some = ", ".join(map(plain, names[:5])) + (", …" if len(names) > 5 else "")
    about = "there are several" if wanted is None else f"{plain(wanted)} is none of them"
    raise ConfigError(
        f"{plain(file.name)}: --tensor: {about}; {what}: {some}" if names else
        f"{plain(file.name)}: has no {what}"
    )  # fmt: skip


# GGUF


def _gguf(file: Path, wanted: str | None, layout: str | None):
    if layout is not None:
        raise ConfigError("--layout: a .gguf file says itself how its tensors are laid out")
    import gguf

    tensors = {
        each.name: each
        for each in gguf.GGUFReader(file).tensors
        if each.tensor_type.name in BLOCKS and len(each.shape) == 2
    }
    name = _chosen(tensors, wanted, file, f"tensors of types {', '.join(BLOCKS)}")
    found = tensors[name]
    k, n = map(int, found.shape)
    elements, size, unpack = BLOCKS[found.tensor_type.name]
    _sized(name, n, k)
    data = np.ascontiguousarray(found.data).view(np.uint8)
    if k % elements or data.size != n * k // elements * size:
        raise ConfigError(f"{plain(name)}: has {data.size} bytes, not those of {n} × {k} weights")
    format, weights, scales, offsets = unpack(data.reshape(-1, size))
    shape = (n, k // elements)
    arrays = {"weights": weights.reshape(n, k), "scales": scales.reshape(shape)}
    if offsets is not None:
        arrays["offsets"] = offsets.reshape(shape)
    if format == "ternary" and arrays["weights"].max() > 1:
        raise ConfigError(f"{plain(name)}: a ternary weight is 2")
    return arrays, {"format": format, "group": elements, "tensor": name}


def _float16(blocks: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(blocks).view("<f2").astype(np.float64)


def _nibbles(blocks: np.ndarray) -> np.ndarray:
    """The first half of a block's elements are in the low halves of its bytes."""
    return np.concatenate([blocks & 15, blocks >> 4], axis=1).astype(np.int8)


def _q4_0(blocks):
    return "int4", _nibbles(blocks[:, 2:]) - 8, _float16(blocks[:, :2]), None


def _q4_1(blocks):
    return "uint4", _nibbles(blocks[:, 4:]), _float16(blocks[:, :2]), _float16(blocks[:, 2:4])


def _q8_0(blocks):
    return "int8", np.ascontiguousarray(blocks[:, 2:]).view(np.int8), _float16(blocks[:, :2]), None


def _tq1_0(blocks):
    """Five digits to the base 3 a byte, as fractions of 256: 32 bytes of 160, 16 of 80, and 4 of
    four digits each."""
    digits = []
    for low, high, count in ((0, 32, 5), (32, 48, 5), (48, 52, 4)):
        for place in range(count):
            fraction = (blocks[:, low:high].astype(np.int64) * 3**place) & 255
            digits.append(fraction * 3 >> 8)
    weights = np.concatenate(digits, axis=1).astype(np.int8) - 1
    return "ternary", weights, _float16(blocks[:, 52:]), None


def _tq2_0(blocks):
    """Two halves of 32 bytes, each four times 32 elements, two bits apart."""
    halves = blocks[:, :64].reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None]
    weights = (halves & 3).reshape(len(blocks), -1).astype(np.int8) - 1
    return "ternary", weights, _float16(blocks[:, 64:]), None


BLOCKS = {
    "Q4_0": (32, 18, _q4_0),
    "Q4_1": (32, 20, _q4_1),
    "Q8_0": (32, 34, _q8_0),
    "TQ1_0": (256, 54, _tq1_0),
    "TQ2_0": (256, 66, _tq2_0),
}
"""Elements of a block, its bytes, and what they say: format, weights, scales, offsets."""


# GPTQ and AWQ


def _safetensors(file: Path, wanted: str | None, layout: str | None):
    if layout not in LAYOUTS:
        raise ConfigError(f"--layout: is needed for .safetensors; allowed are {', '.join(LAYOUTS)}")
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as tensors:
        names = set(tensors.keys())
        layers = sorted(
            name.removesuffix(".qweight")
            for name in names
            if name.endswith(".qweight")
            and {f"{name.removesuffix('.qweight')}.{part}" for part in ("qzeros", "scales")}
            <= names
        )
        name = _chosen(layers, wanted, file, "layers with qweight, qzeros and scales")
        parts = ["qweight", "qzeros", "scales"]
        parts += ["g_idx"] * (f"{name}.g_idx" in names and layout != "awq")
        for part in parts:
            if np.prod(tensors.get_slice(f"{name}.{part}").get_shape()) > LARGEST:
                raise ConfigError(f"{plain(name)}.{part}: is too large")
        found = {part: tensors.get_tensor(f"{name}.{part}") for part in parts}
    for part in ("qweight", "qzeros"):
        if found[part].dtype != np.int32 or found[part].ndim != 2 or not found[part].size:
            raise ConfigError(f"{plain(name)}.{part}: must be a matrix of int32")
    if found["scales"].ndim != 2 or found["scales"].dtype.kind != "f":
        raise ConfigError(f"{plain(name)}.scales: must be a matrix of floats")
    read = _awq if layout == "awq" else _gptq
    return read(name, found, layout)


def _gptq(name: str, found: dict, layout: str):
    groups, n = found["scales"].shape
    bits = found["qzeros"].shape[1] * 32 / n
    words = len(found["qweight"])
    if bits not in (2, 3, 4, 8) or found["qweight"].shape[1] != n:
        raise ConfigError(f"{plain(name)}: qweight, qzeros and scales do not have the same columns")
    bits = int(bits)
    k = words * 32 // bits
    _sized(name, n, k)
    if words * 32 % bits or len(found["qzeros"]) != groups or k % groups:
        raise ConfigError(f"{plain(name)}: {groups} groups do not divide K, which is {k}")
    weights = _stream(found["qweight"].T, bits)
    zeros = _stream(found["qzeros"], bits).T
    if layout != "gptq-v2":
        zeros = zeros + 1
    if layout == "gptq-wrap":
        zeros &= (1 << bits) - 1
    arrays = {"weights": weights, "zeros": zeros, "scales": found["scales"].T.astype(np.float64)}
    group = k // groups
    if "g_idx" in found:
        arrays |= _in_order(name, arrays["weights"], found["g_idx"], k, group)
    return arrays, {"format": f"uint{bits}", "group": group, "tensor": name}


def _in_order(name, weights, of_group, k: int, group: int) -> dict:
    """Weights with the elements of every group side by side, and their order, unless they are."""
    if of_group.shape != (k,) or of_group.dtype.kind != "i":
        raise ConfigError(f"{plain(name)}.g_idx: must be {k} integers")
    order = np.argsort(of_group, kind="stable")
    if not np.array_equal(of_group[order], np.arange(k) // group):
        raise ConfigError(f"{plain(name)}.g_idx: must have every group {group} times")
    if np.array_equal(order, np.arange(k)):
        return {}
    return {"weights": weights[:, order], "order": order}


def _stream(words: np.ndarray, bits: int) -> np.ndarray:
    """Rows of 32-bit words as rows of codes, which follow each other from the lowest bits on;
    of 3 bits they cross words."""
    words = np.ascontiguousarray(words).astype("<i4")
    each = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")
    each = each.reshape(len(words), -1, bits).astype(np.int16)
    return (each << np.arange(bits, dtype=np.int16)).sum(axis=2, dtype=np.int16)


def _awq(name: str, found: dict, layout: str):
    groups, n = found["scales"].shape
    k = len(found["qweight"])
    _sized(name, n, k)
    if found["qweight"].shape[1] * 8 != n or found["qzeros"].shape != (groups, n // 8):
        raise ConfigError(f"{plain(name)}: qweight, qzeros and scales do not have the same columns")
    if k % groups:
        raise ConfigError(f"{plain(name)}: {groups} groups do not divide K, which is {k}")
    place = np.argsort(AWQ_ORDER)
    codes, zeros = (
        _stream(found[part], 4).reshape(-1, n // 8, 8)[:, :, place].reshape(-1, n).T
        for part in ("qweight", "qzeros")
    )
    arrays = {"weights": codes, "zeros": zeros, "scales": found["scales"].T.astype(np.float64)}
    return arrays, {"format": "uint4", "group": k // groups, "tensor": name}


def _sized(name: str, n: int, k: int) -> None:
    if n < 1 or k < 1 or n * k > LARGEST:
        raise ConfigError(f"{plain(name)}: has {n} × {k} weights; allowed are 1 to {LARGEST:,}")


if __name__ == "__main__":
    raise SystemExit(main())
