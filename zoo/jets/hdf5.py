"""The HDF5 files of the hls4ml LHC jet data (Zenodo 3602260 and its relatives): features and
constituents.

Each has ``jets`` (N, 59) with ``jetFeatureNames``, ``jetConstituentList`` (N, P, 16) with
``particleFeatureNames``; the last columns of ``jets`` say the class. Columns are found by name.
"""

import os
from pathlib import Path

import numpy as np

from matweave.hw.errors import UserError, plain

from .data import CLASSES, CONSTITUENTS, FEATURES, Jets

_CLASSES = [f"j_{name.lower()}" for name in CLASSES]
_FEATURES = [f"j_{name}" for name in FEATURES]
_CONSTITUENT = ["j1_pt", "j1_etarel", "j1_phirel"]
_NAMES = {"jets": "jetFeatureNames", "jetConstituentList": "particleFeatureNames"}


def load(path: str | os.PathLike) -> Jets:
    """The jets of a file, or of all ``.h5`` and ``.hdf5`` files in a folder by name: features and
    the 32 constituents of the largest pT, ``float32``.

    Raises :class:`UserError` with the file's name.
    """
    path = Path(path)
    files = [path]
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix in (".h5", ".hdf5"))
        if not files:
            raise UserError(f"{plain(path)}: has no .h5 files")
    parts = [_file(each) for each in files]
    labels, features, constituents = (np.concatenate(each) for each in zip(*parts, strict=True))
    recipe = {"source": "hls4ml LHC jet data", "files": [each.name for each in files]}
    return Jets(labels, features, constituents, recipe=recipe)


def _file(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if not path.is_file():
        raise UserError(f"{plain(path)}: there is no such file")
    try:
        import h5py
    except ImportError:
        raise UserError("HDF5 needs h5py: pip install 'matweave[networks]'") from None
    try:
        with h5py.File(path) as file:
            table = _columns(file, "jets", 2, _FEATURES + _CLASSES)
            constituents = _columns(file, "jetConstituentList", 3, _CONSTITUENT)
        if len(table) != len(constituents):
            raise UserError(f"has {len(table)} jets, but constituents of {len(constituents)}")
        labels = _labels(table[:, len(_FEATURES) :])
        Jets(labels, table[:, : len(_FEATURES)], constituents)  # says what is wrong
    except UserError as error:
        raise UserError(f"{plain(path)}: {error}") from None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{plain(path)}: is not HDF5: {plain(error)[:200]}") from None
    return labels, table[:, : len(_FEATURES)], _leading(constituents)


def _columns(file, name: str, dimensions: int, wanted: list[str]) -> np.ndarray:
    """The columns ``wanted`` of a table, ``float32``."""
    for each in (name, _NAMES[name]):
        if each not in file or not hasattr(file[each], "shape"):
            raise UserError(f"has no {each}; is it of the hls4ml LHC jet data?")
    table = file[name]
    names = [_text(each) for each in file[_NAMES[name]][:]][: table.shape[-1]]
    if missing := [each for each in wanted if each not in names]:
        raise UserError(f"{_NAMES[name]} has no {missing[0]}")
    if len(table.shape) != dimensions:
        raise UserError(f"{name} has {len(table.shape)} dimensions, not {dimensions}")
    places = [names.index(each) for each in wanted]
    order = np.argsort(places)  # h5py selects ascending places only
    columns = table[..., [places[each] for each in order]]
    return columns[..., np.argsort(order)].astype(np.float32)


def _text(name) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)


def _labels(flags: np.ndarray) -> np.ndarray:
    if not ((flags == 1).sum(axis=1) == 1).all() or not np.isin(flags, (0, 1)).all():
        raise UserError(f"each jet must be one of {', '.join(_CLASSES)}")
    return flags.argmax(axis=1).astype(np.int8)


def _leading(constituents: np.ndarray) -> np.ndarray:
    order = np.argsort(-constituents[..., 0], axis=1, kind="stable")[:, :CONSTITUENTS, None]
    leading = np.take_along_axis(constituents, order, axis=1)
    padding = CONSTITUENTS - leading.shape[1]
    return np.pad(leading, ((0, 0), (0, max(padding, 0)), (0, 0)))
