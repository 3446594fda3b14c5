"""What always holds between an engine's control registers: found by simulation, then proved.

Candidates are whatever a long random simulation of the netlist (:mod:`.gatesim`) never violates,
out of a few forms: a flip-flop is constant; one flag at a value implies another at a value; a
register is at most, or at least, a constant, always or while a flip-flop has a value. They hold at
power-on; Bitwuzla then looks for a step from a state in which all of them hold to one in which
some do not, these are dropped, and again, until there is none (Houdini: Flanagan and Leino, 2001).
What is left is inductive.
"""

import functools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from matweave.hw.config import GemmConfig

from . import kinds
from .gatesim import Simulator
from .nets import Nets
from .registers import Control, Mode, Register, tables

RUNS, ROUNDS, EVERY = 256, 24, 3
"""Simulated at once; jobs of each; cycles between two samples."""

TIME = 30_000
"""Milliseconds that one question may take."""


@dataclass(frozen=True)
class Clause:
    """``first`` is not ``value``, or ``then`` is ``result``; for a constant both are the same."""

    first: str
    value: int
    then: str
    result: int

    def term(self, t, of):
        condition = of(self.first) if self.value else t.no(of(self.first))
        result = of(self.then) if self.result else t.no(of(self.then))
        return t.either(t.no(condition), result)

    def holds(self, state) -> bool:
        return state[self.first] != self.value or state[self.then] == self.result


@dataclass(frozen=True)
class Bound:
    """While ``first`` is ``value`` (``first`` empty: always), ``word`` (flip-flops, least
    significant first) is from ``low`` to ``high``."""

    first: str
    value: int
    word: tuple[str, ...]
    low: int
    high: int

    def term(self, t, of):
        bits = [of(name) for name in self.word]
        inside = t.both(_at_most(t, bits, self.high), t.no(_at_most(t, bits, self.low - 1)))
        if not self.first:
            return inside
        condition = of(self.first) if self.value else t.no(of(self.first))
        return t.either(t.no(condition), inside)

    def holds(self, state) -> bool:
        number = sum(state[name] << place for place, name in enumerate(self.word))
        return bool(self.first and state[self.first] != self.value) or (
            self.low <= number <= self.high
        )


def _at_most(t, bits, limit: int):
    """``bits`` as a number is at most ``limit``."""
    if limit < 0:
        return t.false
    result = t.true
    for place, bit in enumerate(bits):
        one = limit >> place & 1
        result = t.choose(bit, result, t.true) if one else t.choose(bit, t.false, result)
    return result


def find(config: GemmConfig, nets: Nets, model) -> list:
    """The terms of what is proved; ``model.control`` becomes the registers it is about."""
    model.control = tuple(control_flops(nets))
    seen = samples(config, nets, control_flops(nets, ("rdata",)))
    candidates = list(mined(nets, seen))
    kept = proved(model, candidates)
    return [candidate.term(model.terms, model.state) for candidate in kept]


def control_flops(nets: Nets, more: tuple[str, ...] = ()) -> list[str]:
    """The flip-flops on which handshakes and responses depend, now or later, and outputs that
    end in one of ``more``."""
    endings = ("valid", "ready", "tlast", "resp", *more)
    shown = [bit for name, bits in nets.outputs.items() if name.endswith(endings) for bit in bits]
    found = set()
    waiting = {nets.driver[bit] for bit in shown if bit in nets.driver}
    while waiting:
        flops = {name for name in waiting if name in nets.flop_set}
        found |= flops
        waiting = (nets.sources(waiting) | flops) - found
    return [name for name in nets.flops if name in found]


def samples(config: GemmConfig, nets: Nets, flops: list[str], seed: int = 1) -> dict[str, int]:
    """Values of ``flops`` from power-on on, one bit per run and sampled cycle."""
    draw = random.Random(seed)
    simulator = Simulator(nets, RUNS, only=flops)
    found = {name: [] for name in flops}
    for cycle, inputs in enumerate(_inputs(config, nets, draw)):
        if cycle % EVERY == 0:
            for name, value in simulator.state.items():
                found[name].append(value.to_bytes(RUNS // 8, "little"))
        simulator.settle(inputs, lambda: draw.getrandbits(RUNS))
        simulator.clock()
    return {name: b"".join(values) for name, values in found.items()}


def _inputs(config: GemmConfig, nets: Nets, draw: random.Random) -> Iterator[dict]:
    """Jobs with random streams, meddling in their middle, resets of some runs."""
    kind = kinds.of(config)
    channels = tables(config.limits.n).values() if config.kind in ("gemm", "lut") else ()
    anything = [*map(int, kind.registers), *channels, *(1 << bit for bit in range(2, 9))]

    def cycle(address=None, data=None, chance=None):
        inputs = {
            name: [draw.getrandbits(RUNS) for _ in bits] for name, bits in nets.inputs.items()
        }
        for name, level in (chance or {}).items():
            inputs[name] = [_chance(draw, level)]
        inputs["rst"] = [0]
        inputs["s_axil_bready"] = [(1 << RUNS) - 1]
        write = (1 << RUNS) - 1 if address is not None else 0
        inputs["s_axil_awvalid"] = inputs["s_axil_wvalid"] = [write]
        if address is not None:
            count = len(nets.inputs["s_axil_awaddr"])
            inputs["s_axil_awaddr"] = _same(address, count)
            if data is not None:
                inputs["s_axil_wdata"] = _lanes(data, 32)
                inputs["s_axil_wstrb"] = _same(15, 4)
        return inputs

    def write(address, data=None, chance=None):
        yield cycle(address, data, chance)
        yield cycle(chance=chance)
        yield cycle(chance=chance)

    def numbers(choose):
        return [choose() for _ in range(RUNS)]

    for number in range(ROUNDS):
        if number % 4 == 3:  # a hard reset of half of the runs, then of all
            for share in (draw.getrandbits(RUNS), (1 << RUNS) - 1):
                yield cycle() | {"rst": [share]}
        else:
            yield from write(Register.CONTROL, numbers(lambda: draw.choice([0, 2, 2, 6, 3])))
        for address, choose in _sizes(config, draw).items():
            yield from write(address, numbers(choose))
        yield from write(Register.CONTROL, numbers(lambda: draw.choice([1, 1, 1, 1, 5, 3])))
        streams = [f"{port}_tvalid" for port in kind.inputs.values()]
        streams += [f"{port}_tready" for port in kind.outputs.values()]
        levels = [draw.choice([1, 2, 4, 6, 7, 8, 8]) for _ in streams]
        for step in range(draw.choice([30, 100, 200, 300])):
            if step % 50 == 49:
                levels = [draw.choice([0, 1, 2, 4, 6, 7, 8, 8]) for _ in streams]
            chance = dict(zip(streams, levels, strict=True))
            if draw.random() < 0.05:
                # Of a whole register write, or of a soft reset of some runs.
                address = draw.choice(
                    [*anything, *(kind.registers[name] for name in kind.writable)]
                )
                data = None
                if address == Register.CONTROL or draw.random() < 0.1:
                    address = Register.CONTROL
                    data = numbers(lambda: draw.choice([0] * 30 + [Control.SOFT_RESET, 1, 4, 7]))
                yield from write(address, data, chance)
            yield cycle(chance=chance)


def _sizes(config, draw) -> dict[int, Callable[[], int]]:
    """The registers of a job, each with what chooses a run's value; most together are legal."""
    kind = kinds.of(config)
    if config.kind in ("gemm", "lut"):
        scaled = Mode.REQUANTIZE if config.output.mode == "requantized" else 0
        found = {}
        for name in "MNK":
            limit = getattr(config.limits, name.lower())
            sizes = [limit, 1, 2, 3, limit - 1]
            found[Register[name]] = functools.partial(_size, draw, sizes, limit)
        found[Register.MODE] = lambda: draw.getrandbits(4) & 11 | (scaled or draw.choice([0, 4]))
        return found
    # One job's, or now and then another's.
    seed = draw.getrandbits(30)
    jobs = [dict(kind.case(config, seed, n).job.registers(config)) for n in range(4)]
    found = {}
    for name in kind.writable:
        values = [job[kind.registers[name]] for job in jobs]
        found[kind.registers[name]] = functools.partial(draw.choice, values[:1] * 20 + values)
    return found


def _size(draw, sizes, limit) -> int:
    return draw.choice([draw.choice(sizes), draw.randint(1, limit)])


def _chance(draw, eighths: int) -> int:
    """Each run's bit is 1 with that probability."""
    a, b, c = (draw.getrandbits(RUNS) for _ in range(3))
    every = (1 << RUNS) - 1
    return [0, a & b & c, a & b, a & (b | c), a, a | (b & c), a | b, a | b | c, every][eighths]


def _same(number: int, width: int) -> list[int]:
    return [((1 << RUNS) - 1) * (int(number) >> bit & 1) for bit in range(width)]


def _lanes(numbers: list[int], width: int) -> list[int]:
    return [
        sum((int(number) >> bit & 1) << run for run, number in enumerate(numbers))
        for bit in range(width)
    ]


def mined(nets: Nets, seen: dict[str, bytes]) -> Iterator[Clause | Bound]:
    """The candidates that ``seen`` does not violate."""
    count = 8 * len(next(iter(seen.values())))
    every = (1 << count) - 1
    bits = {name: int.from_bytes(value, "little") for name, value in seen.items()}
    words = _words(nets, seen)
    flags = {word[0] for word in words if len(word) == 1}
    moving = []
    for name, value in bits.items():
        if value in (0, every):
            yield Clause(name, int(not value), name, int(value != 0))
        else:
            moving.append(name)
    either = {name: (every ^ bits[name], bits[name]) for name in moving}
    chosen = [name for name in moving if name in flags]
    for place, first in enumerate(chosen):
        for then in chosen[:place]:
            for value in (0, 1):
                for result in (0, 1):
                    if not either[first][value] & either[then][1 - result]:
                        yield Clause(first, value, then, result)
    columns = {
        name: np.unpackbits(np.frombuffer(seen[name], np.uint8), bitorder="little").astype(bool)
        for name in seen
    }
    constant = [name for name in bits if name not in either]
    conditions = [(word[0], value) for word in words if len(word) == 1 for value in (0, 1)]
    for word in words:
        if len(word) == 1 or all(name in constant for name in word):
            continue
        numbers = sum(columns[name].astype(np.int64) << place for place, name in enumerate(word))
        low, high = int(numbers.min()), int(numbers.max())
        if high >= 1 << 8 and len(word) > 16 and high.bit_length() < len(word):
            continue  # a counter of a simulation that was too short
        yield Bound("", 0, word, low, high)
        for first, value in conditions:
            if first in constant:
                continue
            some = numbers[columns[first] == bool(value)]
            lowest, highest = int(some.min()), int(some.max())
            if lowest > low:
                yield Bound(first, value, word, lowest, (1 << len(word)) - 1)
            if highest < high:
                yield Bound(first, value, word, 0, highest)


def _words(nets: Nets, seen) -> list[tuple[str, ...]]:
    """Whole registers, no slices of others."""
    words = [word for word in nets.words if all(name in seen for name in word)]
    whole, used = [], set()
    for word in sorted(words, key=len, reverse=True):
        if not used.issuperset(word):
            whole.append(word)
            used.update(word)
    return whole


def proved(model, candidates: list) -> list:
    """The largest inductive subset of ``candidates``, which all hold at power-on."""
    nets, t = model.nets, model.terms
    power_on = {name: nets.initial(name) for name in nets.flops}
    candidates = [candidate for candidate in candidates if candidate.holds(power_on)]
    following = {}

    def after(name):
        if name not in following:
            following[name] = model.following(name)
        return following[name]

    now = {candidate: candidate.term(t, model.state) for candidate in candidates}
    later = {candidate: t.no(candidate.term(t, after)) for candidate in candidates}
    while True:
        # Everything is asked of one solver; what fails is taken out only after the round.
        solver = t.solver([now[candidate] for candidate in candidates], limit=TIME)
        left = dict.fromkeys(candidates)
        for candidate in candidates:
            if candidate not in left:
                continue
            result = t.check(solver, later[candidate])
            if result is None:
                del left[candidate]
            elif result:
                state = {name: int(t.holds(solver, term)) for name, term in following.items()}
                left = {other: None for other in left if other.holds(state)}
                assert candidate not in left
        if len(left) == len(candidates):
            break
        candidates = list(left)
    return candidates
