"""The accumulation step: add products to a state, modulo or saturating, with or without a
register between products and accumulator."""

from amaranth.hdl import Signal

from ..arith.adders import Add
from ..arith.redundant import GUARD, AddRedundant
from ..cells import shared
from ..pe.base import Pe


def accumulate(m, pe: Pe, depth: int, width: int, a, b, c, *, saturate: bool, partial: bool):
    """``c + sum(a*b)`` as a state of ``width`` bits, built in module ``m``.

    ``partial`` puts a register behind the products; ``c`` is then added a cycle later. Saturation
    resolves the sum and therefore needs a PE whose state is two's complement.
    """
    if not saturate and not partial:
        m.submodules.dot = dot = shared(pe.dot_class, pe=pe, depth=depth, width=width)
        m.d.comb += [dot.a.eq(a), dot.b.eq(b), dot.c.eq(c)]
        return dot.o
    if saturate and pe.words != 1:
        raise ValueError(f"{type(pe).__name__} keeps a redundant sum and cannot saturate")
    if partial and not saturate and pe.products_class is not None:
        return _completed(m, pe, width, a, b, c)
    # The products' own sum apart from the accumulator: exact, or as much of it as a state needs.
    redundant = pe.words != 1
    own = min(pe.carries(width) + GUARD, width) if redundant else pe.product_width(depth)
    m.submodules.dot = dot = shared(pe.dot_class, pe=pe, depth=depth, width=own)
    m.d.comb += [dot.a.eq(a), dot.b.eq(b), dot.c.eq(0)]
    products = dot.o
    if partial:
        products = Signal.like(dot.o, name="products", reset_less=True)
        m.d.sync += products.eq(dot.o)
    if redundant:
        add = shared(AddRedundant, width=width, carries=pe.carries(width), i_width=own)
    else:
        add = shared(Add, width=width, i_width=own, saturate=saturate)
    m.submodules.add = add
    # Amaranth would cut or extend a state of the wrong form without a word.
    assert len(add.i) == len(products) and len(add.c) == len(c) == len(add.o)
    m.d.comb += [add.i.eq(products), add.c.eq(c)]
    return add.o


def _completed(m, pe: Pe, width: int, a, b, c):
    """The same with a register behind products that only the accumulator's adder completes."""
    m.submodules.dot = dot = shared(pe.products_class, pe=pe)
    m.submodules.add = add = shared(pe.add_class, **pe.add_parameters(width, len(dot.o)))
    products = Signal.like(dot.o, name="products", reset_less=True)
    carry = Signal.like(dot.negate, name="carry", reset_less=True)
    m.d.sync += [products.eq(dot.o), carry.eq(dot.negate)]
    m.d.comb += [
        dot.a.eq(a),
        dot.b.eq(b),
        add.i.eq(products),
        add.carry.eq(carry),
        add.c.eq(c),
    ]
    return add.o
