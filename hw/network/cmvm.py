"""Sums of constant multiples with shared parts: a constant matrix times a vector, in additions.

Every weight becomes canonical signed digits; then the two-term pattern ``x ± (y << k)`` that saves
most is made once and takes the place of all its occurrences in all sums, until none occurs twice
(A. Hosangadi, F. Fallah, R. Kastner, "Common subexpression elimination involving multiple
variables for linear DSP synthesis", ASAP 2004; weighted by the width of the addition as in C. Sun
et al., "da4ml: Distributed Arithmetic for Real-time Neural Networks on FPGAs", arXiv:2507.04535,
section 4). What remains of each sum is added up, cheapest pair first. No sum gets deeper than its
limit: the terms of one sum, of levels l, must keep the sum of 2**l at most 2**limit (Kraft).

Pairs of digits grow with the square of a sum's length: where there would be too many
(:data:`PAIRS`), all sums are cut at the same operands, into parts that share and are added up one
by one.

Deterministic: ties go to the pattern that a fixed order puts first.
"""

import heapq
from collections.abc import Sequence
from typing import NamedTuple

from .adders import Term, added, cost, csd, width

PAIRS = 1_200_000
"""Most digits of all sums, times the digits of a part: bounds time and memory (some 100 MB)."""


class Step(NamedTuple):
    """``(a << left) ± (b << right)``; operands first, then the steps before this one."""

    a: int
    b: int
    left: int
    right: int
    minus: bool


class Result(NamedTuple):
    """``± (term << shift)``, or nothing (``term`` is ``None``): the sum is zero."""

    term: int | None
    shift: int = 0
    negative: bool = False


class Plan(NamedTuple):
    """Additions in the order of their making, and which of them are the results."""

    steps: list[Step]
    results: list[Result]
    cost: int
    """LUTs, as :func:`.adders.cost` counts."""


class Options(NamedTuple):
    """``slack``: levels that the deepest sum may have more than it needs; ``sharing``: whether
    patterns are shared; ``power``: how much occurrences count against width."""

    slack: int = 1
    sharing: bool = True
    power: float = 1.0


DEFAULT = Options()


def solve(
    operands: Sequence[Term],
    sums: Sequence[Sequence[tuple[int, int]]],
    options: Options = DEFAULT,
) -> Plan:
    """Additions for ``sums``, each a list of (operand, weight). A constant is an operand whose
    ``low`` is its ``high``; its weights are powers of two."""
    return _Solver(operands, sums, options).run()


def best(operands, sums, choices: Sequence[Options]) -> Plan:
    """The cheapest plan of several; the first of equals."""
    return min((solve(operands, sums, each) for each in choices), key=lambda plan: plan.cost)


class _Solver:
    def __init__(self, operands, sums, options):
        self.options = options
        self.terms = list(operands)
        self.n_operands = len(self.terms)
        self.steps: list[Step] = []
        self._made: dict[Step, int] = {}
        digits = [self._digits(each) for each in sums]  # {(term, shift): sign}
        self.parts = _parts(digits, self.n_operands)  # of each sum, its columns
        self.columns = [column for parts in self.parts for column in parts]
        self.owner = [index for index, parts in enumerate(self.parts) for _ in parts]
        self.kraft = [
            sum(1 << self.terms[term].level for part in parts for term, _ in part)
            for parts in self.parts
        ]  # of each whole sum
        need = max(map(_log2, self.kraft), default=0)
        self.limit = need + options.slack
        self.places: dict[tuple, set] = {}  # pattern -> {(column, shift of its first digit)}
        self.heap: list[tuple] = []

    # Terms of the sums.

    def _digits(self, weights):
        column = {}
        for operand, weight in weights:
            term = self.terms[operand]
            if term.low == term.high:
                _put(column, operand, weight.bit_length() - 1, 1)
                continue
            for shift, sign in csd(weight):
                _put(column, operand, shift, sign)
        return column

    def _room(self, index):
        return (1 << self.limit) - self.kraft[index]

    def _step(self, a, b, left, right, minus):
        if not minus and (left, a) > (right, b):
            a, b, left, right = b, a, right, left
        step = Step(a, b, left, right, minus)
        if step not in self._made:
            self._made[step] = len(self.terms)
            self.steps.append(step)
            self.terms.append(added(self.terms[a], self.terms[b], left, right, minus))
        return self._made[step]

    # Shared patterns: two digits of one sum, apart by a shift and a sign.

    def run(self) -> Plan:
        if self.options.sharing:
            for index, column in enumerate(self.columns):
                digits = sorted(column.items())
                for place, digit in enumerate(digits):
                    for other in digits[place + 1 :]:
                        self._note(index, digit, other)
            self.heap = [self._entry(pattern) for pattern in self.places]
            heapq.heapify(self.heap)
            while self._share():
                pass
        results = [self._sum_up(index) for index in range(len(self.parts))]
        return self._finished(results)

    def _note(self, index, digit, other):
        """Remember the pair; the smaller (term, shift) is first. Returns the pattern."""
        ((a, s), x), ((b, t), y) = (digit, other) if digit < other else (other, digit)
        pattern = (a, b, t - s, x != y)
        self.places.setdefault(pattern, set()).add((index, s))
        return pattern

    def _forget(self, index, digit, other):
        ((a, s), x), ((b, t), y) = (digit, other) if digit < other else (other, digit)
        self.places[a, b, t - s, x != y].discard((index, s))

    def _shifts(self, pattern):
        a, b, distance, minus = pattern
        return a, b, max(-distance, 0), max(distance, 0), minus

    def _entry(self, pattern):
        a, b, left, right, minus = self._shifts(pattern)
        first, second = self.terms[a], self.terms[b]
        if minus and left:  # of a difference, what is subtracted should not be the lower one
            price = cost(second, first, right, left, True)
        else:
            price = cost(first, second, left, right, minus)
        saved = max(len(self.places[pattern]) - 1, 0) ** self.options.power * price
        depth = max(first.level, second.level)
        return (-saved, depth, pattern)

    def _share(self) -> bool:
        """Make the pattern that saves most; whether there was one."""
        while self.heap:
            entry = heapq.heappop(self.heap)
            if len(self.places[entry[2]]) < 2:
                continue
            now = self._entry(entry[2])
            if now != entry:
                heapq.heappush(self.heap, now)
                continue
            occurrences = self._allowed(entry[2])
            if len(occurrences) < 2:
                self.places[entry[2]].clear()  # too deep, and will not become less so
                continue
            self._replace(entry[2], occurrences)
            return True
        return False

    def _allowed(self, pattern):
        """Occurrences that share no digit and do not make their sum too deep."""
        a, b, distance, _ = pattern
        levels = self.terms[a].level, self.terms[b].level
        more = (2 << max(levels)) - (1 << levels[0]) - (1 << levels[1])
        room = {}
        used, found = set(), []
        for index, shift in sorted(self.places[pattern]):
            digits = {(index, a, shift), (index, b, shift + distance)}
            owner = self.owner[index]
            if owner not in room:
                room[owner] = self._room(owner)
            if digits & used or room[owner] < more:
                continue
            room[owner] -= more
            used |= digits
            found.append((index, shift))
        return found

    def _replace(self, pattern, occurrences):
        a, b, left, right, minus = self._shifts(pattern)
        negated = minus and left > 0  # b - (a << left) instead
        if negated:
            term = self._step(b, a, right, left, True)
        else:
            term = self._step(a, b, left, right, minus)
        touched = set()
        for index, shift in occurrences:
            column = self.columns[index]
            sign = column[a, shift]
            self._remove(index, (a, shift))
            self._remove(index, (b, shift + pattern[2]))
            self._insert(index, term, shift - left, -sign if negated else sign, touched)
        for each in sorted(touched):
            heapq.heappush(self.heap, self._entry(each))

    def _remove(self, index, key):
        column = self.columns[index]
        digit = key, column.pop(key)
        self.kraft[self.owner[index]] -= 1 << self.terms[key[0]].level
        for other in column.items():
            self._forget(index, digit, other)

    def _insert(self, index, term, shift, sign, touched):
        column = self.columns[index]
        while (term, shift) in column:  # twice the same digit is one of twice the weight
            same = column[term, shift] == sign
            self._remove(index, (term, shift))
            if not same:
                return
            shift += 1
        digit = (term, shift), sign
        for other in column.items():
            touched.add(self._note(index, digit, other))
        column[term, shift] = sign
        self.kraft[self.owner[index]] += 1 << self.terms[term].level

    # What is left of each sum.

    def _sum_up(self, index) -> Result:
        """Add up what is left of a sum: each part, then what remains of them all."""
        room, left = self._room(index), []
        parts = [part for part in self.parts[index] if part]
        for part in parts:
            terms = [(shift, term, sign) for (term, shift), sign in sorted(part.items())]
            if len(parts) > 1:
                terms, room = self._merged(terms, room, last=False)
            left += terms
        if not left:
            return Result(None)
        ((shift, term, sign),), _ = self._merged(left, room, last=True)
        return Result(term, shift, sign < 0)

    def _merged(self, terms, room, *, last):
        """Terms of the same total, the cheapest pair first, of equals the least deep, and the room
        that remains. One term is left, if there are no others to add; of a part also several, whose
        levels differ. ``last``: the one is the sum."""
        terms, alive = list(terms), set(range(len(terms)))
        pairs = [self._price(terms, i, j) for j in alive for i in range(j)]
        heapq.heapify(pairs)
        while pairs and len(alive) > 1:
            *_, more, i, j = heapq.heappop(pairs)
            if not alive >= {i, j} or more > room:  # there is never more room than there was
                continue
            alive -= {i, j}
            room -= more
            made = self._pair(terms[i], terms[j], make=True, last=last and not alive)
            terms.append(made[1])
            new = len(terms) - 1
            for other in alive:
                heapq.heappush(pairs, self._price(terms, other, new))
            alive.add(new)
        return [terms[each] for each in sorted(alive)], room

    def _price(self, terms, i, j):
        """How good it is to add two terms next: the less the better."""
        levels = [self.terms[terms[each][1]].level for each in (i, j)]
        more = (2 << max(levels)) - (1 << levels[0]) - (1 << levels[1])
        price, (_, _, sign) = self._pair(terms[i], terms[j], make=False)
        return price, max(levels), sign < 0, terms[i], terms[j], more, i, j

    def _pair(self, one, two, *, make, last=False):
        """What adding two signed terms costs, and the term that results: (shift, term, sign)."""
        (s, a, x), (t, b, y) = one, two
        minus = x != y
        # a - b; or, where b is the lower one, b - a with the other sign, unless that is the sum's.
        if minus and (x < 0 if last or s == t else s > t):
            (s, a, x), (t, b, y) = (t, b, y), (s, a, x)
        base = min(s, t)
        args = s - base, t - base, minus
        price = 0 if Step(a, b, *args) in self._made else cost(self.terms[a], self.terms[b], *args)
        term = self._step(a, b, *args) if make else None
        return price, (base, term, x)

    def _finished(self, results) -> Plan:
        """Without the steps that nobody needs in the end."""
        needed = {each.term for each in results}
        for place in range(len(self.steps) - 1, -1, -1):
            if self.n_operands + place in needed:
                needed |= {self.steps[place].a, self.steps[place].b}
        number, steps, total = {}, [], 0
        for index in range(self.n_operands):
            number[index] = index
        for place, step in enumerate(self.steps):
            if self.n_operands + place in needed:
                number[self.n_operands + place] = self.n_operands + len(steps)
                a, b = self.terms[step.a], self.terms[step.b]
                total += cost(a, b, *step[2:])
                steps.append(step._replace(a=number[step.a], b=number[step.b]))
        for each in results:
            if each.term is not None:
                term = self.terms[each.term]
                total += width(term.low, term.high) if each.negative else 0
        return Plan(steps, [e._replace(term=number.get(e.term)) for e in results], total)


def _parts(sums, operands: int) -> list[list[dict]]:
    """Each sum's digits in parts, cut between the same operands, of at most so many digits as
    :data:`PAIRS` allows; an operand's digits stay together."""
    total = sum(map(len, sums))
    counts = [[0] * len(sums) for _ in range(operands)]
    for index, digits in enumerate(sums):
        for term, _ in digits:
            counts[term][index] += 1
    part_of, part, filled = [], 0, [0] * len(sums)
    for each in counts:
        filled = [a + b for a, b in zip(filled, each, strict=True)]
        if max(filled, default=0) * total > PAIRS and filled != each:
            part, filled = part + 1, each
        part_of.append(part)
    parts = [[{} for _ in range(part + 1)] for _ in sums]
    for index, digits in enumerate(sums):
        for (term, shift), sign in digits.items():
            parts[index][part_of[term]][term, shift] = sign
    return parts


def _put(column, term, shift, sign):
    assert (term, shift) not in column
    column[term, shift] = sign


def _log2(value: int) -> int:
    """The least exponent whose power of two is not less."""
    return max(value - 1, 0).bit_length()
