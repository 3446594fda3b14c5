"""Rung 5 for the stream glue: nothing is dropped, doubled or reordered, payload is held.

The parts do not look at the data, so it may be a serial number: the k-th element that goes in is k,
and the k-th that comes out must be. Reset may come in any cycle.
"""

import pytest
from amaranth.hdl import Array, Assert, Assume, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from matweave.hw import stream
from matweave.hw.stream import BufferMemory, RowQueue, SkidBuffer
from matweave.sim.formal import opened

from .harness import check, refute

WIDTH = 5
FREE = {"i_valid": 1, "o_ready": 1}


class RegisterMemory(wiring.Component):
    """``BufferMemory`` as its docstring says it, in registers that invariants can name."""

    last = None

    def __init__(self, *, width, depth):
        super().__init__(
            {
                "w_en": In(1),
                "w_addr": In(range(depth)),
                "w_data": In(width),
                "r_addr": In(range(depth)),
                "r_data": Out(width),
            }
        )
        self.words = [Signal(width, name=f"word_{k}") for k in range(depth)]
        self.read = Signal(width)
        RegisterMemory.last = self

    def elaborate(self, platform):
        m = Module()
        words = Array(self.words)
        with m.If(self.w_en):
            m.d.sync += words[self.w_addr].eq(self.w_data)
        forward = self.w_en & (self.w_addr == self.r_addr)
        m.d.sync += self.read.eq(Mux(forward, self.w_data, words[self.r_addr]))
        m.d.comb += self.r_data.eq(self.read)
        return m


def numbered(m, ports, dut, *, ready, fault=None):
    """Feeds ``dut`` serial numbers and checks them at its output; returns both counts.

    ``ready``: whether an offered element is taken. ``fault`` plants a bug around the component.
    """
    taken, given = Signal(WIDTH), Signal(WIDTH)
    i_valid, o_valid, o_data, o_ready = ports.i_valid, dut.o_valid, dut.o_data, ports.o_ready
    m.d.comb += [dut.i_data.eq(taken), dut.i_valid.eq(i_valid), dut.o_ready.eq(o_ready)]
    if fault == "drops":
        m.d.comb += dut.i_valid.eq(i_valid & (taken != 6))
    if fault == "doubles":
        m.d.comb += dut.o_ready.eq(o_ready & (given != 6))
    if fault == "corrupts":
        o_data = o_data ^ (given == 6)
    waiting = Signal()
    if fault == "not held":
        o_valid = o_valid & ~(waiting & (given == 6))
    m.d.sync += [taken.eq(taken + (i_valid & ready)), given.eq(given + (o_valid & o_ready))]
    m.d.sync += waiting.eq(o_valid & ~o_ready)
    m.d.comb += [Assert(~o_valid | (o_data == given)), Assert(~waiting | o_valid)]
    return taken, given


def skid(fault=None):
    def body(m, ports):
        dut = SkidBuffer(width=WIDTH)
        inside, registers = opened(dut)
        m.submodules.dut = inside
        taken, given = numbered(m, ports, dut, ready=dut.i_ready, fault=fault)
        held = Signal(WIDTH)
        m.d.comb += [
            held.eq(taken - given),
            Assert(dut.o_valid == (held != 0)),
            Assert(dut.i_ready == (held < 2)),
            Assert(held <= 2),
            # Helper invariant: what waits behind the output is the next number.
            Assert((held != 2) | (registers["spare"] == (given + 1)[:WIDTH])),
        ]

    return FREE, body


def queue(depth, fault=None):
    def body(m, ports):
        dut = RowQueue(width=WIDTH, depth=depth)
        inside, registers = opened(dut)
        memory = RegisterMemory.last
        m.submodules.dut = inside
        taken, given = numbered(m, ports, dut, ready=1, fault=fault)
        held = Signal(WIDTH)
        tail, level = registers["tail"], registers["level"]
        head = Signal(range(depth))  # of the rows in the memory
        m.d.comb += [
            held.eq(taken - given),
            head.eq(memory.r_addr - registers["pop"]),
            Assume(~ports.i_valid | (held < depth)),  # the producer's reservation
            Assert(dut.o_valid == ((held != 0) | ports.i_valid)),
            # Helper invariants: the rows in the memory are the numbers in between.
            Assert(level == held),
            Assert(held <= depth),
            Assert((tail - head)[: len(head)] == held[: len(head)]),
            Assert((held == 0) | (memory.read == given)),
        ]
        for k, word in enumerate(memory.words):
            place = Signal(range(depth), name=f"place_{k}")  # in the queue, counted from its head
            m.d.comb += place.eq(k - head)
            m.d.comb += Assert((place >= held) | (word == (given + place)[:WIDTH]))

    return FREE, body


@pytest.fixture
def registers_as_memory(monkeypatch):
    monkeypatch.setattr(stream, "BufferMemory", RegisterMemory)


def test_skid_buffer():
    check(*skid(), mode="induction", depth=3)


@pytest.mark.parametrize("depth", [2, 4, 8])
def test_row_queue(depth, registers_as_memory):
    check(*queue(depth), mode="induction", depth=2)


@pytest.mark.parametrize("fault", ["drops", "doubles", "corrupts", "not held"])
def test_faults_are_found(fault, registers_as_memory):
    refute(*skid(fault), mode="bmc", depth=16)
    refute(*queue(4, fault), mode="bmc", depth=16)


def memories(fault=False):
    """The memory cell against its model, from power-up; contents are defined once written."""

    def body(m, ports):
        pair = BufferMemory(width=3, depth=4), RegisterMemory(width=3, depth=4)
        m.submodules.real, m.submodules.model = pair
        written, defined = Signal(4), Signal()
        for memory in pair:
            for name in ("w_en", "w_addr", "w_data", "r_addr"):
                m.d.comb += getattr(memory, name).eq(getattr(ports, name))
        if fault:  # the old word instead of the one that is being written
            m.d.comb += pair[0].r_addr.eq(ports.r_addr ^ (ports.r_addr == ports.w_addr))
        with m.If(ports.w_en):
            m.d.sync += written.bit_select(ports.w_addr, 1).eq(1)
        writing = ports.w_en & (ports.w_addr == ports.r_addr)
        m.d.sync += defined.eq(written.bit_select(ports.r_addr, 1) | writing)
        m.d.comb += Assert(~defined | (pair[0].r_data == pair[1].r_data))

    return {"w_en": 1, "w_addr": 2, "w_data": 3, "r_addr": 2}, body


def test_memory_cell_for_ten_cycles():
    check(*memories(), mode="bmc", depth=10)
    refute(*memories(fault=True), mode="bmc", depth=10)
