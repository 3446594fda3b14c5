"""Loops over tiles by counting down, so that no size is ever divided in hardware."""

from amaranth.hdl import Mux, Signal


class Steps:
    """``total`` (1 to ``limit``) walked in steps of ``step``; the last step may be shorter.

    ``rest``: elements behind the first one of this step, 0 to ``limit - 1``: kept instead of how
    many are left, because a register of that has a value that never occurs, and logic for it that
    nobody can see. ``last``: this is the last step. ``top``: place of this step's last element, 0
    to ``step - 1``; ``size``: elements in it, ``top + 1``. ``index``: which step, from 0 (only if
    ``indexed``). Call :meth:`restart` and :meth:`advance` under the caller's conditions;
    :meth:`advance` goes round to the first step if ``again``, else what it leaves after the last
    step means nothing until the next restart. For the same reason its registers have no reset.
    """

    def __init__(self, m, name: str, total, step: int, limit: int, *, indexed: bool = False):
        self._m, self._step, self._limit = m, step, limit
        self.rest = Signal(range(max(limit, 2)), name=f"{name}_rest", reset_less=True)
        self._all = Signal(range(max(limit, 2)), name=f"{name}_all")
        self.last = Signal(name=f"{name}_last")
        self.top = Signal(range(max(step, 2)), name=f"{name}_top")
        self.size = Signal(range(step + 1), name=f"{name}_size")
        m.d.comb += [
            self._all.eq(total - 1),
            self.last.eq(self.rest < step),
            self.top.eq(Mux(self.last, self.rest, step - 1) if step > 1 else 0),
            self.size.eq(self.top + 1),
        ]
        self.index = None
        if indexed:
            steps = -(-limit // step)
            self.index = Signal(range(max(steps, 2)), name=f"{name}_index", reset_less=True)

    @property
    def begins(self):
        """Whether this is the first step (of a ``total`` that has not changed since)."""
        return self.rest == self._all

    def has(self, place: int):
        """Whether this step has an element at ``place`` (from 0)."""
        return self.top >= place

    def restart(self):
        self._m.d.sync += self.rest.eq(self._all)
        if self.index is not None:
            self._m.d.sync += self.index.eq(0)

    def advance(self, again: bool):
        # Before the last step at least ``step`` elements are behind the first one.
        rest = (self.rest - self._step)[: max(self._limit - 1 - self._step, 0).bit_length()]
        self._m.d.sync += self.rest.eq(Mux(self.last, self._all, rest) if again else rest)
        if self.index is not None:
            following = self.following(again)
            self._m.d.sync += self.index.eq(following)

    def following(self, again: bool):
        """The next step's index."""
        following = (self.index + 1)[: len(self.index)]
        return Mux(self.last, 0, following) if again else following


class Rows:
    """Rows of one tile, the last at ``top``, 0 to ``limit - 1``; walked as :class:`Steps` are.

    ``index``: which row, ``None`` where there is but one.
    """

    def __init__(self, m, top, limit: int):
        self._m = m
        self.index = None
        if limit > 1:
            self.index = Signal(range(limit), name="tile_row", reset_less=True)
        self.last = Signal(name="tile_row_last")
        m.d.comb += self.last.eq(1 if limit == 1 else self.index == top)

    def restart(self):
        if self.index is not None:
            self._m.d.sync += self.index.eq(0)

    def advance(self, again: bool):
        if self.index is not None:
            self._m.d.sync += self.index.eq(Mux(self.last, 0, self.index + 1))


def advance(m, *loops, again: bool = False):
    """Advance nested loops, innermost first: each steps when all inside it are at their last.

    ``again``: whether the outermost loop goes round as well."""
    inner, *outer = loops
    if outer:
        with m.If(inner.last):
            advance(m, *outer, again=again)
    inner.advance(bool(outer) or again)


def finished(*loops):
    """All loops are at their last step."""
    done = loops[0].last
    for loop in loops[1:]:
        done = done & loop.last
    return done


def expecting(m, name: str, start, push, *loops, when=1):
    """High from ``start`` (if ``when`` is) until ``push`` has come once per step of ``loops``.

    How input streams are closed outside of a job: beats are counted, not marked.
    """
    active = Signal(name=f"{name}_open")
    with m.If(start):
        m.d.sync += active.eq(when)
        for loop in loops:
            loop.restart()
    with m.Elif(push):
        advance(m, *loops)
        with m.If(finished(*loops)):
            m.d.sync += active.eq(0)
    return active
