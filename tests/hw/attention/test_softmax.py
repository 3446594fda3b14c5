"""The standalone softmax against its golden model."""

import numpy as np
import pytest

from matweave.hw.attention.softmax import RowSoftmax
from matweave.sim.golden.attention import softmax

from .rows import run

LANES, BEATS = 4, 6


@pytest.mark.parametrize("width", [7, 15])
def test_rows_of_any_length_are_the_golden_model_s(width):
    rng = np.random.default_rng(width)
    dut = RowSoftmax(lanes=LANES, beats=BEATS, width=width)
    lengths = [1, 4, 5, 24, 13, 8, 2]
    rows = [rng.integers(-600, 600, n) for n in lengths]
    rows[3][:] = 5
    rows[4] = rng.choice([-32768, 32767], 13)
    counts = [rng.integers(0, 4, n) > 0 for n in lengths]
    counts[5][:] = False
    counts[3][:] = True
    given, taken_at, given_at = run(dut, rows, counts, lanes=LANES, bits=(16, width), rng=rng)
    for row, seen, p in zip(rows, counts, given, strict=True):
        golden = softmax.base2(row, width=width, lanes=LANES, counts=seen)
        assert p[: len(row)] == golden.tolist()
        assert not any(p[len(row) :])
    assert given_at - taken_at == dut.latency + 2


def test_sizes_that_do_not_work_are_refused():
    with pytest.raises(ValueError, match="lanes must be a power of two of at least 2, not 3"):
        RowSoftmax(lanes=3, beats=4)
    with pytest.raises(ValueError, match="width must be odd, 3 to 16, not 8"):
        RowSoftmax(lanes=4, beats=4, width=8)
