"""Reads one model file with hls4ml, in a process of its own: ``python -m matweave.model_file``.

Model files come from anywhere, and the libraries that read them are large: the command line runs
this in a child with limits on time, memory and the size of files, and takes nothing from it but the
layers as JSON (:mod:`matweave.hw.network.store`) and lines of advice. Layers that carry code
(Lambda) are refused before anything is made of them, and files that are code (pickles) unopened.
"""

import contextlib
import json
import os
import shlex
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from matweave.hw.errors import ConfigError, UserError, plain
from matweave.hw.network import store
from matweave.hw.network.advice import advice
from matweave.hw.network.reading import read

from . import child

PRECISION = "ap_fixed<16,6>"
"""Of what a model without quantisers does not say, as in hls4ml."""

PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".joblib")
"""PyTorch's files, and others that run what is in them."""

PACKAGES = {
    "hls4ml": "'matweave[networks]'",
    "h5py": "'matweave[networks]'",
    "hgq": "'matweave[keras]'",
    "jax": "'matweave[keras]'",
    "onnx": "'matweave[onnx]'",
    "qonnx": "'matweave[onnx]'",
    "onnxruntime": "'matweave[onnx]'",
    "keras": "'matweave[keras]'",
}
"""What brings a module that reads models, where it is not called as the module is."""


def main() -> int:
    """Takes a request as JSON on standard input, answers with JSON on standard output."""
    child.limit()
    request = json.load(sys.stdin)
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Python's libraries print, and so may those in C
    try:
        network, warnings = load(**request)
        result = {"network": store.to_tables(network), "warnings": warnings}
    except UserError as error:
        result = {"error": str(error)}
    except ImportError as error:
        result = {"error": f"{plain(error)}{install(error.name)}"}
    except MemoryError:
        result = {"error": "out of memory while reading the model"}
    json.dump(result, answer)
    answer.close()
    return 0


def install(module: str | None) -> str:
    """How to get a module that was not found."""
    package = (module or "").partition(".")[0]
    if not package:
        return ""
    return f": pip install {PACKAGES.get(package, shlex.quote(plain(package)))}"


def load(
    path: str, weights: str | None, precision: str | None, name: str, logits: bool,
    softmax: str | None, tables: str | None,
):  # fmt: skip
    """The layers of a model file, and what to be aware of; ``logits``: without a last Softmax;
    ``softmax``, ``tables``: the backend's options."""
    graph = load_graph(Path(path), weights=weights, precision=precision, name=name, logits=logits)
    graph.config.config |= {"Softmax": softmax, "Tables": tables}
    return read(graph), advice(graph)


def load_graph(
    path: Path,
    *,
    weights: str | None = None,
    precision: str | None = None,
    name: str = "net",
    logits: bool = False,
    layers: Mapping[str, dict] | None = None,
    backend: str = "Matweave",
    folder: str = os.devnull,
):
    """hls4ml's ModelGraph of a model file, read as its suffix says, for any of its backends.
    ``layers``: the configuration of single layers, hls4ml's ``LayerName``.

    Raises :class:`ConfigError` for what cannot be read.
    """
    loaders = {".h5": _keras_2, ".hdf5": _keras_2, ".json": _keras_2, ".keras": _keras_3,
               ".onnx": _onnx}  # fmt: skip
    if path.suffix.lower() in PICKLES:
        raise ConfigError(
            f"{plain(path.name)}: is a pickle, which is code and is not run; export it with "
            "torch.onnx.export, or convert it in Python (docs/how-to/hls4ml.md)"
        )
    if path.suffix.lower() not in loaders:
        raise ConfigError(
            f"{plain(path.name)}: is not a model file; allowed are {', '.join(loaders)}"
        )
    if not path.is_file():
        raise ConfigError(f"{plain(path)}: there is no such file")
    import hls4ml  # noqa: F401  # first of all, for its backends

    config = {
        "OutputDir": folder, "ProjectName": name, "Backend": backend, "IOType": "io_parallel",
        "HLSConfig": {
            "Model": {"Precision": precision or PRECISION, "ReuseFactor": 1},
            "LayerType": {"Softmax": {"Skip": logits}}, "LayerName": dict(layers or {}),
        },
    }  # fmt: skip
    if backend != "Matweave":
        config |= {"ClockPeriod": 5, "Part": "none"}
    try:
        return loaders[path.suffix.lower()](path, weights, config)
    except (UserError, ImportError, MemoryError):
        raise
    except Exception as error:  # whatever a foreign file makes foreign code do
        line = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ConfigError(f"{plain(path.name)}: hls4ml cannot read it: {plain(line)}") from None


def _keras_2(path, weights, config):
    import h5py
    from hls4ml.converters import keras_v2_to_hls

    if path.suffix.lower() == ".json":
        if weights is None:
            raise ConfigError(f"{plain(path.name)}: has no weights; give them with --weights")
        architecture = path.read_text()
        config |= {"KerasJson": str(path), "KerasH5": weights}
    else:
        with h5py.File(path) as file:
            architecture = file.attrs.get("model_config")
        if architecture is None:
            raise ConfigError(f"{plain(path.name)}: has weights only; give the model's JSON")
        config |= {"KerasH5": str(path)}
    refuse_code(json.loads(architecture), path)
    return keras_v2_to_hls(config)


def _keras_3(path, weights, config):
    with zipfile.ZipFile(path) as archive, archive.open("config.json") as file:
        refuse_code(json.loads(file.read(1 << 26)), path)
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    with contextlib.suppress(ImportError):
        import hgq  # registers its layers  # noqa: F401
    from hls4ml.converters import convert_from_keras_model

    model = keras.models.load_model(path, compile=False, safe_mode=True)
    return convert_from_keras_model(
        model, hls_config=config["HLSConfig"], backend=config["Backend"],
        project_name=config["ProjectName"], output_dir=config["OutputDir"],
    )  # fmt: skip


def _onnx(path, weights, config):
    """As hls4ml's documentation prepares them: shapes inferred, constants folded, no Gemm."""
    from hls4ml.converters import convert_from_onnx_model
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.gemm_to_matmul import GemmToMatMul
    from qonnx.util.cleanup import cleanup_model

    model = cleanup_model(ModelWrapper(str(path)))
    model = cleanup_model(model.transform(GemmToMatMul()))
    for node in model.graph.node:
        if node.op_type == "Transpose" and not node.attribute:
            raise ConfigError(
                f"{plain(path.name)}: node {plain(node.name)} (Transpose): has no perm, without "
                "which hls4ml does not read it; export it with one"
            )
    return convert_from_onnx_model(
        model, hls_config=config["HLSConfig"],
        backend=config["Backend"], project_name=config["ProjectName"],
        output_dir=config["OutputDir"],
    )  # fmt: skip


def refuse_code(tree, path: Path) -> None:
    """Raise for a layer that carries code, wherever it is in a model's description."""
    if isinstance(tree, dict):
        kind = str(tree.get("class_name", ""))
        if "lambda" in kind.lower().rpartition(">")[2]:
            name = tree.get("config", {}).get("name", kind) if isinstance(
                tree.get("config"), dict) else kind  # fmt: skip
            raise ConfigError(
                f"{plain(path.name)}: layer {plain(name)} ({plain(kind)}): carries code, which is "
                "not run; write it as layers"
            )
        tree = list(tree.values())
    if isinstance(tree, list):
        for each in tree:
            refuse_code(each, path)


if __name__ == "__main__":
    sys.exit(main())
