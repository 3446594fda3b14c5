"""Foreign .npz files of tensors."""

import contextlib
import io
import zipfile

import numpy as np
import pytest
from numpy.lib import format as npy

from matweave import tensor_file
from matweave.hw.errors import ConfigError


def test_a_shape_is_refused_before_the_tensor_is_unpacked(tmp_path):
    header = io.BytesIO()
    npy.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
    )
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as file:
        file.writestr("a.npy", header.getvalue())
    with pytest.raises(ConfigError, match="a: is 1099511627776 and must be 2 × 3"):
        tensor_file.load(str(tmp_path / "w.npz"), {"a": [2, 3]})


@pytest.mark.parametrize("data", [b"", b"text", b"\x93NUMPY"])
def test_what_is_no_npz_file(tmp_path, data):
    (tmp_path / "w.npz").write_bytes(data)
    with pytest.raises(ConfigError, match="is not an"):
        tensor_file.load(str(tmp_path / "w.npz"), {"a": [2]})


def test_a_long_double_beyond_a_double(tmp_path):
    largest = np.finfo(np.longdouble).max
    np.savez(tmp_path / "w.npz", a=np.array([largest]))
    # On some machines a long double is a double.
    refused = pytest.raises(ConfigError, match="not finite")
    with refused if largest > np.finfo(np.float64).max else contextlib.nullcontext():
        tensor_file.load(str(tmp_path / "w.npz"), {"a": [1]})
