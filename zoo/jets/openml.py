"""The LHC jet benchmark as OpenML gives it (data set 42468, ``hls4ml_lhc_jets_hlf``): 16 features.

``.arff``, ``.csv`` with a head of the columns' names, or ``.parquet`` (which needs pyarrow).
Columns are found by their names, in any order; ``class`` is one of g, q, w, z and t.
"""

import csv
import os
import re
from pathlib import Path

import numpy as np

from matweave.hw.errors import UserError, plain

from .data import CLASSES, FEATURES, Jets

LABEL = "class"
_ATTRIBUTE = re.compile(r"@attribute\s+(?:'([^']+)'|\"([^\"]+)\"|(\S+))\s+\S", re.IGNORECASE)


def load(path: str | os.PathLike) -> Jets:
    """The file's jets, features as ``float32``. Raises :class:`UserError` with the file's name."""
    path = Path(path)
    readers = {".arff": _arff, ".csv": _csv, ".parquet": _parquet, ".pq": _parquet}
    if path.suffix.lower() not in readers:
        raise UserError(f"{plain(path)}: is not a file of OpenML; allowed are {', '.join(readers)}")
    if not path.is_file():
        raise UserError(f"{plain(path)}: there is no such file")
    try:
        features, names = readers[path.suffix.lower()](path)
        labels = _labels(names)
        recipe = {"source": "OpenML", "file": path.name}
        return Jets(labels=labels, features=features.astype(np.float32), recipe=recipe)
    except UserError as error:
        raise UserError(f"{plain(path)}: {error}") from None
    except UnicodeDecodeError:
        raise UserError(f"{plain(path)}: is not text") from None
    except ValueError as error:
        raise UserError(f"{plain(path)}: cannot be read: {plain(error)}") from None


def _labels(names) -> np.ndarray:
    """Labels of ``g``, ``'g'`` or ``b'g'``, whatever the case."""
    known = {name.lower(): label for label, name in enumerate(CLASSES)}
    unique, places = np.unique(names, return_inverse=True)
    labels = []
    for name in unique:
        bare = re.sub(r"^b?(['\"])(.*)\1$", r"\2", str(name).strip()).lower()
        if bare not in known:
            raise UserError(f"class {plain(name)} is none of {', '.join(sorted(known))}")
        labels.append(known[bare])
    return np.array(labels, np.int8)[places]


def _columns(names: list[str]) -> list[int]:
    """Places of the features and of the label."""
    bare = [name.strip().strip("'\"").removeprefix("j_") for name in names]
    missing = [name for name in (*FEATURES, LABEL) if name not in bare]
    if missing:
        raise UserError(
            f"has no column {missing[0]}; the benchmark's are {', '.join(FEATURES)} and {LABEL}"
        )
    return [bare.index(name) for name in (*FEATURES, LABEL)]


def _arff(path: Path) -> tuple[np.ndarray, np.ndarray]:
    names = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            if found := _ATTRIBUTE.match(line.strip()):
                names.append(next(filter(None, found.groups())))
            elif line.strip().lower() == "@data":
                return _table(file, _columns(names), comments="%")
    raise UserError("is not ARFF: there is no @data")


def _csv(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with path.open(encoding="utf-8", newline="") as file:
        names = next(csv.reader([file.readline()]), [])
        return _table(file, _columns(names), comments=None)


def _table(file, columns: list[int], comments: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Features and names of the classes from lines of values between commas."""
    lines = [line for line in file if line.strip()]
    if not lines:
        raise UserError("has no jets")
    settings = {"delimiter": ",", "comments": comments, "ndmin": 2}
    features = np.loadtxt(lines, usecols=columns[:-1], **settings)
    names = np.loadtxt(lines, usecols=columns[-1:], dtype=str, **settings)
    return features, names[:, 0]


def _parquet(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise UserError("needs pyarrow: pip install pyarrow") from None
    try:
        table = parquet.read_table(path)
        places = _columns(table.column_names)
        columns = [table.column(place).to_numpy(zero_copy_only=False) for place in places]
    except (ArrowException, OSError) as error:
        raise UserError(f"is not Parquet: {plain(error)[:200]}") from None
    return np.stack(columns[:-1], axis=1).astype(np.float64), columns[-1].astype(str)
