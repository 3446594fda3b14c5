"""Loops over tiles by counting down, so that no size is ever divided in hardware."""

from amaranth.hdl import Mux, Signal


class Steps:
    """``total`` (1 to ``limit``) walked in steps of ``step``; the last step may be shorter.

    ``left``: elements from this step on. ``last``: this is the last step. ``size``: elements in
    this step, 1 to ``step``. ``index``: which step, from 0 (only if ``indexed``). Call
    :meth:`restart` and :meth:`advance` under the caller's conditions; :meth:`advance` goes round to
    the first step if ``again``, else what it leaves after the last step means nothing until the
    next restart. For the same reason its registers have no reset.
    """

    def __init__(self, m, name: str, total, step: int, limit: int, *, indexed: bool = False):
        self._m, self._total, self._step, self._limit = m, total, step, limit
        self.left = Signal(range(limit + 1), name=f"{name}_left", reset_less=True)
        self.last = Signal(name=f"{name}_last")
        self.size = Signal(range(step + 1), name=f"{name}_size")
        m.d.comb += [
            # One is left at least.
            self.last.eq(self.left[1:] == 0 if step == 1 else self.left <= step),
            self.size.eq(Mux(self.last, self.left, step)),
        ]
        self.index = None
        if indexed:
            steps = -(-limit // step)
            self.index = Signal(range(max(steps, 2)), name=f"{name}_index", reset_less=True)

    def restart(self):
        self._m.d.sync += self.left.eq(self._total)
        if self.index is not None:
            self._m.d.sync += self.index.eq(0)

    def advance(self, again: bool):
        # Before the last step more than ``step`` are left.
        left = (self.left - self._step)[: max(self._limit - self._step, 0).bit_length()]
        self._m.d.sync += self.left.eq(Mux(self.last, self._total, left) if again else left)
        if self.index is not None:
            following = self.following(again)
            self._m.d.sync += self.index.eq(following)

    def following(self, again: bool):
        """The next step's index."""
        following = (self.index + 1)[: len(self.index)]
        return Mux(self.last, 0, following) if again else following


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
