"""Orders within an encoder: its walks are the nested loops of their definition, with addresses that
are multiplied, for all sizes within bounds; what is replayed is what came; and the read port of a
memory of activations loses and doubles nothing."""

import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Mux, Signal

from matweave.hw import config
from matweave.hw.transformer.memory import Activations, Replay
from matweave.hw.transformer.walk import Walk

from .harness import check, refute

SMALL = [
    "array.rows=2", "array.columns=2", "model={width=8,heads=2,hidden=4,layers=1,tokens=3}",
    "attention.lanes=2", "attention.block=2",
]  # fmt: skip

LOOPS = {
    "operands": ("sub", "word", "panel"),
    "tiles": ("row", "word", "panel"),
    "tokens": ("word", "row", "panel"),
    "heads": ("part", "row", "panel", "head"),
    "keys": ("part", "panel", "query", "head"),
}


def small():
    return config.load("tiny_encoder", SMALL)


def walk(loops, *, fault=None):
    """From a start on, with words taken at any time. ``fault``: a size that is off by one."""
    settings = small()
    sizes, model, g = settings.sizes, settings.model, settings.array.geometry
    rows = g.m
    bounds = {
        "tokens": model.tokens, "words": max(model.width, model.hidden) // g.n,
        "stride": max(sizes.strides), "offset": sizes.most_depth - 1,
    }  # fmt: skip

    def body(m, ports):
        m.submodules.dut = dut = Walk(sizes=sizes, loops=loops)
        started, over, take = Signal(), Signal(), Signal()
        m.d.sync += started.eq(1)
        m.d.comb += [dut.start.eq(~started), take.eq(ports.take & dut.running), dut.take.eq(take)]
        job = {}
        for name, most in bounds.items():
            held, value = (Signal(range(most + 1), name=f"{kind}_{name}") for kind in ("h", "job"))
            m.d.comb += [
                value.eq(Mux(started, held, getattr(ports, name))),
                getattr(dut, name).eq(value + (name == fault)),
                Assume(value <= most - (name == fault)),
            ]
            m.d.sync += held.eq(value)
            job[name] = value
        m.d.comb += [Assume(job["tokens"] != 0), Assume(job["words"] != 0)]
        # The definition: counters of each loop, and how many steps it has.
        at = {name: Signal(4, name=f"at_{name}") for name in loops}
        first_row = at["panel"] * rows
        left = (job["tokens"] - first_row)[:4]
        steps = {
            "sub": g.n // g.k, "word": job["words"], "panel": (job["tokens"] + rows - 1) // rows,
            "row": Mux(left < rows, left, rows), "part": model.width // model.heads // g.n,
            "query": job["tokens"], "head": model.heads,
        }  # fmt: skip
        carry = take
        for name in loops:
            last = at[name] == steps[name] - 1
            with m.If(carry):
                m.d.sync += at[name].eq(Mux(last, 0, at[name] + 1))
            carry = carry & last
            place = loops.index(name)
            m.d.comb += Assert(~dut.running | (dut.lasts[place] == last))
        with m.If(carry):
            m.d.sync += over.eq(1)
        none = 0
        word = at.get("word", at.get("part"))
        address = job["offset"] + at["panel"] * job["stride"] + word
        address = address + at.get("head", none) * steps["part"]
        m.d.comb += Assert(dut.running == (started & ~over))
        with m.If(dut.running):
            m.d.comb += [
                Assert(dut.address == address[: len(dut.address)]),
                Assert(dut.row == at.get("row", none)),
                Assert(dut.sub == at.get("sub", none)),
                Assert(dut.keep == Cat(left > row for row in range(rows))),
            ]

    inputs = {name: most.bit_length() for name, most in bounds.items()}
    return {**inputs, "take": 1}, body


@pytest.mark.parametrize("loops", LOOPS)
def test_a_walk_is_its_definition(loops):
    check(*walk(LOOPS[loops]), mode="bmc", depth=26)


@pytest.mark.parametrize("size", ["tokens", "words", "stride", "offset"])
def test_a_size_that_is_off_by_one_is_found(size):
    refute(*walk(LOOPS["tokens"], fault=size), mode="bmc", depth=12)


def replay(*, fault=False):
    """Words come at any time and are numbered; each time they are given from the first on."""
    depth = 3

    def body(m, ports):
        m.submodules.dut = dut = Replay(width=3, depth=depth)
        came, given = Signal(range(depth + 1)), Signal(range(depth + 1))
        rewind = ports.rewind & dut.full
        clear = ports.clear & dut.full
        push, pop = dut.i_valid & dut.i_ready, dut.o_valid & dut.o_ready
        words = Array(Signal(3, name=f"word_{n}") for n in range(depth))
        round_ = Signal()
        m.d.comb += [
            dut.i_valid.eq(ports.i_valid),
            dut.i_data.eq(ports.i_data),
            dut.o_ready.eq(ports.o_ready),
            dut.clear.eq(clear),
            dut.rewind.eq(rewind),
        ]
        with m.If(push):
            m.d.sync += [words[came].eq(ports.i_data), came.eq(came + 1)]
        with m.If(pop):
            m.d.sync += given.eq(given + 1)
        with m.If(clear):
            m.d.sync += [came.eq(0), round_.eq(0)]
        with m.If(rewind & ~clear):
            m.d.sync += [given.eq(0), round_.eq(1)]
        m.d.comb += Assert(dut.full == (came == depth))
        with m.If(round_ & dut.o_valid):
            m.d.comb += [Assert(given < depth), Assert(dut.o_data == words[given] + fault)]
        # Two cycles behind a rewind, and again behind each word that was taken, there is one.
        quiet = Signal(2)
        m.d.sync += quiet.eq(Mux(rewind | clear, 2, Mux(quiet != 0, quiet - 1, 0)))
        with m.If(round_ & (quiet == 0)):
            m.d.comb += Assert(dut.o_valid == (given != depth))

    return {"i_valid": 1, "i_data": 3, "o_ready": 1, "rewind": 1, "clear": 1}, body


def test_what_is_replayed_is_what_came():
    check(*replay(), mode="bmc", depth=14)


def test_another_word_is_found():
    refute(*replay(fault=True), mode="bmc", depth=10)


def reads(*, fault=False):
    """Any writes and reads: what is accepted are the words whose addresses were taken, in order,
    as they were when they were taken."""
    settings = small()
    sizes = settings.sizes
    depth, width = sizes.memory_depths[0], sizes.word_width

    def body(m, ports):
        m.submodules.dut = dut = Activations(sizes=sizes, memory=0)
        writes = ("w_en", "w_row", "w_address", "w_data")
        for name in (*writes, "r_want", "r_address", "r_accept"):
            m.d.comb += getattr(dut, name).eq(getattr(ports, name))
        m.d.comb += [Assume(ports.w_address < depth), Assume(ports.r_address < depth)]
        # One word that is watched, at an address that may be any.
        started = Signal(reset_less=True)
        held = Signal.like(dut.r_address, name="held", reset_less=True)
        watched = Signal.like(dut.r_address, name="watched")
        m.d.sync += [started.eq(1), held.eq(watched)]
        m.d.comb += [watched.eq(Mux(started, held, ports.watched)), Assume(watched < depth)]
        word = Signal(sizes.rows * width, name="watched_word", reset_less=True)
        known = Signal(sizes.rows, name="known", reset_less=True)
        hits = Signal()
        m.d.comb += hits.eq(ports.w_en & (ports.w_address == watched))
        for row in range(sizes.rows):
            with m.If(hits & (ports.w_row == row)):
                m.d.sync += [word.word_select(row, width).eq(ports.w_data), known[row].eq(1)]
        pending, taken, mask = Signal(), Signal.like(word), Signal.like(known)
        m.d.comb += Assert(dut.r_here == pending)
        m.d.comb += Assert(dut.r_taken == (ports.r_want & (~pending | ports.r_accept)))
        is_watched = Signal()
        with m.If(dut.r_taken):
            same = ports.w_en & (ports.w_address == ports.r_address)
            rows = Mux(same, Cat(ports.w_row != row for row in range(sizes.rows)), -1)
            m.d.sync += [
                pending.eq(1),
                is_watched.eq(ports.r_address == watched),
                taken.eq(word),
                mask.eq(known & rows),
            ]
        with m.Elif(ports.r_accept):
            m.d.sync += pending.eq(0)
        for row in range(sizes.rows):
            found, wanted = (x.word_select(row, width) for x in (dut.r_data, taken))
            seen = pending & is_watched & mask[row]
            m.d.comb += Assert(~seen | (found == (wanted ^ fault)))

    address = max(depth - 1, 1).bit_length()
    inputs = {
        "w_en": 1, "w_row": 1, "w_address": address, "w_data": width, "r_want": 1,
        "r_address": address, "r_accept": 1, "watched": address,
    }  # fmt: skip
    return inputs, body


def test_reads_of_activations_are_neither_lost_nor_doubled():
    check(*reads(), mode="bmc", depth=8)


def test_a_word_that_differs_is_found():
    refute(*reads(fault=True), mode="bmc", depth=6)
