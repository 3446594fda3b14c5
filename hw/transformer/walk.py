"""Walks over words of a memory of activations, in the orders that readers and writers need."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..engine.walk import Rows, Steps, advance, finished
from .sizes import Sizes

__all__ = ["HEADS", "KEYS", "OPERANDS", "TILES", "TOKENS", "Walk"]

OPERANDS = ("sub", "word", "panel")
"""Of A: parts of a word of all rows of a panel."""
TILES = ("row", "word", "panel")
"""Of C, as the output stage gives it."""
TOKENS = ("word", "row", "panel")
HEADS = ("part", "row", "panel", "head")
"""Of queries, and of their results: words of a token's head."""
KEYS = ("part", "panel", "query", "head")
"""Of keys and values: all of a head's, again for each query."""


class Walk(wiring.Component):
    """Addresses of words in nested ``loops``, innermost first.

    ``start`` with ``tokens``, ``words`` (of a token, for the loop ``word``), ``stride`` (of the
    memory) and ``offset`` (of the region), held while it runs. From the next cycle ``running``
    until the last has been taken: ``take``: this one is. Of each: ``address``, ``row`` (the bank of
    its token), ``sub`` (which part of the word), ``keep`` (which rows of the panel are tokens),
    ``lasts`` (which loops are at their last step).
    """

    def __init__(self, *, sizes: Sizes, loops: tuple[str, ...]):
        self.sizes, self.loops = sizes, loops
        self.depth = sizes.most_depth
        super().__init__(
            {
                "start": In(1),
                "tokens": In(range(sizes.tokens + 1)),
                "words": In(range(sizes.most_words + 1)),
                "stride": In(range(max(sizes.strides) + 1)),
                "offset": In(range(self.depth)),
                "take": In(1),
                "running": Out(1),
                "address": Out(range(self.depth)),
                "row": Out(range(max(sizes.rows, 2))),
                "sub": Out(range(max(sizes.subs, 2))),
                "keep": Out(sizes.rows),
                "lasts": Out(len(loops)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        sizes = self.sizes
        made = {"panel": Steps(m, "panel", self.tokens, sizes.rows, sizes.tokens)}
        make = {
            "sub": lambda: Steps(m, "sub", sizes.subs, 1, sizes.subs, indexed=True),
            "word": lambda: Steps(m, "word", self.words, 1, sizes.most_words, indexed=True),
            "part": lambda: Steps(m, "part", sizes.parts, 1, sizes.parts, indexed=True),
            "row": lambda: Rows(m, made["panel"].top, sizes.rows),
            "query": lambda: Steps(m, "query", self.tokens, 1, sizes.tokens),
            "head": lambda: Steps(m, "head", sizes.heads, 1, sizes.heads),
        }
        made |= {name: make[name]() for name in self.loops if name != "panel"}
        loops = [made[name] for name in self.loops]
        running = Signal()
        place = self._base(m, "panel", made, self.stride)
        if "head" in made:
            place = place + self._base(m, "head", made, sizes.parts)
        inner = made.get("word") or made["part"]
        with m.If(self.start):
            m.d.sync += running.eq(1)
            for loop in loops:
                loop.restart()
        with m.Elif(self.take):
            advance(m, *loops)
            with m.If(finished(*loops)):
                m.d.sync += running.eq(0)
        row = made["row"].index if "row" in made else None
        m.d.comb += [
            self.running.eq(running),
            self.address.eq(place + inner.index + self.offset),
            self.row.eq(Const(0) if row is None else row),
            self.sub.eq(made["sub"].index if "sub" in made else 0),
            self.keep.eq(Cat(made["panel"].has(row) for row in range(sizes.rows))),
            self.lasts.eq(Cat(loop.last for loop in loops)),
        ]
        return m

    def _base(self, m, name: str, made, step):
        """What the loop ``name`` adds to the address: ``step`` more each time, from 0 again."""
        base = Signal(range(self.depth), name=f"{name}_base", reset_less=True)
        inner = [made[each] for each in self.loops[: self.loops.index(name)]]
        with m.If(self.start):
            m.d.sync += base.eq(0)
        with m.Elif(self.take & finished(*inner)):
            m.d.sync += base.eq(Mux(made[name].last, 0, base + step))
        return base
