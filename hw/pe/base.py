"""What a processing element (PE) is to an array.

A PE variant is three combinational parts, and arrays place them where dataflow and cost want them:

========== ===================== ==========================================================
part       where                 function
========== ===================== ==========================================================
encoder    array edge, one per   operand ``a`` (``a.width`` bits) -> code (``code_width``
           operand lane          bits) that travels through the array; absent = ``a`` itself
dot        in the array          state + sum of ``depth`` products code*b -> state
resolve    drain, one per column state -> two's complement of the accumulator's width
========== ===================== ==========================================================

The *state* of an accumulator is ``words`` vectors of its width (1 = two's complement, 2 = sum and
carry), always modulo ``2**width``. The all-zero state is zero.
"""

from dataclasses import dataclass

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.adders import Add, AddRedundant
from ..cells import shared
from ..formats import Format


class Dot(wiring.Component):
    """Base of a PE's arithmetic, combinational: ``o = c + sum(a[d] * b[d] for d in range(depth))``.

    Ports: ``a`` (depth codes, ``pe.code_width`` bits each, element 0 lowest), ``b`` (depth operands
    of ``pe.b.width`` bits), ``c`` and ``o`` (state, ``pe.words * width`` bits).
    The sum is modulo ``2**width``: exact whenever the true sum fits ``width`` signed bits.
    """

    sequential = False

    def __init__(self, *, pe: "Pe", depth: int, width: int):
        if depth < 1 or width < 1:
            raise ValueError(f"depth and width must be positive, not {depth} and {width}")
        self.pe, self.depth, self.width = pe, depth, width
        state = pe.words * width
        super().__init__(
            {
                "a": In(depth * pe.code_width),
                "b": In(depth * pe.b.width),
                "c": In(state),
                "o": Out(state),
            }
        )

    def a_codes(self):
        """The ``depth`` codes, unsigned vectors."""
        return [self.a.word_select(d, self.pe.code_width) for d in range(self.depth)]

    def a_operands(self):
        """The ``depth`` first operands as numbers (only where the code is the operand itself)."""
        return [as_number(code, self.pe.a) for code in self.a_codes()]

    def b_operands(self):
        """The ``depth`` second operands as numbers."""
        return [
            as_number(self.b.word_select(d, self.pe.b.width), self.pe.b) for d in range(self.depth)
        ]


class Resolve(wiring.Component):
    """State -> two's complement, combinational. Base: the state is the number already."""

    sequential = False

    def __init__(self, *, pe: "Pe", width: int):
        self.pe, self.width = pe, width
        super().__init__({"i": In(pe.words * width), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        words = [self.i.word_select(n, self.width) for n in range(self.pe.words)]
        total = words[0]
        for word in words[1:]:
            total = (total + word)[: self.width]
        m.d.comb += self.o.eq(total)
        return m


@dataclass(frozen=True)
class Pe:
    """A PE variant for operand formats ``a`` (the recoded operand, where it recodes) and ``b``.

    Subclasses set ``dot_class`` and, where they differ from the plain PE, ``encoder_class``,
    ``code_width``, ``words`` and ``resolve_class``. Hashable, so that it can name a shared cell.
    """

    a: Format
    b: Format

    dot_class = None
    encoder_class = None
    """Component with keyword ``format``, ports ``i`` (format.width) and ``o`` (code_width)."""
    resolve_class = Resolve
    words = 1
    """Vectors in an accumulator's state: 1 two's complement, 2 carry-save."""

    @property
    def adder_class(self):
        """Component with keywords ``width``, ``i_width``, ``saturate``: state ``i`` (``i_width``
        bits a word) plus state ``c`` (``width`` bits a word)."""
        return Add if self.words == 1 else AddRedundant

    @property
    def resolve_latency(self) -> int:
        """Cycles that the drain needs for a state; a carry-save one gets a register behind its
        carry-propagate add, so that the add has a cycle of its own."""
        return self.words - 1

    @property
    def code_width(self) -> int:
        """Bits per operand ``a`` inside the array."""
        return self.a.width


def as_number(bits, format: Format):
    """A vector read as a number of ``format``."""
    return bits.as_signed() if format.signed else bits.as_unsigned()


def encode(m, pe: Pe, operands, name: str):
    """Codes of ``operands`` (vectors of ``pe.a.width`` bits): one encoder each, in module ``m``."""
    if pe.encoder_class is None:
        return list(operands)
    codes = []
    for index, operand in enumerate(operands):
        m.submodules[f"{name}_{index}"] = encoder = shared(pe.encoder_class, format=pe.a)
        m.d.comb += encoder.i.eq(operand)
        code = Signal(pe.code_width, name=f"{name}_code_{index}")
        m.d.comb += code.eq(encoder.o)
        codes.append(code)
    return codes
