"""What an array of low-bit PEs is driven with, and what must come out."""

import numpy as np

from matweave.hw.lut import transform
from matweave.hw.lut.float_sum import FloatPe
from matweave.hw.lut.float_table import FloatTablePe
from matweave.hw.lut.popcount import PopcountPe
from matweave.hw.lut.quantised_table import QuantisedTablePe
from matweave.hw.weights import Coding
from matweave.sim.golden import floats, lut, lut_float


def packed(values, width: int) -> int:
    """Numbers side by side, the first lowest."""
    return sum((int(value) & ((1 << width) - 1)) << (n * width) for n, value in enumerate(values))


def unpacked(word: int, width: int, count: int) -> list[int]:
    """Signed numbers."""
    found = [word >> (n * width) & ((1 << width) - 1) for n in range(count)]
    return [value - (value >> (width - 1) << width) for value in found]


def expected(pe, a, codes):
    """Sums of one tile, by the golden model or NumPy's product of codes as they are."""
    if isinstance(pe, FloatPe):
        padding = (0, 0), (0, -a.shape[1] % pe.k)
        operands = _floats(pe, a), np.pad(codes, padding), pe.b, pe.a
        options = {"k": pe.k, "accumulator": pe.accumulator}
        if isinstance(pe, FloatTablePe):
            found = lut_float.sums(*operands, sign=pe.sign, serial=pe.serial, **options)
        else:
            found = lut_float.multiplied(*operands, **options)
        return _signed(floats.codes(found, pe.accumulator), pe.accumulator.width)
    if isinstance(pe, QuantisedTablePe):
        return _quantised(pe, a, codes)[0]
    if pe.reinterpreted:
        return lut.uncorrected(a, codes, pe.b)
    patterns = codes ^ (1 << (pe.b.width - 1)) * (pe.b.coding is Coding.SYMMETRIC)
    if pe.b.coding is Coding.TERNARY:
        patterns = (codes & 1) + (codes >> 1)
    return a.astype(np.int64) @ patterns.T


def row_sums(pe, a):
    """Sums of the activations of a tile's rows."""
    if isinstance(pe, FloatTablePe):
        found = lut_float.row_sums(
            _floats(pe, a), pe.a, k=pe.k, sign=pe.sign, accumulator=pe.accumulator
        )
        return _signed(floats.codes(found, pe.accumulator), pe.accumulator.width)
    if isinstance(pe, QuantisedTablePe):
        return _quantised(pe, a, np.zeros((1, a.shape[1]), int))[1]
    return a.sum(axis=1)


def exponents(pe, a):
    """Those of a tile's rows: as large as needed, or too small where its length is odd."""
    found = lut.exponents(a, pe.k, pe.entry)
    return np.maximum(found - a.shape[1] % 2, 0)


def _quantised(pe, a, codes):
    padding = (0, 0), (0, -a.shape[1] % pe.k)
    return lut.quantised(
        np.pad(a, padding), exponents(pe, a), np.pad(codes, padding), pe.b, k=pe.k, entry=pe.entry
    )


def _floats(pe, a):
    """Codes as numbers, whole slices of them."""
    return floats.numbers(np.pad(a, ((0, 0), (0, -a.shape[1] % pe.k))), pe.a)


def _signed(codes, width: int):
    """Unsigned numbers of ``width`` bits, read as two's complement."""
    return codes - (codes >> (width - 1) << width)


class Schedule:
    """Input ports by cycle. ``rng`` chooses where nothing comes for a cycle, and what is on ports
    that are not asked for."""

    def __init__(self, array, rng, *, gaps: bool = True):
        self.array, self.pe, self.rng, self.gaps = array, array.pe, rng, gaps
        members = array.signature.members.items()
        self.names = {name: len(getattr(array, name)) for name, _ in members}
        for name in ("o", "sum"):
            self.names.pop(name, None)
        self.cycles = []
        self.reads = {}
        """Cycle in which a row must be on the bus -> its sums, and that of its activations."""

    def cycle(self, **ports):
        values = {}
        for name, width in self.names.items():
            quiet = name in ("load", "valid", "read")
            garbage = 0 if quiet else int.from_bytes(self.rng.bytes(-(-width // 8)), "little")
            values[name] = ports.get(name, garbage & ((1 << width) - 1))
        self.cycles.append(values)

    def tile(self, a, codes):
        """``a`` (rows, K), ``codes`` (columns, K) of one tile, then its rows read."""
        pe, array = self.pe, self.array
        sign = getattr(pe, "sign", None) if getattr(pe, "table", "") == "folded" else None
        words = transform.words(codes, pe.b, k=pe.k, sign=sign)
        slices = np.pad(a, ((0, 0), (0, -a.shape[1] % pe.k))).reshape(len(a), -1, pe.k)
        first = 1
        for s in range(slices.shape[1]):
            above = exponents(pe, a) if isinstance(pe, QuantisedTablePe) else None
            steps = self._steps(slices[:, s], words[:, s], above)
            for n, ports in enumerate(steps):
                if self.gaps and "load" in ports and self.rng.integers(4) == 0:
                    self.cycle(load=1, a=ports.pop("a"))  # the table before its weights
                    del ports["load"]
                while self.gaps and self.rng.integers(4) == 0:
                    self.cycle()
                self.cycle(valid=1, first=first and n == 0, **ports)
                first = first and n == len(steps)
        for _ in range(array.latency - 1):
            self.cycle()
        sums, totals = expected(pe, a, codes), row_sums(pe, a)
        for row in range(array.rows):
            due = len(self.cycles) + array.read_latency
            self.reads[due] = sums[row].tolist(), int(totals[row])
            self.cycle(read=1 << row)

    def _steps(self, slice_, words, above):
        """Ports of every cycle of a slice: ``slice_`` (rows, k), ``words`` (columns, planes);
        ``above``: of every row, what its port has above the activations."""
        pe = self.pe
        if isinstance(pe, PopcountPe):
            steps = []
            for place in range(pe.a.width):
                bits = (slice_ >> place & 1) << np.arange(pe.k)
                top = place == pe.a.width - 1
                a = packed(bits.sum(axis=1) + (top << pe.k), pe.k + 1)
                for plane, shift in enumerate(pe.b.shifts):
                    w = packed(words[:, plane], pe.k)
                    steps.append({"load": 1, "a": a, "w": w, "shift": place + shift})
            return steps
        rows = [packed(row, pe.a.width) for row in slice_]
        if above is not None:
            rows = [row | int(e) << pe.k * pe.a.width for row, e in zip(rows, above, strict=True)]
        load = {"load": 1, "a": packed(rows, pe.slice_bits)}
        if not pe.serial:
            return [load | {"w": packed(words.reshape(-1), pe.k)}]
        steps = []
        for plane, shift in enumerate(pe.b.shifts):
            ports = {"w": packed(words[:, plane], pe.k)}
            ports |= {"shift": shift} if pe.shift_bits else {}
            steps.append(ports | (load if plane == 0 else {}))
        return steps

    def check(self, run):
        """``run``: a simulator of :mod:`matweave.sim.ports`."""
        for _ in range(self.array.read_latency):
            self.cycle()
        inputs = {name: [cycle[name] for cycle in self.cycles] for name in self.names}
        outputs = run(self.array, inputs)
        array, late = self.array, self.array.read_latency
        assert self.reads
        for cycle, word in enumerate(outputs["o"]):
            if cycle in self.reads:
                sums, total = self.reads[cycle]
                assert unpacked(word, array.width, array.columns) == sums, f"cycle {cycle}"
                if array.sum_width:
                    assert unpacked(outputs["sum"][cycle], array.sum_width, 1) == [total]
            elif cycle >= late and not self.cycles[cycle - late]["read"]:
                assert word == 0, f"cycle {cycle}"
