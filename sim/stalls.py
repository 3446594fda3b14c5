"""Stalls of up to ``2**32`` cycles, for what only the counters' upper bits would show.

While an engine waits with constant inputs, only its counters move. For a state that simulation
reached, Bitwuzla shows that the netlist keeps every other flip-flop, and what its memories get, and
adds one to each counter that moves, *whatever their values*: so after any number of cycles the
state is known without simulating them. For each mutant the first cycle of the stall is determined
in which its next state would be another; until there it is in that same state as well. From there
both are simulated, with all counters read, cleared and read again: a mutant whose ports then show
something else is killed, by stimuli that a patient simulator could play. If its state is never
another, or nobody sees it, Bitwuzla looks for the end of the stall that makes a difference: a
number of cycles, and what the streams and a reader of registers do then.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from matweave.hw.config import GemmConfig

from . import equivalence, kinds
from .gatesim import Simulator
from .harness import payload
from .kinds import Kind
from .mutation import Mutation
from .nets import OUTPUTS, Nets
from .registers import Control, Mode, Register
from .terms import Terms

SETTLE, WATCH = 80, 8
"""Cycles until only counters move; cycles in which that is looked at."""

READING = ("s_axil_arvalid", "s_axil_araddr", "s_axil_rready")
"""Inputs that may change when a stall ends, beside those of :func:`streams`."""

PATTERNS = (0xFFFF_FFF0, 0x5555_5555, 0xAAAA_AAAA, 0x3333_3333, 0xCCCC_CCCC, 0x8000_0000)
"""Lengths of stalls after which everything is read, if no mutant's state is another before."""


@dataclass(frozen=True)
class Waiting:
    """A state in which only counters move. ``kind``: of the engine; ``counters``: words of
    flip-flops with their values; ``other``: the runs that are not in that state, or whose memories
    got something else."""

    kind: Kind
    state: dict[str, int]
    inputs: dict[str, list[int]]
    counters: dict[tuple[str, ...], int]
    other: int


def streams(kind: Kind) -> dict[str, str]:
    """The input by which each stream is held back."""
    sources = {name: f"{port}_tvalid" for name, port in kind.inputs.items()}
    return sources | {name: f"{port}_tready" for name, port in kind.outputs.items()}


def killed(config: GemmConfig, nets: Nets, mutations: list[Mutation]) -> dict:
    """Verdicts on those of ``mutations`` that a long stall tells from no fault."""
    able = [m for m in mutations if m.cell in nets.cells]
    able = [m for m in able if "mem" not in nets.cells[m.cell]["type"]]
    verdicts = {}
    simulator = Simulator(nets, len(able) + 1, faults=dict(enumerate(able, 1)))
    power_on = dict(simulator.state)
    until = time.monotonic() + equivalence.STALLS
    for missing in streams(kinds.of(config)):
        simulator.state = dict(power_on)
        waiting = wait(config, simulator, missing)
        if waiting is None:
            continue
        terms = Terms()
        cycles = [terms.free() for _ in range(32)]
        model, names = _model(nets, terms, waiting, cycles)
        with terms.within(until - time.monotonic()):
            if not _keeps(model, waiting, names):
                continue
            first = {}
            for lengths in _lengths(model, waiting, cycles, able, verdicts, first):
                for run in _seen(simulator, waiting, lengths):
                    how = f"killed by a stall of {lengths[run]:,} cycles on stream {missing}"
                    verdicts[able[run - 1]] = equivalence.Verdict(False, how, killed=True)
            ending = (*streams(waiting.kind).values(), *READING)
            model, _ = _model(nets, terms, waiting, cycles, ending)
            for run, before in first.items():
                end = _ending(model, able[run - 1], cycles, before, ending)
                if able[run - 1] in verdicts or end is None:
                    continue
                length, inputs = end
                if run in _seen(simulator, waiting, {run: length}, inputs):
                    how = f"killed by the end of a stall of {length:,} cycles on stream {missing}"
                    verdicts[able[run - 1]] = equivalence.Verdict(False, how, killed=True)
    return verdicts


def _lengths(model, waiting, cycles, able, verdicts, first) -> Iterator[dict[int, int]]:
    """How long to stall, by run: until its state would be another, or any time if it never is.
    ``first`` gets what is known of that: the cycle, or ``None`` if there is none."""
    for run, mutation in enumerate(able, 1):
        if mutation in verdicts or waiting.other >> run & 1:
            continue
        known, cycle = _first(model, mutation, cycles)
        if known:
            first[run] = cycle
    yield {run: cycle for run, cycle in first.items() if cycle is not None}
    never = [run for run, cycle in first.items() if cycle is None]
    for length in PATTERNS:
        yield {run: length for run in never if able[run - 1] not in verdicts}


def wait(config: GemmConfig, simulator: Simulator, missing: str) -> Waiting | None:
    """Start a job of size 1 whose streams are all there but ``missing``, and let it stall."""
    every, kind = simulator.all, kinds.of(config)
    held = {port: [every * (name != missing)] for name, port in streams(kind).items()}
    writes = [*_smallest(config, missing), (Register.CONTROL, Control.START)]
    other = 0
    for address, data in writes:
        for inputs in _write(simulator, address, data):
            other |= _cycle(simulator, held | inputs)
    for _ in range(SETTLE + kind.silence(config)):
        other |= _cycle(simulator, held)
    seen = []
    for _ in range(WATCH):
        seen.append({name: value & 1 for name, value in simulator.state.items()})
        other |= _cycle(simulator, held)
    moving = {name for name in seen[0] if len({state[name] for state in seen}) > 1}
    words = {}
    for word in sorted(simulator.nets.words, key=len, reverse=True):
        if len(word) == 32 and moving & set(word) and not any(set(word) & set(w) for w in words):
            words[word] = 0
    if not words or moving - {name for word in words for name in word}:
        return None
    state = {name: value & 1 for name, value in simulator.state.items()}
    for value in simulator.state.values():
        other |= value ^ (every * (value & 1))
    for word in words:
        words[word] = sum(state[name] << place for place, name in enumerate(word))
    return Waiting(kind, state, held, words, other)


def _smallest(config, missing: str) -> list[tuple[int, int]]:
    """The writes of a job of size 1 that wants the stream ``missing``, if it can."""
    kind = kinds.of(config)
    if config.kind in ("gemm", "lut"):
        mode = Mode.ADD_C0 if missing == "c0" else 0
        mode |= Mode.REQUANTIZE if config.output.mode == "requantized" else 0
        return [*((Register[name], 1) for name in "MNK"), (Register.MODE, mode)]
    job = kind.case(config, 1, 0, 1).job
    return job.registers(config)[:-1]


def _write(simulator, address, data) -> Iterator[dict]:
    every = simulator.all
    width = len(simulator.nets.inputs["s_axil_awaddr"])
    yield {
        "s_axil_awvalid": [every], "s_axil_wvalid": [every], "s_axil_bready": [every],
        "s_axil_awaddr": _number(every, address, width), "s_axil_wdata": _number(every, data, 32),
        "s_axil_wstrb": [every] * 4,
    }  # fmt: skip
    yield {}
    yield {"s_axil_bready": [every]}


def _number(every: int, number: int, width: int) -> list[int]:
    return [every * (int(number) >> bit & 1) for bit in range(width)]


def _cycle(simulator, inputs) -> int:
    """Operands are zero and tables are not written: what memories give is zero as well. Returns
    the runs for which that need not be so: those whose memories get what run 0's do not."""
    simulator.settle(inputs, lambda: 0)
    nets = simulator.nets
    other = 0
    for name in nets.memories:
        for port, bits in nets.cells[name]["connections"].items():
            if port not in OUTPUTS:
                for bit in bits:
                    value = simulator.value(bit)
                    other |= value ^ (simulator.all * (value & 1))
    simulator.clock()
    return other


def _model(nets, terms, waiting, cycles, free=()):
    """The netlist in that state, ``cycles`` (32 terms) cycles later; inputs ``free`` are free."""
    known = {}
    for name, bits in nets.inputs.items():
        if name in free:
            continue
        values = waiting.inputs.get(name, [0] * len(bits))
        known |= {
            bit: terms.true if value & 1 else terms.false
            for bit, value in zip(bits, values, strict=True)
        }
    known |= dict.fromkeys(nets.read_bits, terms.false)
    known |= {
        nets.output(name): terms.true if value else terms.false
        for name, value in waiting.state.items()
    }
    names = set()
    for word, start in waiting.counters.items():
        names.update(word)
        start_bits = [terms.true if start >> place & 1 else terms.false for place in range(32)]
        total = _sum(terms, cycles, start_bits)
        known |= {nets.output(name): bit for name, bit in zip(word, total, strict=True)}
    return equivalence.Model(nets, terms, known), names


def _sum(t, a, b):
    carry, result = t.false, []
    for x, y in zip(a, b, strict=True):
        half = t.differ(x, y)
        result.append(t.differ(half, carry))
        carry = t.either(t.both(x, y), t.both(half, carry))
    return result


def _keeps(model, waiting, names) -> bool:
    """Whether one cycle adds one to the counters and changes nothing else."""
    t, nets = model.terms, model.nets
    wrong = []
    for word in waiting.counters:
        one = [t.true] + [t.false] * 31
        expected = _sum(t, [model.state(name) for name in word], one)
        wrong += [t.differ(model.following(n), e) for n, e in zip(word, expected, strict=True)]
    wrong += [t.differ(model.following(n), model.state(n)) for n in nets.flops if n not in names]
    for name in nets.memories:  # nothing written, always the same read
        connections = nets.cells[name]["connections"]
        wrong += [model.values[bit] for bit in connections["WR_EN"]]
        wrong += [
            t.false if model.values[bit] in (t.true, t.false) else t.true
            for bit in connections["RD_ADDR"]
        ]
    return t.solve([t.any(wrong)]) is False


def _first(model, mutation, cycles) -> tuple[bool, int | None]:
    """Whether it is known, and the first cycle in which the next state or an output would be
    another, if there is one."""
    t = model.terms
    found = model.differences(mutation)
    different = t.any(t.differ(*pair) for pairs in found.values() for pair in pairs)
    best, below = None, []
    while solver := t.solve([different, *below]):
        best = sum(t.holds(solver, bit) << place for place, bit in enumerate(cycles))
        below = [_less(t, cycles, best)]
    return solver is False, best


def _ending(
    model, mutation, cycles, before: int | None, ending: tuple[str, ...]
) -> tuple[int, dict] | None:
    """A number of cycles, fewer than ``before``, and what the inputs ``ending`` are in the next, so
    that something differs then; ``None`` if there is none or it takes too long."""
    t = model.terms
    found = model.differences(mutation)
    different = t.any(t.differ(*pair) for pairs in found.values() for pair in pairs)
    # A read must be taken at once, and a response that is there be fetched.
    bits = model.nets.inputs | model.nets.outputs
    wanted, ready = (model.values[bits[f"s_axil_ar{name}"][0]] for name in ("valid", "ready"))
    taken = [t.either(t.no(wanted), ready), model.values[bits["s_axil_rready"][0]]]
    earlier = [] if before is None else [_less(t, cycles, before)]
    solver = t.solve([different, *taken, *earlier])
    if not solver:
        return None
    length = sum(t.holds(solver, bit) << place for place, bit in enumerate(cycles))
    return length, {
        name: [int(t.holds(solver, model.values[bit])) for bit in model.nets.inputs[name]]
        for name in ending
    }


def _less(t, bits, limit: int):
    result = t.false
    for place, bit in enumerate(bits):
        result = t.choose(bit, result if limit >> place & 1 else t.false,
                          t.true if limit >> place & 1 else result)  # fmt: skip
    return result


def _seen(simulator, waiting, lengths: dict[int, int], ending: dict | None = None) -> list[int]:
    """The runs that show something else than run 0 does after the same stall, with that cycle at
    its ``ending``, while all counters are read. Run 0 is simulated once per length."""
    held, steps = waiting.inputs, []
    if ending:
        ending = {name: [simulator.all * bit for bit in bits] for name, bits in ending.items()}
        held = held | {name: ending[name] for name in streams(waiting.kind).values()}
        steps = [ending, {"s_axil_rready": [simulator.all]}]
    found = []
    for length in set(lengths.values()):
        runs = [run for run, value in lengths.items() if value == length]
        simulator.state = {name: simulator.all * value for name, value in waiting.state.items()}
        for word, start in waiting.counters.items():
            for name, value in zip(word, _number(simulator.all, start + length, 32), strict=True):
                simulator.state[name] = value
        seen = _watch(simulator, waiting.kind, held, steps)
        found += [run for run in runs if seen >> run & 1]
    return found


def _watch(simulator, kind, held, steps) -> int:
    """The runs whose ports differ from run 0's in the cycles ``steps`` and while the counters are
    read after them, cleared, and read again."""
    every, nets = simulator.all, simulator.nets
    width = len(nets.inputs["s_axil_araddr"])
    steps = list(steps)
    # What changes in every cycle must not be read in every other only.
    cleared = _write(simulator, Register.CONTROL, Control.CLEAR_COUNTERS)
    counters = [int(address) for address in kind.counters.values()]
    for register in (*counters, [{}], *counters, cleared, *counters):
        if not isinstance(register, int):
            steps += register
            continue
        reading = {
            "s_axil_arvalid": [every],
            "s_axil_araddr": _number(every, register, width),
            "s_axil_rready": [0],
        }
        steps += [{}, reading, {"s_axil_rready": [every]}]
    found = other = 0
    for inputs in steps:
        simulator.settle(held | inputs, lambda: 0)
        for name, bits in nets.outputs.items():
            valid = payload(name)
            shown = every
            if valid in nets.outputs:
                shown = simulator.value(nets.outputs[valid][0])
            for bit in bits:
                if bit in ("0", "1", "x"):
                    continue
                value = simulator.value(bit) & shown
                found |= value ^ (every * (value & 1))
        other |= _cycle(simulator, held | inputs)
    return found & ~other
