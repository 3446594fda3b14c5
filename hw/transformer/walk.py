"""Walks over words of a memory of activations, in the orders that readers and writers need."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..engine.walk import Rows, Steps, advance, finished
from .sizes import Sizes

__all__ = ["OPERANDS", "TILES", "TOKENS", "Walk", "heads", "job_ports", "keys", "token_walk"]

OPERANDS = ("sub", "word", "panel")
"""Of A: parts of a word of all rows of a panel."""
TILES = ("row", "word", "panel")
"""Of C, as the output stage gives it."""
TOKENS = ("word", "row", "panel")


def heads(sizes: Sizes) -> tuple[str, ...]:
    """Of queries, and of their results: words of a token's head. ``head`` is one of keys and
    values, ``group`` those of queries that share it."""
    return ("part", *_group(sizes), "row", "panel", "head")


def keys(sizes: Sizes) -> tuple[str, ...]:
    """Of keys and values: all of a head's, again for each query."""
    return ("part", "panel", *_group(sizes), "query", "head")


def _group(sizes: Sizes) -> tuple[str, ...]:
    return ("group",) if sizes.group > 1 else ()


def job_ports(sizes: Sizes) -> dict:
    """Of what walks over a job's tokens: ``tokens`` that its panels have, of which, in a decoder,
    the ``first`` ones are only there because a panel begins with them: they are none of its own."""
    ports = {"tokens": In(range(sizes.covered + 1))}
    return ports | ({"first": In(range(max(sizes.rows, 2)))} if sizes.causal else {})


class Walk(wiring.Component):
    """Addresses of words in nested ``loops``, innermost first.

    ``start`` with ``tokens`` (and ``first``: :func:`job_ports`), ``words`` (of a token, for the
    loop ``word``), ``stride`` (of the region) and ``offset`` (where it begins), held while it runs.
    From the next cycle ``running`` until the last has been taken: ``take``: this one is. Of each:
    ``address``, ``row`` (the bank of its token), ``sub`` (which part of the word), ``keep`` (which
    rows of the panel are tokens of the job), ``lasts`` (which loops are at their last step).

    Tokens that are none of the job's are walked over in panels that come whole
    (:data:`OPERANDS`, :data:`TILES`), and left out else. Of a decoder :func:`keys` has ``tokens``
    queries from ``position`` on, each with the panels of the keys that it sees.
    """

    def __init__(self, *, sizes: Sizes, loops: tuple[str, ...]):
        self.sizes, self.loops = sizes, loops
        self.depth = sizes.most_depth
        self.by_query = sizes.causal and "query" in loops
        job = job_ports(sizes)
        if self.by_query:
            job = {"tokens": In(range(sizes.tokens + 1)), "position": In(range(sizes.context))}
        super().__init__(
            {
                "start": In(1),
                **job,
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
        made = self._loops(m)
        loops = [made[name] for name in self.loops]
        running = Signal()
        place = self._base(m, "panel", made, self.stride)
        if "head" in made:
            shared = 1 if "query" in made else sizes.group
            place = place + self._base(m, "head", made, shared * sizes.parts)
        if "group" in made and "query" not in made:
            place = place + self._base(m, "group", made, sizes.parts)
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
            self.keep.eq(Cat(self._own(made["panel"], row) for row in range(sizes.rows))),
            self.lasts.eq(Cat(loop.last for loop in loops)),
        ]
        return m

    def _loops(self, m) -> dict:
        """The loops by their names."""
        sizes, panel_tokens, most = self.sizes, self.tokens, self.sizes.covered
        if self.by_query:
            most = sizes.context
            panel_tokens = Signal(range(most + 1), name="next_keys")
        panel = Steps(m, "panel", panel_tokens, sizes.rows, most)
        make = {
            "sub": lambda: Steps(m, "sub", sizes.subs, 1, sizes.subs, indexed=True),
            "word": lambda: Steps(m, "word", self.words, 1, sizes.most_words, indexed=True),
            "part": lambda: Steps(m, "part", sizes.parts, 1, sizes.parts, indexed=True),
            "row": lambda: self._rows(m, panel),
            "group": lambda: Steps(m, "group", sizes.group, 1, sizes.group),
            "query": lambda: Steps(m, "query", self.tokens, 1, sizes.tokens),
            "head": lambda: Steps(m, "head", sizes.kv_heads, 1, sizes.kv_heads),
        }
        made = {"panel": panel}
        made |= {name: make[name]() for name in self.loops if name != "panel"}
        if self.by_query:
            self._count_keys(m, made, panel_tokens)
        return made

    def _rows(self, m, panel):
        if self.sizes.causal and self.loops != TILES:
            return _RowsFrom(m, panel, self.sizes.rows, self.first)
        return Rows(m, panel.top, self.sizes.rows)

    def _own(self, panel, row: int):
        """Whether the panel has a token of the job in ``row``."""
        if self.sizes.causal and not self.by_query:
            return panel.has(row) & ~(panel.begins & (self.first > row))
        return panel.has(row)

    def _count_keys(self, m, made, following):
        """``following``: keys of the query whose panels begin next, one more than of the last."""
        keys = Signal.like(following, name="query_keys", reset_less=True)
        first = self.position + 1
        within = [made[name] for name in self.loops[: self.loops.index("query")]]
        m.d.comb += following.eq(keys)
        with m.If(self.start):
            m.d.comb += following.eq(first)
        with m.Elif(finished(*within)):
            m.d.comb += following.eq(Mux(made["query"].last, first, keys + 1))
        with m.If(self.start | self.take):
            m.d.sync += keys.eq(following)

    def _base(self, m, name: str, made, step):
        """What the loop ``name`` adds to the address: ``step`` more each time, from 0 again."""
        base = Signal(range(self.depth), name=f"{name}_base", reset_less=True)
        inner = [made[each] for each in self.loops[: self.loops.index(name)]]
        with m.If(self.start):
            m.d.sync += base.eq(0)
        with m.Elif(self.take & finished(*inner)):
            m.d.sync += base.eq(Mux(made[name].last, 0, base + step))
        return base


def token_walk(m, name: str, sizes: Sizes, region: str, words: int) -> Walk:
    """A walk, which is the submodule ``name``, over ``words`` words of each token in a region that
    is none of a cache; its start and job are to be connected."""
    memory, place = sizes.region(region)
    m.submodules[name] = walk = shared(Walk, sizes=sizes, loops=TOKENS)
    m.d.comb += [
        walk.words.eq(words),
        walk.stride.eq(sizes.strides[memory]),
        walk.offset.eq(place),
    ]
    return walk


class _RowsFrom(Rows):
    """Rows of a panel, from ``first`` on in the first one."""

    def __init__(self, m, panel, limit: int, first):
        super().__init__(m, panel.top, limit)
        self._panel, self._first = panel, first

    def restart(self):
        if self.index is not None:
            self._m.d.sync += self.index.eq(self._first)

    def advance(self, again: bool):
        if self.index is not None:
            begin = Mux(self._panel.last, self._first, 0)
            self._m.d.sync += self.index.eq(Mux(self.last, begin, self.index + 1))
