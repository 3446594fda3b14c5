"""Compressor trees: the one way in which this project adds more than two numbers.

Everything is modulo ``2**width``. Operands become columns of bits, every bit that counts negatively
(the sign bit of a signed operand) is replaced by its complement and a constant, all constants are
folded into one, and Dadda's scheme (L. Dadda, "Some schemes for parallel multipliers", 1965)
reduces the columns to two rows, *sum* and *carry*, with 3:2 counters and as few half
adders as possible.

A pair is meaningful only as a whole: ``(sum + carry) % 2**width``. Neither row may be extended,
shifted right or compared on its own, and no overflow test works before the final addition.
"""

from typing import NamedTuple

from amaranth.hdl import Cat, Const, Module, Signal, Value

__all__ = ["Operand", "merge", "reduce", "total"]


class Operand(NamedTuple):
    """A term of a sum: ``value * 2**shift``.

    ``value`` is anything that Amaranth casts to a value; integers and constants cost no hardware.
    ``signed`` tells how to read its bits; ``None`` takes that from the value's own shape, which is
    unsigned for slices and concatenations.
    """

    value: object
    signed: bool | None = None
    shift: int = 0


_ONE = "1"  # the constant bit, distinct from every Value


def reduce(m: Module, operands, width: int, *, name: str = "tree") -> tuple[Value, Value]:
    """Two ``width``-bit values whose sum is the sum of all ``operands``, modulo ``2**width``.

    ``operands`` are :class:`Operand` (or tuples of its fields) or bare values. Adds combinational
    logic to ``m``: per stage one vector of full adders for each rank, one vector of half adders.
    """
    if isinstance(width, bool) or not isinstance(width, int) or width < 1:
        raise ValueError(f"width must be a positive integer, not {width!r}")
    columns = _columns(m, operands, width, name)
    for stage, limit in enumerate(_limits(max(map(len, columns)))):
        columns = _stage(m, columns, limit, f"{name}_{stage}")
    rows = []
    for row, suffix in enumerate(("sum", "carry")):
        bits = [_value(column[row]) if row < len(column) else Const(0, 1) for column in columns]
        rows.append(Signal(width, name=f"{name}_{suffix}"))
        m.d.comb += rows[-1].eq(Cat(*bits))
    return rows[0], rows[1]


def merge(m: Module, rows, ones, width: int, *, left: int = 2, name: str = "merge") -> list[Value]:
    """``left`` (2 or 3) ``width``-bit values with the sum of ``rows`` and ``ones``, modulo
    ``2**width``; as many as ``rows`` if these are fewer.

    ``rows``: vectors of ``width`` bits; ``ones``: single bits of weight 1, at most as many as rows
    disappear. Row by row, not column by column: every 3:2 stage shifts its carries by one and so
    leaves a free place of weight 1, where a complement's 1 costs nothing.
    """
    rows, ones = list(rows), list(ones)
    assert all(len(row) == width for row in rows) and len(ones) <= max(len(rows) - left, 0)
    add, majority = _LOGIC[3, False]
    count = 0
    while len(rows) > left:
        full = len(rows) // 3 * 3
        result = []
        for three in zip(*(rows[first:full:3] for first in range(3)), strict=True):
            low = Signal(width, name=f"{name}_{count}_sum")
            high = Signal(width, name=f"{name}_{count}_carry")
            place = ones.pop(0) if ones else Const(0, 1)
            m.d.comb += [
                low.eq(add(*three)),
                high.eq(Cat(place, majority(*(row[:-1] for row in three)))),
            ]
            result += [low, high]
            count += 1
        rows = result + rows[full:]
    return rows


def total(m: Module, operands, width: int, *, name: str = "tree") -> Value:
    """The sum of all ``operands`` modulo ``2**width`` as one ``width``-bit value: the tree, and a
    carry-propagate adder behind it."""
    low, high = reduce(m, operands, width, name=name)
    result = Signal(width, name=f"{name}_total")
    m.d.comb += result.eq(low + high)
    return result


def _columns(m, operands, width, name):
    """The bits to add, per weight: lists of one-bit values, at most one of them the constant."""
    columns = [[] for _ in range(width)]
    constant = 0
    for index, operand in enumerate(operands):
        value, signed, shift = Operand(*operand) if isinstance(operand, tuple) else Operand(operand)
        if isinstance(shift, bool) or not isinstance(shift, int) or shift < 0:
            raise ValueError(f"shift must be a non-negative integer, not {shift!r}")
        value = Value.cast(value)
        if signed is None:
            signed = value.shape().signed
        if isinstance(value, Const):
            constant += _read(value.value, len(value), signed) << shift
            continue
        if not isinstance(value, Signal):  # an expression is emitted again for every use of a bit
            source = Signal(len(value), name=f"{name}_in{index}")
            m.d.comb += source.eq(value)
            value = source
        for position in range(min(len(value), width - shift)):
            weight = position + shift
            # -b * 2**w = ~b * 2**w - 2**w; in the top column both signs are the same.
            if signed and position == len(value) - 1 and weight < width - 1:
                inverse = Signal(name=f"{name}_not{index}")
                m.d.comb += inverse.eq(~value[position])
                columns[weight].append(inverse)
                constant -= 1 << weight
            else:
                columns[weight].append(value[position])
    for weight, column in enumerate(columns):
        if constant >> weight & 1:
            column.append(_ONE)
    return columns


def _read(bits, width, signed):
    bits &= (1 << width) - 1
    return bits - (1 << width) if signed and width and bits >> (width - 1) else bits


def _value(bit):
    return Const(1, 1) if bit is _ONE else bit


def _limits(height):
    """Dadda's column heights below ``height``, largest first, down to 2: 2, 3, 4, 6, 9, 13, …"""
    limits = [2]
    while limits[-1] * 3 // 2 < height:
        limits.append(limits[-1] * 3 // 2)
    return reversed(limits) if height > 2 else ()


def _stage(m, columns, limit, name):
    """One level of counters: no column of the result is higher than ``limit``."""
    result = [[] for _ in columns]
    groups = {}  # (inputs, one of them the constant?, rank) -> [(weight, inputs)], by weight
    carries = 0  # from this stage into the current column
    for weight, column in enumerate(columns):
        bits = [bit for bit in column if bit is not _ONE]
        has_one = len(bits) < len(column)
        excess = len(column) + carries - limit
        carries = 0
        while excess > 0:
            size = min(excess, 2) + 1  # a full or a half adder: either frees size - 1 places
            taken = size - has_one  # the constant first: it makes the counter cheap, or free
            group = groups.setdefault((size, has_one, 0 if size == 2 else carries), [])
            group.append((weight, bits[:taken]))
            bits, has_one = bits[taken:], False
            carries += 1
            excess -= size - 1
        result[weight] = bits + [_ONE] * has_one
    for (size, has_one, rank), counters in groups.items():
        _counters(m, _LOGIC[size, has_one], counters, result, f"{name}_{size}{'k' * has_one}{rank}")
    assert all(len(column) <= limit for column in result)
    return result


_LOGIC = {  # (inputs, one of them the constant 1?) -> functions of the others for sum and carry
    (3, False): (lambda x, y, z: x ^ y ^ z, lambda x, y, z: (x & y) | ((x ^ y) & z)),
    (2, False): (lambda x, y: x ^ y, lambda x, y: x & y),
    (3, True): (lambda x, y: ~(x ^ y), lambda x, y: x | y),
    (2, True): (lambda x: ~x, lambda x: x),
}


def _counters(m, logic, counters, result, name):
    """A vector of counters ordered by weight, so that only the last may have nowhere to carry."""
    n_carry = sum(weight + 1 < len(result) for weight, _ in counters)
    inputs = list(zip(*(inputs for _, inputs in counters), strict=True))
    sums = Signal(len(counters), name=f"{name}_s")
    carries = Signal(n_carry, name=f"{name}_c")
    m.d.comb += sums.eq(logic[0](*(Cat(*bits) for bits in inputs)))
    if n_carry:
        m.d.comb += carries.eq(logic[1](*(Cat(*bits[:n_carry]) for bits in inputs)))
    for index, (weight, _) in enumerate(counters):
        result[weight].append(sums[index])
        if index < n_carry:
            result[weight + 1].append(carries[index])
