"""The standalone softmaxes against their golden models."""

import math

import numpy as np
import pytest

from matweave.hw.attention.base2 import Base2
from matweave.hw.attention.i_bert import IBert, PolynomialExponential
from matweave.hw.attention.ita import Ita
from matweave.hw.attention.shift_exponential import ShiftExponential
from matweave.hw.attention.shiftmax import Shiftmax
from matweave.hw.attention.softmax import RowSoftmax
from matweave.hw.formats import Format
from matweave.sim import ports
from matweave.sim.golden.attention import softmax

from .rows import run

LANES, BEATS = 4, 6
FINE = math.log(2) / 64
"""What a logit is worth that has six bits behind its point in base 2."""


def i_bert(form):
    return lambda q, counts: softmax.i_bert(q, form.scale, width=form.width, counts=counts)


def shiftmax(form):
    def golden(q, counts):
        numbers = {"width": form.width, "n": form.n, "normalise": form.normalised}
        return softmax.shiftmax(q, form.scale, **numbers, counts=counts)

    return golden


def base2(form):
    def golden(q, counts):
        numbers = {"fraction": form.fraction, "exponential": form.exponential, "width": form.width}
        return softmax.base2(q, **numbers, lanes=LANES, counts=counts)

    return golden


def ita(form):
    return lambda q, counts: softmax.ita(q, width=form.width, shift=form.shift, counts=counts)


FORMS = {
    "base2-7": (Base2(width=7), base2),
    "base2-15": (Base2(), base2),
    "base2-even": (Base2(fraction=4, exponential=12, width=12), base2),
    "i_bert-8": (IBert(scale=0.05), i_bert),
    "i_bert-16": (IBert(scale=FINE, logit=Format(16), width=16), i_bert),
    "i_bert-coarse": (IBert(scale=1.0, logit=Format(4)), i_bert),
    "shiftmax": (Shiftmax(scale=0.05), shiftmax),
    "shiftmax-published": (Shiftmax(scale=0.05, normalised=False), shiftmax),
    "shiftmax-16": (Shiftmax(scale=FINE, logit=Format(16), width=16), shiftmax),
    "shiftmax-limited": (Shiftmax(scale=FINE, n=24, normalised=False), shiftmax),
    "ita": (Ita(), ita),
    "ita-wide": (Ita(shift=0, logit=Format(10), width=12), ita),
}
"""The last Shiftmax's totals are above what it limits them to."""


def rows_of(format: Format, rng):
    """Rows and what counts of them: of all lengths, ties, extremes, masked here and there, masked
    as a whole, one key, all equal."""
    lengths = [1, 4, 5, 24, 13, 8, 2, 24, 24]
    rows = [rng.integers(format.min, format.max + 1, n) for n in lengths]
    counts = [rng.integers(0, 4, n) > 0 for n in lengths]
    rows[3][:] = 5
    counts[3][:] = True
    rows[4] = rng.choice([format.min, format.max], 13)
    counts[5][:] = False
    spread = min(format.max, 40)
    rows[7] = rng.integers(-spread, spread + 1, 24)
    rows[8] = rng.choice([0, 1, 3], 24)
    counts[8][:] = True
    return rows, counts


@pytest.mark.parametrize("name", FORMS)
def test_rows_of_any_length_are_the_golden_model_s(name):
    form, golden_of = FORMS[name]
    rng = np.random.default_rng(len(name))
    dut = RowSoftmax(form=form, lanes=LANES, beats=BEATS)
    rows, counts = rows_of(form.logit, rng)
    bits = (form.logit.width, form.width)
    given, taken_at, given_at = run(dut, rows, counts, lanes=LANES, bits=bits, rng=rng)
    golden_model = golden_of(form)
    for row, seen, p in zip(rows, counts, given, strict=True):
        assert p[: len(row)] == golden_model(row, seen).tolist()
        assert not any(p[len(row) :])
    assert given_at - taken_at == dut.latency + 2


@pytest.mark.parametrize("scale", [0.004, 0.05, 4 / 127, 0.7])
def test_exponentials_are_the_golden_model_s_for_every_distance(scale):
    t = range(1 << 10)
    for dut, golden in (
        (PolynomialExponential(scale=scale, width=10), None),
        (ShiftExponential(one=-math.floor(-1 / scale), n=15, width=10), softmax.shift_exp),
    ):
        after = dut.latency
        inputs = {"t": [*t, *[0] * after], "counts": [1] * 1024 + [0] * after}
        found = ports.simulated(dut, inputs)["o"][after:]
        q = -np.arange(1 << 10)
        if golden:
            assert found == golden(q, scale).tolist()
            continue
        polynomial, z = softmax.i_exp(q, scale)
        top = softmax.i_exp(0, scale)[0]
        exact = polynomial / top / 2.0 ** z.astype(float) * 32767
        assert abs(np.array(found) - exact.astype(float)).max() <= 0.5 + 1 / 8 and found[0] == 32767
        assert not any(ports.simulated(dut, {"t": [*t], "counts": [0] * 1024})["o"][after:])


def test_what_does_not_work_is_refused():
    for build, message in (
        (lambda: RowSoftmax(form=Base2(), lanes=3, beats=4),
         "lanes must be a power of two of at least 2, not 3"),
        (lambda: RowSoftmax(form=Base2(), lanes=4, beats=0), "beats must be at least 1, not 0"),
        (lambda: Base2(width=17), "width must be 3 to 16, not 17"),
        (lambda: RowSoftmax(form=IBert(scale=0), lanes=4, beats=4),
         "scale must be above 0 and at most 1, not 0"),
        (lambda: IBert(scale=0.1, logit=Format(8, False)), "logit must be signed, not uint8"),
        (lambda: Shiftmax(scale=FINE, n=25), "n must be 1 to 24, not 25"),
        (lambda: Ita(shift=8), "shift must be 0 to 7, not 8"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            build()
