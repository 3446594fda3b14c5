"""What a processing element (PE) is to an array.

A PE variant is three combinational parts, and arrays place them where dataflow and cost want them:

========== ===================== ==========================================================
part       where                 function
========== ===================== ==========================================================
recoder    array edge, one per   one of the operands -> its code, which travels through the
           lane of the recoded   array in its place; absent: both travel as they are
           operand
dot        in the array          state + sum of ``depth`` products a*b -> state
resolve    drain, one per column state -> two's complement of the accumulator's width
========== ===================== ==========================================================

The *state* of an accumulator is ``words`` vectors of its width (1 = two's complement, 2 = sum and
carry), always modulo ``2**width``. The all-zero state is zero.
"""

from dataclasses import dataclass

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith import redundant
from ..arith.recoding import Recoding
from ..cells import shared
from ..formats import Format, accumulator_width


class Dot(wiring.Component):
    """Base of a PE's arithmetic, combinational: ``o = c + sum(a[d] * b[d] for d in range(depth))``.

    Ports: ``a`` and ``b`` (depth operands or codes, ``pe.inner_width(…)`` bits each, element 0
    lowest), ``c`` and ``o`` (state, ``pe.state_bits(width)``).
    The sum is modulo ``2**width``: exact whenever the true sum fits ``width`` signed bits.
    """

    sequential = False

    def __init__(self, *, pe: "Pe", depth: int, width: int):
        if depth < 1 or width < 1:
            raise ValueError(f"depth and width must be positive, not {depth} and {width}")
        self.pe, self.depth, self.width = pe, depth, width
        state = pe.state_bits(width)
        super().__init__(
            {
                "a": In(depth * pe.inner_width("a")),
                "b": In(depth * pe.inner_width("b")),
                "c": In(state),
                "o": Out(state),
            }
        )

    def inner(self, operand: str):
        """The ``depth`` vectors of operand ``"a"`` or ``"b"`` as they travel: bits or codes."""
        width = self.pe.inner_width(operand)
        return [getattr(self, operand).word_select(d, width) for d in range(self.depth)]

    def numbers(self, operand: str):
        """The ``depth`` operands as numbers (only of an operand that is not recoded)."""
        assert self.pe.recoding is None or self.pe.encode != operand
        format = getattr(self.pe, operand)
        return [as_number(bits, format) for bits in self.inner(operand)]


class Resolve(wiring.Component):
    """State -> two's complement, combinational. Base: the state is the number already."""

    sequential = False

    def __init__(self, *, pe: "Pe", width: int):
        self.pe, self.width = pe, width
        super().__init__({"i": In(pe.state_bits(width)), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        words = self.pe.rows(self.i, self.width)
        total = words[0]
        for word in words[1:]:
            total = (total + word)[: self.width]
        m.d.comb += self.o.eq(total)
        return m


@dataclass(frozen=True)
class Pe:
    """A PE variant for operand formats ``a`` and ``b``.

    Subclasses set ``dot_class`` and, where they differ from the plain PE, ``recoding``, ``words``,
    ``edge_latency``, ``resolve_latency`` and ``resolve_class``; options of the configuration are
    further fields with defaults. Hashable, so that it can name a shared cell.
    """

    a: Format
    b: Format

    dot_class = None
    resolve_class = Resolve
    products_class = None
    """Products alone, of ``a`` and ``b``, as ``o`` and a ``negate`` that the accumulator's adder
    (:attr:`add_class`) adds to them: for a register between the two. None: ``dot`` from zero."""
    add_class = None
    words = 1
    """Vectors in an accumulator's state: 1 two's complement, 2 carry-save."""
    edge_latency = 0
    """Cycles that operands spend at the array's edge: 1 for a register behind the recoders."""
    resolve_latency = 0
    """Cycles that the drain needs for a state: 1 for a register behind the carry-propagate add."""

    @property
    def encode(self) -> str:
        """Which operand is recoded, where one is: ``"a"`` or ``"b"``."""
        return "a"

    @property
    def recoding(self) -> Recoding | None:
        """How operand :attr:`encode` is recoded; None: not at all."""
        return None

    def summing(self, depth: int) -> "Pe":
        """This PE for arrays whose PEs add ``depth`` products at a time: what a state needs."""
        return self

    def add_parameters(self, width: int, i_width: int) -> dict:
        """Those of :attr:`add_class`, for a state of ``width`` bits and products of ``i_width``."""
        return {"width": width, "i_width": i_width}

    def carries(self, width: int) -> int:
        """Carry bits of a redundant state of ``width`` bits: see :mod:`..arith.redundant`."""
        return width

    def product_width(self, depth: int) -> int:
        """Bits that hold the sum of ``depth`` products exactly."""
        return accumulator_width(self.a, self.b, depth)

    def state_bits(self, width: int) -> int:
        """Bits of an accumulator's state."""
        return width if self.words == 1 else width + self.carries(width)

    def rows(self, state, width: int) -> list:
        """The ``words`` vectors of ``width`` bits whose sum a state is, modulo ``2**width``."""
        return [state] if self.words == 1 else redundant.rows(state, width, self.carries(width))

    def inner_width(self, operand: str) -> int:
        """Bits of an operand (``"a"`` or ``"b"``) inside the array: its own, or its code's."""
        if self.recoding is not None and self.encode == operand:
            return self.recoding.code_width
        return getattr(self, operand).width


def as_number(bits, format: Format):
    """A vector read as a number of ``format``."""
    return bits.as_signed() if format.signed else bits.as_unsigned()


def recode(m, pe: Pe, operand: str, lanes, name: str):
    """What travels through the array in the place of ``lanes`` (vectors of operand ``"a"`` or
    ``"b"``): their codes, one recoder each, or themselves. Built in module ``m``."""
    if pe.recoding is None or pe.encode != operand:
        return list(lanes)
    codes = []
    for index, lane in enumerate(lanes):
        recoder = shared(pe.recoding.recoder_class, recoding=pe.recoding)
        m.submodules[f"{name}_{index}"] = recoder
        m.d.comb += recoder.i.eq(lane)
        code = Signal(pe.recoding.code_width, name=f"{name}_code_{index}")
        m.d.comb += code.eq(recoder.o)
        codes.append(code)
    return codes
