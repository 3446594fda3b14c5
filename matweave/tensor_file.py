"""Reads the tensors of a float model from a file, in a process of its own: ``python -m
matweave.tensor_file``, see :mod:`.child`.

Takes the wanted tensors' shapes by name, and answers with an ``.npz`` of these, as float64, and
``header``, JSON: ``error``, a line, or what :func:`load` says. A tensor is read only if its shape
is the wanted.
"""

import io
import json
import os
import sys
import zipfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from matweave.hw.errors import ConfigError, UserError, plain

from . import child, llama_names

SUFFIXES = (".safetensors", ".npz", ".onnx")


def main() -> int:
    """Takes a request as JSON on standard input, answers on standard output."""
    child.limit()
    request = json.load(sys.stdin)
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # Python's libraries print, and so may those in C
    arrays, header = {}, {}
    try:
        arrays, header = load(**request)
    except UserError as error:
        header = {"error": str(error)}
    except ImportError as error:
        header = {"error": f"{plain(error)}: pip install 'matweave[weights]'"}
    except MemoryError:
        header = {"error": "out of memory while reading the tensors"}
    buffer = io.BytesIO()
    np.savez(buffer, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    answer.write(buffer.getvalue())
    answer.close()
    return 0


def load(path: str, shapes: Mapping[str, list[int]]) -> tuple[dict[str, np.ndarray], dict]:
    """The tensors by their names; and what the file says beside: ``function``, ``epsilon``, or
    which function models of its names usually have (``usual_function``).

    A file with a graph also gives ``check.x`` and ``check.y``, what that made of what in a run, or
    says why it could ``not_run``.
    """
    file = Path(path)
    readers = dict(zip(SUFFIXES, (_safetensors, _npz, _onnx), strict=True))
    if file.suffix.lower() not in readers:
        raise ConfigError(
            f"{plain(file.name)}: is not a file of tensors; allowed are {', '.join(SUFFIXES)}"
        )
    if not file.is_file():
        raise ConfigError(f"{plain(path)}: there is no such file")
    try:
        return readers[file.suffix.lower()](file, shapes)
    except (UserError, ImportError, MemoryError):
        raise
    except Exception as error:  # whatever a foreign file makes foreign code do
        line = (f"{type(error).__name__}: {error}".splitlines() or [""])[0]
        raise ConfigError(f"{plain(file.name)}: cannot be read: {plain(line)}") from None


def _safetensors(file: Path, shapes) -> tuple[dict[str, np.ndarray], dict]:
    import ml_dtypes  # noqa: F401 - NumPy knows bfloat16 by it
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as tensors:

        def shape(name):
            return tensors.get_slice(name).get_shape()

        return _named(file, list(tensors.keys()), shape, tensors.get_tensor, shapes)


def _npz(file: Path, shapes) -> tuple[dict[str, np.ndarray], dict]:
    if not zipfile.is_zipfile(file):
        raise ConfigError(f"{plain(file.name)}: is not an .npz file")
    with np.load(file, allow_pickle=False) as tensors:

        def shape(name):
            # A small file may hold any number of zeros: nothing is unpacked that is not wanted.
            with tensors.zip.open(f"{name}.npy") as member:
                version = npy.read_magic(member)
                old = version == (1, 0)
                read = npy.read_array_header_1_0 if old else npy.read_array_header_2_0
                return read(member)[0]

        return _named(file, tensors.files, shape, tensors.__getitem__, shapes)


def _named(
    file: Path, names: list[str], shape: Callable, tensor: Callable, shapes
) -> tuple[dict[str, np.ndarray], dict]:
    """Tensors by their names in a file; or by those that Llama's have."""
    before = llama_names.prefix(names)

    def read(name, wanted):
        _present(name, names, file)
        _shaped(name, shape(name), wanted)
        return _float(name, tensor(name))

    if before is None:
        _unread("", names, shapes, file)
        return {name: read(name, wanted) for name, wanted in shapes.items()}, {}
    parts = {name: llama_names.parts(name, before, shapes) for name in shapes}
    _unread(before, names, {part.name for each in parts.values() for part in each}, file)
    found = {}
    for name, (_, *rest) in shapes.items():
        # They have biases or not.
        left_out = name.endswith("bias") and not any(part.name in names for part in parts[name])
        found[name] = (
            np.zeros(shapes[name])
            if left_out
            else np.concatenate([read(part.name, [part.rows, *rest]) for part in parts[name]])
        )
    return found, {"usual_function": llama_names.FUNCTION}


def _unread(before: str, names: list[str], read: Collection[str], file: Path) -> None:
    """Refuse tensors of layers, or of a last norm, that are none of the engine's: without them it
    is another model."""
    for name in names:
        in_layers = name.startswith((f"{before}layers.", f"{before}norm."))
        if in_layers and name not in read and not name.endswith(llama_names.COMPUTED):
            raise ConfigError(
                f"{plain(file.name)}: {plain(name)}: this engine has no use for it; the file is of "
                "another model (see model.layers, model.order, model.norm, model.gated)"
            )


def _onnx(file: Path, shapes) -> tuple[dict[str, np.ndarray], dict]:
    from . import onnx_tensors

    read = onnx_tensors.read(file, shapes)
    found = {}
    for name, shape in shapes.items():
        _present(name, list(read.tensors), file)
        _shaped(name, read.tensors[name].shape, shape)
        found[name] = _float(name, read.tensors[name])
    found |= {f"check.{name}": _float(name, value) for name, value in read.check.items()}
    told = {"function": read.function, "epsilon": read.epsilon, "not_run": read.not_run}
    return found, {name: value for name, value in told.items() if value is not None}


def _present(name: str, names, file: Path) -> None:
    if name not in names:
        some = ", ".join(map(plain, names[:3])) + (", …" if len(names) > 3 else "")
        raise ConfigError(f"{plain(file.name)}: {name}: is missing; there are {some or 'none'}")


def _shaped(name: str, found, wanted) -> None:
    if list(found) != list(wanted):
        sizes = (" × ".join(map(str, each)) or "one number" for each in (found, wanted))
        raise ConfigError("{}: is {} and must be {} for this engine".format(name, *sizes))


def _float(name: str, tensor: np.ndarray) -> np.ndarray:
    if tensor.dtype.kind != "f" and tensor.dtype.name != "bfloat16":
        raise ConfigError(
            f"{name}: has elements of type {plain(tensor.dtype)}, which are no floats"
        )
    with np.errstate(over="ignore"):
        tensor = tensor.astype(np.float64)  # first: a long double may be finite only as such
    if not np.isfinite(tensor).all():
        raise ConfigError(f"{name}: has elements that are not finite")
    return tensor


if __name__ == "__main__":
    raise SystemExit(main())
