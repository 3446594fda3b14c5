"""Packing against a slow transcription of docs/reference/streams.md."""

import time

import numpy as np
import pytest

from matweave.hw.formats import Format
from matweave.hw.geometry import Geometry, Stationary
from matweave.hw.weights import WeightFormat
from matweave.sim import layout
from matweave.sim.golden import operands

GEOMETRIES = [
    Geometry(Stationary.OUTPUT, 4, 4, 1),
    Geometry(Stationary.OUTPUT, 2, 3, 1),
    Geometry(Stationary.OUTPUT, 3, 2, 4),
    Geometry(Stationary.WEIGHT, 1, 4, 4),
    Geometry(Stationary.WEIGHT, 1, 3, 2),
    Geometry(Stationary.WEIGHT, 1, 1, 8),
]
SHAPES = [(1, 1, 1), (4, 4, 4), (5, 7, 3), (8, 2, 9), (3, 10, 6), (13, 1, 2)]
FORMATS = [Format(8), Format(4), Format(5, signed=False), Format(12), Format(16, signed=False)]


def to_bytes(lanes, format):
    """One beat from its list of elements, little-endian, element 0 lowest."""
    size = format.lane_width // 8
    mask = (1 << format.lane_width) - 1
    return b"".join((int(value) & mask).to_bytes(size, "little") for value in lanes)


def at(matrix, row, column):
    m, n = matrix.shape
    return matrix[row, column] if row < m and column < n else 0


def slow_a(a, g, format):
    m, k = a.shape
    beats = []
    if g.stationary is Stationary.OUTPUT:
        for m0 in range(0, m, g.m):
            for k0 in range(0, k, g.k):
                lanes = [0] * g.a_lanes
                for row in range(m0, m0 + g.m):
                    for col in range(k0, k0 + g.k):
                        lanes[(row - m0) * g.k + (col - k0)] = at(a, row, col)
                beats.append(to_bytes(lanes, format))
    else:
        for k0 in range(0, k, g.k):
            for i in range(m):
                beats.append(to_bytes([at(a, i, col) for col in range(k0, k0 + g.k)], format))
    return beats


def slow_b(b, g, format):
    k, n = b.shape
    beats = []
    for n0 in range(0, n, g.n):
        if g.stationary is Stationary.OUTPUT:
            for k0 in range(0, k, g.k):
                lanes = [0] * g.b_lanes
                for row in range(k0, k0 + g.k):
                    for col in range(n0, n0 + g.n):
                        lanes[(row - k0) * g.n + (col - n0)] = at(b, row, col)
                beats.append(to_bytes(lanes, format))
        else:
            for r in range(k):
                beats.append(to_bytes([at(b, r, col) for col in range(n0, n0 + g.n)], format))
    return beats


def slow_c(c, g, format):
    m, n = c.shape
    beats = []
    if g.stationary is Stationary.OUTPUT:
        order = [
            (i, n0)
            for m0 in range(0, m, g.m)
            for n0 in range(0, n, g.n)
            for i in range(m0, min(m0 + g.m, m))
        ]
    else:
        order = [(i, n0) for n0 in range(0, n, g.n) for i in range(m)]
    for i, n0 in order:
        beats.append(to_bytes([at(c, i, col) for col in range(n0, n0 + g.n)], format))
    return beats


def draw(rng, shape, format):
    return rng.integers(format.min, format.max + 1, shape)


def as_bytes(beats):
    assert beats.dtype == np.uint8 and beats.ndim == 2
    return [bytes(beat) for beat in beats]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_layout_is_the_documented_one(geometry, format):
    rng = np.random.default_rng(1)
    result = Format(64 if format.width > 12 else 32)
    for m, n, k in SHAPES:
        a, b = draw(rng, (m, k), format), draw(rng, (k, n), format)
        c = rng.integers(result.min, result.max, (m, n))
        assert as_bytes(layout.pack_a(a, geometry, format)) == slow_a(a, geometry, format)
        assert as_bytes(layout.pack_b(b, geometry, format)) == slow_b(b, geometry, format)
        packed = layout.pack_c0(c, geometry, result)
        assert as_bytes(packed) == slow_c(c, geometry, result)
        unpacked = layout.unpack_c(packed, m, n, geometry, result)
        assert np.array_equal(unpacked, c) and unpacked.dtype == operands.lane_dtype(result)
        counts = geometry.beats(m, n, k)
        assert counts == {
            "a": len(layout.pack_a(a, geometry, format)),
            "b": len(layout.pack_b(b, geometry, format)),
            "c": len(packed),
        }


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_fill_changes_only_padding(geometry):
    rng = np.random.default_rng(2)
    for format in (Format(5), Format(8), Format(11, signed=False)):
        a = draw(rng, (5, 7), format)
        plain = layout.pack_a(a, geometry, format)
        filled = layout.pack_a(a, geometry, format, fill=rng)
        # Packing all ones shows which bits of which lanes carry the matrix.
        unsigned = Format(format.width, signed=False)
        real = layout.pack_a(np.full_like(a, unsigned.max), geometry, unsigned)
        assert np.array_equal(plain & real, filled & real)
        if not real.all():
            assert (filled & ~real).any()


def test_c_with_padding_that_is_not_zero_is_refused():
    geometry = Geometry(Stationary.OUTPUT, 2, 4, 1)
    format = Format(32)
    beats = layout.pack_c0(np.ones((2, 3), int), geometry, format)
    assert layout.unpack_c(beats, 2, 3, geometry, format).sum() == 6
    beats[1, 12] = 1
    with pytest.raises(layout.LayoutError, match="row 1, column 3"):
        layout.unpack_c(beats, 2, 3, geometry, format)
    with pytest.raises(layout.LayoutError, match="beats"):
        layout.unpack_c(beats[:1], 2, 3, geometry, format)


def test_packing_is_fast():
    geometry = Geometry(Stationary.OUTPUT, 16, 16, 1)
    a = np.random.default_rng(3).integers(-128, 128, (1000, 1000))
    start = time.process_time()
    layout.pack_a(a, geometry, Format(8))
    assert time.process_time() - start < 1


@pytest.mark.parametrize("serial", [False, True])
def test_packed_weights_follow_each_other_bit_by_bit(serial):
    """Beat after beat, element 0 in the lowest bits, two's complement, padding whatever it is; or
    plane after plane of every block."""
    geometry, format = Geometry(Stationary.OUTPUT, 2, 8, 3), WeightFormat.parse("int3")
    rng = np.random.default_rng(1)
    b = rng.integers(-4, 4, (5, 11))
    for fill in (None, np.random.default_rng(2)):
        beats = layout.pack_weights(b, geometry, format, serial, fill)
        assert beats.shape == ((12, 3) if serial else (4, 9))
        words = [int.from_bytes(beat.tobytes(), "little") for beat in beats]
        for block, (n0, k0) in enumerate([(0, 0), (0, 3), (8, 0), (8, 3)]):
            for k in range(k0, min(k0 + 3, 5)):
                for n in range(n0, min(n0 + 8, 11)):
                    lane = (k - k0) * 8 + n - n0
                    if serial:
                        planes = words[3 * block : 3 * block + 3]
                        code = sum((word >> lane & 1) << bit for bit, word in enumerate(planes))
                    else:
                        code = words[block] >> 3 * lane & 7
                    assert code == b[k, n] % 8
