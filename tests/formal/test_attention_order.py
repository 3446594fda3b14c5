"""The order of an attention job: its walk covers exactly the keys of its masks, and whatever waits
no beat of K, of its groups or of V is dropped, comes twice or is taken for another's."""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Mux, Signal

from matweave.hw import config
from matweave.hw.attention.streaming import StreamingAttention
from matweave.hw.attention.walk import KeyWalk
from matweave.sim.formal import opened

from .harness import check, refute

SMALL = [
    "k='int4'", "v='int4'", "array.dimension=2", "array.lanes=2", "array.block=4",
    "output.lanes=2", "output.format='int8'", "output.partial=false", "masks.keys=false",
    "limits={queries=2,keys=6,kv_heads=2,group=2}", "softmax.exponential=8", "softmax.reciprocal=9",
]  # fmt: skip
PACKED = ["cache.k='int2'", "cache.v='int2'", "cache.k_group=4", "cache.v_group=2"]


def small(*more):
    return config.load("tiny_attention", [*SMALL, *more]).shape


def bounds(shape):
    """Of what a job is told."""
    return {
        "queries": shape.max_queries, "keys": shape.max_keys, "kv_heads": shape.max_kv_heads,
        "group": shape.max_group, "position": shape.max_keys - 1, "window": shape.max_keys,
        "causal": 1, "windowed": 1,
    }  # fmt: skip


def free(shape):
    return {name: value.bit_length() for name, value in bounds(shape).items()}


class Definition:
    """What decision 0013 says of the masks, for the query that is next: ``counts``, a bit per key,
    and ``beats``, a bit per beat with such a key; ``final``: it is the last one.

    Sizes, masks and position are free, constant, and such as the registers accept.
    """

    def __init__(self, m, ports, shape, moves):
        """``moves``: the present query ends."""
        self.shape = shape
        names = bounds(shape)
        self.job = {}
        begun = Signal(name="begun")
        m.d.sync += begun.eq(1)
        for name, most in names.items():
            held = Signal(range(most + 1), name=f"held_{name}")
            value = Signal(range(most + 1), name=f"job_{name}")
            m.d.comb += value.eq(Mux(begun, held, getattr(ports, name)))
            m.d.sync += held.eq(value)
            self.job[name] = value
        job = self.job
        legal = [
            *(job[name] != 0 for name in ("queries", "keys", "kv_heads", "group")),
            *(job[name] <= most for name, most in names.items()),
            ~job["causal"] | (job["position"] + job["queries"] <= job["keys"]),
            ~job["windowed"] | (job["causal"] & (job["window"] != 0)),
        ]
        m.d.comb += [Assume(each) for each in legal]
        # The queries that are done, of all.
        self.group, self.query, self.head = (
            Signal(3, name=f"done_{name}") for name in ("group", "query", "head")
        )
        self.at = Signal(range(2 * shape.max_keys), name="at")
        m.d.comb += self.at.eq(job["position"] + self.query)
        ends = [
            count == job[name] - 1
            for count, name in ((self.group, "group"), (self.query, "queries"),
                                (self.head, "kv_heads"))
        ]  # fmt: skip
        self.final = ends[0] & ends[1] & ends[2]
        with m.If(moves):
            m.d.sync += self.group.eq(Mux(ends[0], 0, self.group + 1))
            with m.If(ends[0]):
                m.d.sync += self.query.eq(Mux(ends[1], 0, self.query + 1))
                with m.If(ends[1]):
                    m.d.sync += self.head.eq(self.head + 1)

        lanes = shape.lanes
        self.counts = [
            (key < job["keys"])
            & (~job["causal"] | (key <= self.at))
            & (~job["windowed"] | (key + job["window"] > self.at))
            for key in range(shape.max_keys)
        ]
        self.beats = [
            Cat(self.counts[n : n + lanes]).any() for n in range(0, len(self.counts), lanes)
        ]


class Beats:
    """Of a stream that has a beat per beat of keys: what the next one is."""

    def __init__(self, m, ports, shape, taken, name="k"):
        self.last, self.first = Signal(name=f"{name}_last"), Signal(name=f"{name}_first")
        self.over = Signal(name=f"{name}_over")
        self.spec = spec = Definition(m, ports, shape, taken & self.last)
        done = Signal(len(spec.beats), name=f"{name}_done")
        left, now = (Signal.like(done, name=f"{name}_{what}") for what in ("left", "now"))
        m.d.comb += [
            left.eq(Cat(spec.beats) & ~done),
            now.eq(left & (~left + 1)),
            self.first.eq(~done.any()),
            self.last.eq(left == now),
        ]
        self.now = now
        self.begins_group = self.first | now[:: shape.k_group_beats].any()
        with m.If(taken):
            m.d.sync += done.eq(Mux(self.last, 0, done | now))
            with m.If(self.last & spec.final):
                m.d.sync += self.over.eq(1)


def walk(*, fault=None):
    """From a start on, with beats taken at any time: of each query each beat with a key that counts
    comes once, in order, and with it exactly those keys."""
    shape = small(*PACKED)

    def body(m, ports):
        m.submodules.dut = dut = KeyWalk(shape=shape)
        started, take = Signal(), Signal()
        m.d.sync += started.eq(1)
        m.d.comb += [dut.start.eq(~started), take.eq(ports.take & dut.running), dut.take.eq(take)]
        beats = Beats(m, ports, shape, take)
        for name, value in beats.spec.job.items():
            wrong = (beats.spec.query == 1) if fault == name else 0
            m.d.comb += getattr(dut, name).eq(value + wrong)
        lanes = shape.lanes
        for lane in range(lanes):
            counts = Cat(beats.spec.counts[lane::lanes])
            m.d.comb += Assert(~dut.running | (dut.keep[lane] == (counts & beats.now).any()))
        block_ends = beats.now[shape.block_beats - 1 :: shape.block_beats].any()
        m.d.comb += Assert(dut.running == (started & ~beats.over))
        with m.If(dut.running):
            m.d.comb += [
                Assert(dut.first == beats.first),
                Assert(dut.last == beats.last),
                Assert(dut.block_end == (dut.last | block_ends)),
                Assert(dut.group_start == beats.begins_group),
                Assert(dut.final == beats.spec.final),
            ]

    return {**free(shape), "take": 1}, body


def test_the_walk_covers_exactly_the_keys_of_its_masks():
    check(*walk(), mode="bmc", depth=27)


@pytest.mark.parametrize("register", ["window", "position", "keys"])
def test_a_mask_that_is_off_by_one_is_found(register):
    refute(*walk(fault=register), mode="bmc", depth=8)


def path(*, fault=None, never_done=False):
    """A whole job of packed K and V: what is taken of each stream, and when.

    A beat of K is on its way until its V has been taken, which belongs to the same beat of the same
    query; G is taken with a group's first beat of K in a query and with no other; a query's result
    comes when all its V have been taken, and the job's last when all have.
    """
    shape = small(*PACKED)

    def body(m, ports):
        dut = StreamingAttention(shape=shape)
        m.submodules.dut, inside = opened(dut)
        started = Signal()
        m.d.sync += started.eq(1)
        m.d.comb += [
            dut.start.eq(~started),
            dut.g_tdata.eq(ports.g_data),
            dut.q_tdata.eq(ports.q_data),
            dut.o_tready.eq(ports.o_ready),
        ]
        taken = {}
        for name in "qkvg":
            offered = getattr(ports, f"{name}_valid")
            taken[name] = offered & getattr(dut, f"{name}_tready")
            # A beat that was not there.
            seen = offered | inside["have_query"] if fault == f"no {name}" else offered
            m.d.comb += getattr(dut, f"{name}_tvalid").eq(seen)
        k, v = (Beats(m, ports, shape, taken[name], name) for name in "kv")
        for name, value in k.spec.job.items():
            m.d.comb += getattr(dut, name).eq(value)
        last_group = Signal(len(dut.g_tdata), name="last_group", reset_less=True)
        last_query = Signal(len(dut.q_tdata), name="last_query", reset_less=True)
        with m.If(taken["g"]):
            m.d.sync += last_group.eq(ports.g_data)
        with m.If(taken["q"]):
            m.d.sync += last_query.eq(ports.q_data)
        ahead, on_way = Signal(2, name="queries_ahead"), Signal(6, name="on_way")
        results = Signal(4, name="results_to_come")
        given = dut.o_tvalid & dut.o_tready
        m.d.sync += [
            ahead.eq(ahead + taken["q"] - (taken["k"] & k.first)),
            on_way.eq(on_way + taken["k"] - taken["v"]),
            results.eq(results + (taken["v"] & v.last) - given),
        ]
        if never_done:
            m.d.comb += Assert(~dut.done)
            return
        m.d.comb += [
            Assert(taken["g"] == (taken["k"] & k.begins_group)),
            Assert(inside["groups"] == last_group),
            # The query that is loaded with its first beat is the one that came for it.
            Assert(~(taken["k"] & k.first) | ((ahead == 1) & (inside["next_query"] == last_query))),
            Assert(ahead <= 1),
            Assert(~(taken["q"] | taken["k"]) | (started & ~k.over)),
            Assert(~taken["v"] | ((on_way != 0) & ~v.over)),
            Assert(inside["beats_on_way"] <= shape.score_depth),
            Assert(inside["weights_on_way"] <= dut.weight_depth),
            Assert(inside["beats_on_way"] + inside["weights_on_way"] == on_way),
            Assert(~dut.o_tvalid | (results != 0)),
            Assert(~dut.o_tvalid | (dut.o_tlast == (v.over & (results == 1)))),
        ]

    streams = {f"{name}_valid": 1 for name in "qkvg"} | {"o_ready": 1}
    data = {"g_data": shape.g_width, "q_data": shape.q_width}
    return {**free(shape), **streams, **data}, body


def test_no_beat_is_dropped_or_taken_for_another_s():
    check(*path(), mode="bmc", depth=15)


@pytest.mark.slow
def test_the_job_of_that_proof_comes_to_its_end():
    refute(*path(never_done=True), mode="bmc", depth=30)


@pytest.mark.parametrize("stream", "kvg")
def test_a_beat_that_was_not_offered_is_found(stream):
    refute(*path(fault=f"no {stream}"), mode="bmc", depth=15)
