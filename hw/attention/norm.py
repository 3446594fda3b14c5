"""LayerNorm and RMSNorm of whole rows: the standalone block."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.adders import tree
from ..arith.constant import divided
from ..arith.divider import ConstantDivider
from ..arith.requantize import Requantizer
from ..arith.square_root import SquareRoot
from ..cells import shared
from ..formats import Format, Rounding
from ..stream import HeldMemory, RowQueue
from .leading import Normalise
from .scores import delayed

__all__ = ["RowNorm"]

PRECISION = 19
"""Bits of the reciprocal of a root."""
QUEUE = 16
"""Beats that may be on their way to ``o`` or wait there."""


class RowNorm(wiring.Component):
    """Rows of ``size`` numbers -> (x − mean) / sqrt(variance + epsilon), worth 2**-``fraction``.

    ``i``: beats of ``lanes`` numbers of ``format`` (signed), ``size`` / ``lanes`` of them a row;
    ``o``: as many beats of numbers of ``o_format``, saturated. ``centred`` false: RMSNorm, no mean.
    ``epsilon``, at least 1, is in units of x**2: a row without variance gives 0. ``guard``:
    fraction bits of mean and root. Gain and bias are a :class:`..arith.requantize.Requantizer`'s or
    the next layer's. Golden model: ``golden.attention.norm.normalised``.

    One row at a time, n beats: loaded, squared and given. Its first result is offered ``latency``
    + 2 n cycles after its first beat.
    """

    def __init__(
        self,
        *,
        size: int,
        lanes: int,
        format: Format,
        o_format: Format,
        fraction: int = 7,
        epsilon: int = 1,
        guard: int = 4,
        centred: bool = True,
    ):
        if lanes < 1 or size % lanes:
            raise ValueError(f"lanes must divide size, which is {size}, and are {lanes}")
        if epsilon < 1:
            raise ValueError(f"epsilon must be at least 1, not {epsilon}")
        if not format.signed:
            raise ValueError(f"format must be signed, not {format}")
        self.size, self.lanes, self.format, self.o_format = size, lanes, format, o_format
        self.fraction, self.epsilon, self.guard, self.centred = fraction, epsilon, guard, centred
        self.beats = size // lanes
        # Of x with guard bits, less a mean of that size.
        self.difference = Format(format.width + guard + centred)
        most = (1 << (self.difference.width - 1)) ** 2
        bits = (most + (epsilon << 2 * guard)).bit_length()
        self.square_width = bits + bits % 2
        self.squares_width = (size * most).bit_length()
        # Mean; read, square and sum; division by size; root; leading zeros; divider; reciprocal;
        # difference; requantiser.
        root, divide = self.square_width // 2, (PRECISION + 1) // 2
        self.latency = centred + 2 + 1 + root + 1 + divide + 1 + 1 + 1 + 3
        super().__init__(
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "i_data": In(lanes * format.width),
                "o_valid": Out(1),
                "o_ready": In(1),
                "o_data": Out(lanes * o_format.width),
                "o_last": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.row = row = shared(
            HeldMemory, width=len(self.i_data), depth=max(self.beats, 2)
        )
        place = Signal(range(max(self.beats, 2)))
        at_end = Signal()
        step = Signal(2)
        load, square, give = (step == n for n in (0, 1, 3))
        room = Signal()
        take = Signal()
        gives = Signal()
        read = Signal()
        ready = Signal()
        m.d.comb += [
            self.i_ready.eq(load),
            take.eq(load & self.i_valid),
            gives.eq(give & room),
            read.eq((square & ready) | gives),
            at_end.eq(place == self.beats - 1),
            row.w_en.eq(take),
            row.w_addr.eq(place),
            row.w_data.eq(self.i_data),
            row.r_en.eq(read),
            row.r_addr.eq(place),
        ]
        differences = self._differences(m, row, take, place, take & at_end, ready)
        rooted, reciprocal, shift = self._reciprocal(
            m, differences, read & square, place, read & square & at_end
        )
        with m.If(take | read):
            m.d.sync += place.eq(Mux(at_end, 0, place + 1))
            with m.If(at_end):
                m.d.sync += step.eq(step + 1)
        with m.If(rooted):
            m.d.sync += step.eq(3)
        self._given(m, differences, gives, at_end, room, reciprocal, shift)
        return m

    def _words(self, data):
        return [data.word_select(n, self.format.width).as_signed() for n in range(self.lanes)]

    def _differences(self, m, row, take, place, loaded, ready):
        """Of what was read from the mean, two cycles after the read. ``ready``: there is one."""
        if not self.centred:
            m.d.comb += ready.eq(1)
            mean = 0
        else:
            width = self.format.width + self.size.bit_length()
            total = Signal(signed(width), name="total", reset_less=True)
            mean = Signal(signed(self.format.width + self.guard + 1), name="mean", reset_less=True)
            of_beat = tree(self._words(self.i_data))
            with m.If(take):
                m.d.sync += total.eq(Mux(place == 0, 0, total) + of_beat)
            # The total is there a cycle after the last beat, and its mean another one later.
            have = delayed(m, loaded, 1, "loaded", reset=True)
            doubled = 2 * (total << self.guard) + self.size
            with m.If(have):
                m.d.sync += [mean.eq(divided(doubled, 2 * self.size)), ready.eq(1)]
            with m.Elif(take):
                m.d.sync += ready.eq(0)
        found = []
        for lane, word in enumerate(self._words(row.r_data)):
            difference = Signal(
                signed(self.difference.width), name=f"difference_{lane}", reset_less=True
            )
            m.d.sync += difference.eq((word << self.guard) - mean)
            found.append(difference)
        return found

    def _reciprocal(self, m, differences, reads, place, last):
        """A pulse when 1 / sqrt(…) will be there, it, and the shift that goes with it."""
        squares = Signal(self.squares_width, reset_less=True)
        of_beat = Signal(self.squares_width, name="squares_of_beat")
        valid = delayed(m, reads, 2, "square", reset=True)
        first = delayed(m, place == 0, 2, "square_first")
        mean_square = Signal(self.square_width, reset_less=True)
        m.d.comb += of_beat.eq(tree(x * x for x in differences))
        with m.If(valid):
            m.d.sync += squares.eq(Mux(first, 0, squares) + of_beat)
        m.d.sync += mean_square.eq(divided(squares, self.size) + (self.epsilon << 2 * self.guard))
        m.submodules.root = root = shared(SquareRoot, width=self.square_width)
        bits = self.square_width // 2
        m.submodules.leading = leading = shared(Normalise, width=bits)
        m.submodules.divider = divider = shared(
            ConstantDivider,
            numerator=1 << (bits - 1 + PRECISION),
            least=1 << (bits - 1),
            width=bits,
        )
        mantissa = Signal(bits, reset_less=True)
        found = Signal.like(leading.bits, name="root_bits", reset_less=True)
        reciprocal = Signal(PRECISION + 1, reset_less=True)
        start = delayed(m, last, 4, "start", reset=True)
        rooted = delayed(m, start, bits, "rooted", reset=True)
        divide = delayed(m, rooted, 1, "divide", reset=True)
        done = delayed(m, divide, (PRECISION + 1) // 2, "divided", reset=True)
        m.d.comb += [
            root.start.eq(start),
            root.i.eq(mean_square),
            leading.i.eq(root.o),
            divider.start.eq(divide),
            divider.i.eq(mantissa),
        ]
        with m.If(rooted):
            m.d.sync += [mantissa.eq(leading.mantissa), found.eq(leading.bits)]
        with m.If(done):
            m.d.sync += reciprocal.eq(divider.o)
        shift = Signal(6)
        m.d.comb += shift.eq(found + (PRECISION - 1 - self.fraction))
        return done, reciprocal, shift

    def _given(self, m, differences, gives, at_end, room, reciprocal, shift):
        m.submodules.queue = queue = shared(RowQueue, width=len(self.o_data) + 1, depth=QUEUE)
        results = []
        for lane, difference in enumerate(differences):
            m.submodules[f"scale_{lane}"] = scale = shared(
                Requantizer,
                in_format=self.difference,
                out_format=self.o_format,
                rounding=Rounding.HALF_UP,
                multiplier_bits=PRECISION + 1,
            )
            m.d.comb += [
                scale.en.eq(1),
                scale.i.eq(difference),
                scale.multiplier.eq(reciprocal),
                scale.shift.eq(shift),
                scale.zero_point.eq(Const(0, signed(17))),
            ]
            results.append(scale.o)
        on_way = Signal(range(QUEUE + 1))
        popped = self.o_valid & self.o_ready
        m.d.sync += on_way.eq(on_way + gives - popped)
        after = 2 + 3
        m.d.comb += [
            room.eq(on_way != QUEUE),
            queue.i_valid.eq(delayed(m, gives, after, "given", reset=True)),
            queue.i_data.eq(Cat(*results, delayed(m, at_end, after, "given_last"))),
            self.o_valid.eq(queue.o_valid),
            self.o_data.eq(queue.o_data[:-1]),
            self.o_last.eq(queue.o_data[-1]),
            queue.o_ready.eq(self.o_ready),
        ]
