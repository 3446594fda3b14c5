"""Matrices to stream beats and back, whole arrays at a time.

The order of elements is that of ``docs/reference/streams.md``. Beats are ``uint8`` arrays of
shape (beats, bytes per beat), ready for any bus model; element 0 is in the lowest bytes.

Padding (lanes beyond M, N, K, and the bits of a lane above the format's width) means nothing to
an engine: ``fill`` says what is there. ``None`` fills lanes with zero and extends values; a
NumPy ``Generator`` puts random bits everywhere, so that tests show that padding is ignored.
"""

import functools

import numpy as np

from matweave.hw.formats import Format
from matweave.hw.geometry import Geometry, Stationary
from matweave.hw.weights import WeightFormat

from .golden import operands
from .golden.operands import Operand

Fill = np.random.Generator | None


class LayoutError(ValueError):
    """Beats that cannot be what an engine gives: wrong number, or padding that is not zero."""


def pack_a(a: np.ndarray, geometry: Geometry, format: Operand, fill: Fill = None) -> np.ndarray:
    """The beats of stream A for the matrix ``a`` (M × K)."""
    rows = 1 if geometry.stationary is Stationary.WEIGHT else geometry.m
    blocks = _blocks(_lanes(a, rows, geometry.k, format, fill), rows, geometry.k)
    if geometry.stationary is Stationary.WEIGHT:
        blocks = blocks.transpose(1, 0, 2, 3)  # k panels outside
    return _beats(blocks, geometry.a_lanes)


def pack_b(
    b: np.ndarray,
    geometry: Geometry,
    format: Format | WeightFormat,
    fill: Fill = None,
    *,
    serial: bool = False,
) -> np.ndarray:
    """The beats of stream B for the matrix ``b`` (K × N); ``serial`` as in :func:`pack_weights`."""
    if isinstance(format, WeightFormat):
        return pack_weights(b, geometry, format, serial, fill)
    rows = 1 if geometry.stationary is Stationary.WEIGHT else geometry.k
    blocks = _blocks(_lanes(b, rows, geometry.n, format, fill), rows, geometry.n)
    return _beats(blocks.transpose(1, 0, 2, 3), geometry.b_lanes)


def pack_weights(
    b: np.ndarray, geometry: Geometry, format: WeightFormat, serial: bool, fill: Fill = None
) -> np.ndarray:
    """The beats of stream B for weights ``b`` (K × N) of few bits: codes without bits between
    them; ``serial``: of every block a beat for each bit, bit 0 first."""
    shape = [-(-size // part) * part for size, part in zip(b.shape, (geometry.k, geometry.n),
                                                           strict=True)]  # fmt: skip
    codes = np.zeros(shape, np.uint8)
    if fill is not None:
        codes = fill.integers(1 << format.width, size=shape, dtype=np.uint8)
    codes[: b.shape[0], : b.shape[1]] = format.code(b)
    lanes = _blocks(codes, geometry.k, geometry.n).transpose(1, 0, 2, 3)
    lanes = lanes.reshape(-1, geometry.b_lanes)
    bits = lanes[:, :, None] >> np.arange(format.width, dtype=np.uint8) & 1
    if serial:
        bits = bits.transpose(0, 2, 1).reshape(-1, geometry.b_lanes)
    return np.packbits(bits.reshape(len(bits), -1).astype(bool), axis=1, bitorder="little")


def unpack_weights(
    beats: np.ndarray, k: int, n: int, geometry: Geometry, format: WeightFormat, serial: bool
) -> np.ndarray:
    """The matrix B (K × N) from its beats; raises :class:`LayoutError` for a wrong number of them,
    or codes that are none."""
    steps = format.width if serial else 1
    k_blocks, panels = -(-k // geometry.k), -(-n // geometry.n)
    width = geometry.b_lanes * (1 if serial else format.width)
    if beats.shape != (panels * k_blocks * steps, width // 8):
        raise LayoutError(f"B has {beats.shape} beats × bytes, which {k} × {n} weights have not")
    bits = np.unpackbits(beats, axis=1, bitorder="little")
    if serial:
        lanes = bits.reshape(-1, format.width, geometry.b_lanes).transpose(0, 2, 1)
    else:
        lanes = bits.reshape(-1, geometry.b_lanes, format.width)
    codes = (lanes.astype(np.int64) << np.arange(format.width)).sum(axis=2)
    blocks = codes.reshape(panels, k_blocks, geometry.k, geometry.n).transpose(1, 2, 0, 3)
    return format.number(blocks.reshape(k_blocks * geometry.k, -1)[:k, :n])


def grouped(beats: list[np.ndarray], outer: int) -> np.ndarray:
    """The beats of one operand from those of its groups, which are in ``outer`` panels: of every
    panel all groups."""
    each = [part.reshape(outer, -1, part.shape[1]) for part in beats]
    return np.concatenate(each, axis=1).reshape(-1, beats[0].shape[1])


def ungrouped(beats: np.ndarray, groups: int, outer: int) -> list[np.ndarray]:
    """The inverse of :func:`grouped`."""
    if len(beats) % (groups * outer):
        raise LayoutError(f"{len(beats)} beats are not those of {groups} groups")
    each = beats.reshape(outer, groups, -1, beats.shape[1])
    return [each[:, group].reshape(-1, beats.shape[1]) for group in range(groups)]


def spread(c: np.ndarray, geometry: Geometry) -> np.ndarray:
    """C or C0 of several groups (M × groups × N) as one matrix, whose columns are lanes of
    a panel's groups, panel after panel: its beats are those of the job."""
    m, groups, n = c.shape
    panels = -(-n // geometry.n)
    whole = np.zeros((m, groups, panels * geometry.n), c.dtype)
    whole[:, :, :n] = c
    return whole.reshape(m, groups, panels, geometry.n).swapaxes(1, 2).reshape(m, -1)


def gathered(c: np.ndarray, groups: int, n: int, geometry: Geometry) -> np.ndarray:
    """M × groups × N from what :func:`spread` makes of it; padding must be zero."""
    panels = -(-n // geometry.n)
    whole = c.reshape(len(c), panels, groups, geometry.n).swapaxes(1, 2)
    whole = whole.reshape(len(c), groups, -1)
    if whole.view(f"<u{whole.dtype.itemsize}")[:, :, n:].any():
        raise LayoutError(f"padding of C is not zero behind column {n} of a group")
    return np.ascontiguousarray(whole[:, :, :n])


def pack_rows(x: np.ndarray, format: Format, fill: Fill = None) -> np.ndarray:
    """Each row of ``x`` as one beat of a stream of elements."""
    return _lanes(x, 1, x.shape[1], format, fill).view(np.uint8)


def pack_c0(c0: np.ndarray, geometry: Geometry, format: Operand, fill: Fill = None) -> np.ndarray:
    """The beats of stream C0 for the matrix ``c0`` (M × N); ``format`` is the raw result's."""
    lanes = _lanes(c0, 1, geometry.n, format, fill).reshape(-1, geometry.n)
    return _beats(lanes[c_order(*c0.shape, geometry)], geometry.c_lanes)


def unpack_c(beats: np.ndarray, m: int, n: int, geometry: Geometry, format: Operand) -> np.ndarray:
    """The matrix C (M × N) from its beats, as ``format``'s lane type, or float32.

    Raises :class:`LayoutError` where the number of beats or the padding (zero) is wrong.
    """
    panels = -(-n // geometry.n)
    width = geometry.c_lanes * format.lane_width // 8
    if beats.shape != (m * panels, width):
        raise LayoutError(f"C has {beats.shape} beats × bytes, not {(m * panels, width)}")
    lanes = np.ascontiguousarray(beats).view(f"<u{format.lane_width // 8}")
    c = np.empty_like(lanes)
    c[c_order(m, n, geometry)] = lanes
    c = c.reshape(m, panels * geometry.n)
    if c[:, n:].any():
        row, column = np.argwhere(c[:, n:])[0]
        raise LayoutError(f"padding of C is not zero at row {row}, column {n + column} of {n}")
    return operands.numbers(np.ascontiguousarray(c[:, :n]), format)


@functools.lru_cache(maxsize=64)
def c_order(m: int, n: int, geometry: Geometry) -> np.ndarray:
    """For each beat of C: its place in row-major (row, column panel) order. Read-only."""
    panels = -(-n // geometry.n)
    place = np.arange(m * panels).reshape(m, panels)
    if geometry.stationary is Stationary.WEIGHT:
        order = place.T.ravel()
    else:
        whole = m - m % geometry.m
        head = place[:whole].reshape(-1, geometry.m, panels).transpose(0, 2, 1)
        order = np.concatenate((head.ravel(), place[whole:].T.ravel()))
    order.flags.writeable = False  # the cache's
    return order


def _lanes(matrix: np.ndarray, rows: int, columns: int, format: Operand, fill: Fill) -> np.ndarray:
    """``matrix`` as unsigned lanes, padded to whole blocks of ``rows`` × ``columns``."""
    shape = [
        -(-size // part) * part for size, part in zip(matrix.shape, (rows, columns), strict=True)
    ]
    bits, values = format.lane_width, operands.lanes(matrix, format)
    unsigned = values.dtype
    m, n = matrix.shape
    if fill is None:
        lanes = np.zeros(shape, unsigned)
        lanes[:m, :n] = values
        return lanes
    lanes = np.frombuffer(fill.bytes(shape[0] * shape[1] * bits // 8), unsigned).reshape(shape)
    lanes = lanes.copy()
    ignored = unsigned.type((1 << bits) - (1 << format.width))  # bits above the format's width
    lanes[:m, :n] = (lanes[:m, :n] & ignored) | (values & ~ignored)
    return lanes


def _blocks(lanes: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """(row panel, column panel, row, column) view of a padded matrix."""
    m, n = lanes.shape
    return lanes.reshape(m // rows, rows, n // columns, columns).transpose(0, 2, 1, 3)


def _beats(lanes: np.ndarray, per_beat: int) -> np.ndarray:
    """Lanes in stream order as rows of bytes."""
    return np.ascontiguousarray(lanes).reshape(-1, per_beat).view(np.uint8)
