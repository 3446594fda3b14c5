"""What a set of jets is, and its file: ``.npz``, written whole or not at all."""

import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from matweave.hw import output
from matweave.hw.errors import UserError, plain

CLASSES = ("g", "q", "W", "Z", "t")
"""What made a jet, by its label: gluon, light quark, W, Z and top."""
CONSTITUENT = ("pt", "eta_rel", "phi_rel")
"""Of each constituent: GeV, and pseudorapidity and azimuth from the jet's axis."""
CONSTITUENTS = 32
"""Constituents that are kept of each jet, those of the largest pT first; zeros where it has
fewer."""
COMPACT_CONSTITUENTS = 16
"""Of :meth:`Jets.compact`."""
JET = ("pt", "eta", "phi", "mass")
"""Of each jet, from all its constituents: GeV, radians."""
FEATURES = (
    "zlogz", "c1_b0_mmdt", "c1_b1_mmdt", "c1_b2_mmdt", "c2_b1_mmdt", "c2_b2_mmdt", "d2_b1_mmdt",
    "d2_b2_mmdt", "d2_a1_b1_mmdt", "d2_a1_b2_mmdt", "m2_b1_mmdt", "m2_b2_mmdt", "n2_b1_mmdt",
    "n2_b2_mmdt", "mass_mmdt", "multiplicity",
)  # fmt: skip
"""The 16 features of the benchmark by OpenML's names, in its order (:mod:`.features`)."""


@dataclass(frozen=True, eq=False)
class Jets:
    """``labels``: (N,), places in ``CLASSES``; ``features``: (N, 16); ``constituents``: (N, P, 3)
    and ``jets``: (N, 4), or ``None`` where the source has none; ``recipe``: where they are from, in
    JSON types."""

    labels: np.ndarray
    features: np.ndarray
    constituents: np.ndarray | None = None
    jets: np.ndarray | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        labels = np.asarray(self.labels)
        if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels):
            raise UserError("labels: must be a vector of integers with at least one")
        if labels.min() < 0 or labels.max() >= len(CLASSES):
            raise UserError(f"labels: must be 0 to {len(CLASSES) - 1}, as {', '.join(CLASSES)}")
        shapes = {"features": (len(FEATURES),), "constituents": (None, 3), "jets": (len(JET),)}
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array is not None:
                _check(name, np.asarray(array), (len(labels), *shape))

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> "Jets":
        """The first ``count`` of them, all classes if they alternate."""
        return self._of(slice(count))

    def rest(self, count: int) -> "Jets":
        """All but the first ``count``."""
        return self._of(slice(count, None))

    def _of(self, part: slice) -> "Jets":
        arrays = {name: array[part] for name, array in self.arrays().items()}
        return Jets(**arrays, recipe=self.recipe)

    def compact(self) -> "Jets":
        """As few bytes as the sample that ships has: 16 constituents, and 12 significant bits of
        every number."""
        arrays = {
            name: array if name == "labels" else _rounded(array)
            for name, array in self.arrays().items()
        }
        if self.constituents is not None:
            arrays["constituents"] = arrays["constituents"][:, :COMPACT_CONSTITUENTS]
        return Jets(**arrays, recipe=self.recipe)

    def arrays(self) -> dict[str, np.ndarray]:
        names = ("labels", "features", "constituents", "jets")
        return {name: array for name in names if (array := getattr(self, name)) is not None}

    def packed(self) -> bytes:
        """The file's content; the same jets give the same bytes."""
        file = io.BytesIO()
        np.savez_compressed(file, **self.arrays(), recipe=np.array(json.dumps(self.recipe)))
        return file.getvalue()

    def save(self, path: str | os.PathLike) -> None:
        """Write them to a file. Raises :class:`~matweave.hw.errors.OutputError` if that fails."""
        output.write_file(path, self.packed())


def load(path: str | os.PathLike) -> Jets:
    """The jets in a file of :meth:`Jets.save`. Raises :class:`UserError` for any other."""
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        recipe = json.loads(str(arrays.pop("recipe")))
        return Jets(**arrays, recipe=recipe)
    except OSError as error:
        why = error.strerror or "is not what matweave data jets writes"
        raise UserError(f"{plain(path)}: {plain(why)}") from None
    except UserError as error:
        raise UserError(f"{plain(path)}: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
        raise UserError(f"{plain(path)}: is not what matweave data jets writes") from None


def _rounded(array: np.ndarray) -> np.ndarray:
    """``float32`` with 12 bits of mantissa, the leading one counted: the rest compresses well."""
    mantissa, exponent = np.frexp(array.astype(np.float64))
    return np.ldexp(np.round(mantissa * 4096) / 4096, exponent).astype(np.float32)


def _check(name: str, array: np.ndarray, shape: tuple[int | None, ...]) -> None:
    fits = array.ndim == len(shape) and all(
        wanted in (None, size) for wanted, size in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if each is None else str(each) for each in shape)
        raise UserError(f"{name}: have the shape {array.shape}; it must be ({wanted})")
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise UserError(f"{name}: must be finite real numbers")
