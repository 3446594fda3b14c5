"""Boolean terms of Bitwuzla, and questions about them."""

import contextlib
import math
import time

from .toolchain import ToolError

LIMIT = 60_000
"""Milliseconds that one question may take."""


class Terms:
    """Boolean terms of Bitwuzla, by short names; constants are folded."""

    def __init__(self):
        try:
            import bitwuzla
        except ImportError as error:
            raise ToolError("bitwuzla is not installed: pip install 'matweave[formal]'") from error
        self._kind = bitwuzla.Kind
        self.manager = bitwuzla.TermManager()
        self._bool = self.manager.mk_bool_sort()
        self.true, self.false = self.manager.mk_true(), self.manager.mk_false()
        self._until = math.inf

    def free(self):
        return self.manager.mk_const(self._bool)

    def no(self, a):
        if a in (self.true, self.false):
            return self.false if a == self.true else self.true
        return self.manager.mk_term(self._kind.NOT, [a])

    def both(self, a, b):
        if self.false in (a, b):
            return self.false
        if a == self.true or a == b:
            return b
        return a if b == self.true else self.manager.mk_term(self._kind.AND, [a, b])

    def either(self, a, b):
        return self.no(self.both(self.no(a), self.no(b)))

    def differ(self, a, b):
        if a == b:
            return self.false
        for x, y in ((a, b), (b, a)):
            if x == self.false:
                return y
            if x == self.true:
                return self.no(y)
        return self.manager.mk_term(self._kind.XOR, [a, b])

    def choose(self, condition, yes, no):
        if yes == no or condition == self.true:
            return yes
        if condition == self.false:
            return no
        return self.manager.mk_term(self._kind.ITE, [condition, yes, no])

    def any(self, terms):
        """Whether one of ``terms`` holds; a balanced tree, as there may be thousands."""
        terms = list(terms) or [self.false]
        while len(terms) > 1:
            pairs = zip(terms[::2], terms[1::2], strict=False)
            terms = [self.either(a, b) for a, b in pairs] + terms[len(terms) & ~1 :]
        return terms[0]

    @contextlib.contextmanager
    def within(self, seconds: float):
        """For so long questions are answered; after that the answer is ``None``."""
        before = self._until
        self._until = min(before, time.monotonic() + seconds)
        try:
            yield
        finally:
            self._until = before

    @property
    def late(self) -> bool:
        return time.monotonic() > self._until

    def solver(self, conditions, *, limit: int = LIMIT):
        """A solver of states in which all ``conditions`` hold, for :meth:`check`."""
        import bitwuzla

        options = bitwuzla.Options()
        left = min(limit / 1000, self._until - time.monotonic())
        options.set(bitwuzla.Option.TIME_LIMIT_PER, max(1, int(1000 * left)))
        options.set(bitwuzla.Option.PRODUCE_MODELS, True)
        solver = bitwuzla.Bitwuzla(self.manager, options)
        for condition in conditions:
            solver.assert_formula(condition)
        return solver

    def check(self, solver, *conditions) -> bool | None:
        """Whether ``conditions`` can hold as well; ``None`` if that takes too long."""
        import bitwuzla

        if self.late:
            return None
        result = solver.check_sat(*conditions)
        return None if result == bitwuzla.Result.UNKNOWN else result == bitwuzla.Result.SAT

    def solve(self, conditions, *, limit: int = LIMIT):
        """A solver with a model in which all ``conditions`` hold, ``False`` if there is none, or
        ``None`` if it takes too long."""
        solver = self.solver(conditions, limit=limit)
        answer = self.check(solver)
        return solver if answer else answer

    def holds(self, solver, term) -> bool:
        """The value of ``term`` in a solver's model."""
        return solver.get_value(term) == self.true
