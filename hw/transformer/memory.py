"""The memories of an encoder: activations in banks, and what is loaded once and replayed."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..stream import HeldMemory
from .sizes import Sizes

__all__ = [
    "Activations",
    "Replay",
    "chosen",
    "connect_reads",
    "connect_writes",
    "read_ports",
    "side_by_side",
    "write_ports",
    "written",
]


def chosen(data, index, width: int):
    """Of words of ``width`` bits side by side the one at ``index``."""
    words = [data.word_select(place, width) for place in range(len(data) // width)]
    return Array(words)[index] if len(words) > 1 else words[0]


def write_ports(name: str, sizes: Sizes) -> dict:
    """Of a part that writes words: ``{name}_en``, ``_row``, ``_address``, ``_data``."""
    return {
        f"{name}_en": Out(1),
        f"{name}_row": Out(range(max(sizes.rows, 2))),
        f"{name}_address": Out(range(sizes.most_depth)),
        f"{name}_data": Out(sizes.word_width),
    }


def read_ports(name: str, sizes: Sizes) -> dict:
    """Of a part that reads: it wants the word at an address, and when that is taken it has it from
    the next cycle on (``here``, ``data``: of all rows) until it has accepted it."""
    return {
        f"{name}_want": Out(1),
        f"{name}_address": Out(range(sizes.most_depth)),
        f"{name}_taken": In(1),
        f"{name}_here": In(1),
        f"{name}_data": In(sizes.rows * sizes.word_width),
        f"{name}_accept": Out(1),
    }


def connect_reads(m, memories, readers):
    """Connects the read ports of parts, each (part, name) with when it reads which memory."""
    requests = [[], []]
    for (part, name), times in readers.items():
        port = {each: getattr(part, f"{name}_{each}") for each in
                ("want", "address", "taken", "here", "data", "accept")}  # fmt: skip
        taken, here, data = 0, 0, None
        for memory, active, requested in zip(memories, times, requests, strict=True):
            if active is None:
                continue
            requested.append((active, port))
            taken, here = taken | (memory.r_taken & active), here | (memory.r_here & active)
            data = memory.r_data if data is None else Mux(active, memory.r_data, data)
        m.d.comb += [port["taken"].eq(taken), port["here"].eq(here), port["data"].eq(data)]
    for memory, requested in zip(memories, requests, strict=True):
        for active, port in requested:
            with m.If(active):
                m.d.comb += [
                    memory.r_want.eq(port["want"]),
                    memory.r_address.eq(port["address"]),
                    memory.r_accept.eq(port["accept"]),
                ]


def connect_writes(m, memories, writers):
    """Connects the write ports of parts as :func:`connect_reads` does those that read; no two
    write a memory in a cycle."""
    for (part, name), times in writers.items():
        for memory, active in zip(memories, times, strict=True):
            if active is not None:
                with m.If(active & getattr(part, f"{name}_en")):
                    m.d.comb += memory.w_en.eq(1)
                    m.d.comb += [
                        getattr(memory, f"w_{each}").eq(getattr(part, f"{name}_{each}"))
                        for each in ("row", "address", "data")
                    ]


def side_by_side(m, part, walks: dict, room=1):
    """Reads words at ``walks`` through the ports of ``part`` of their names, as long as there is
    ``room``: the words, when they are ``here``. All walks are of one order, and each has a memory
    of its own, so that they go together."""
    first = next(iter(walks))
    row = Signal.like(walks[first].row, name="row_read", reset_less=True)
    with m.If(getattr(part, f"{first}_taken")):
        m.d.sync += row.eq(walks[first].row)
    words = []
    for name, walk in walks.items():
        m.d.comb += [
            getattr(part, f"{name}_want").eq(walk.running & room),
            getattr(part, f"{name}_address").eq(walk.address),
            walk.take.eq(getattr(part, f"{name}_taken")),
            getattr(part, f"{name}_accept").eq(1),
        ]
        words.append(chosen(getattr(part, f"{name}_data"), row, part.sizes.word_width))
    return words


def written(m, part, name: str, walk, valid, data):
    """``data`` through the write port ``name`` of ``part`` to where ``walk`` is."""
    m.d.comb += [
        getattr(part, f"{name}_en").eq(valid),
        getattr(part, f"{name}_row").eq(walk.row),
        getattr(part, f"{name}_address").eq(walk.address),
        getattr(part, f"{name}_data").eq(data),
    ]


class Activations(wiring.Component):
    """A memory of activations: ``rows`` banks, written a word at a time, read all at once.

    The read port is a stream of its own, as :func:`read_ports` has it: one word per cycle at most,
    a new one while the last is accepted. A word that is written in the cycle in which it is taken
    comes out undefined.
    """

    def __init__(self, *, sizes: Sizes, memory: int):
        self.sizes, self.memory = sizes, memory
        ports = write_ports("w", sizes) | read_ports("r", sizes)
        super().__init__({name: member.flip() for name, member in ports.items()})

    def elaborate(self, platform):
        m = Module()
        sizes = self.sizes
        depth, width = sizes.memory_depths[self.memory], sizes.word_width
        here = Signal()
        m.d.comb += [
            self.r_taken.eq(self.r_want & (~here | self.r_accept)),
            self.r_here.eq(here),
        ]
        with m.If(self.r_taken):
            m.d.sync += here.eq(1)
        with m.Elif(self.r_accept):
            m.d.sync += here.eq(0)
        words = []
        for row in range(sizes.rows):
            m.submodules[f"bank_{row}"] = bank = shared(HeldMemory, width=width, depth=depth)
            m.d.comb += [
                bank.w_en.eq(self.w_en & (self.w_row == row)),
                bank.w_addr.eq(self.w_address),
                bank.w_data.eq(self.w_data),
                bank.r_en.eq(self.r_taken),
                bank.r_addr.eq(self.r_address),
            ]
            words.append(bank.r_data)
        m.d.comb += self.r_data.eq(Cat(words))
        return m


class Replay(wiring.Component):
    """``depth`` words that come once, on ``i``, and are given again and again in their order on
    ``o``.

    ``clear``: as many are taken from the next cycle on, then it is ``full``. ``rewind``, when it is
    full: the next one given is the first, two cycles later. None is given behind the last.
    """

    def __init__(self, *, width: int, depth: int):
        self.width, self.depth = width, depth
        super().__init__(
            {
                "clear": In(1),
                "rewind": In(1),
                "full": Out(1),
                "i_valid": In(1),
                "i_ready": Out(1),
                "i_data": In(width),
                "o_valid": Out(1),
                "o_ready": In(1),
                "o_data": Out(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = shared(HeldMemory, width=self.width, depth=self.depth)
        written, read = (Signal(range(self.depth + 1), name=name) for name in ("written", "read"))
        valid = Signal()
        fetch = Signal()
        push = Signal()
        m.d.comb += [
            self.full.eq(written == self.depth),
            self.i_ready.eq(~self.full),
            push.eq(self.i_valid & self.i_ready),
            memory.w_en.eq(push),
            memory.w_addr.eq(written),
            memory.w_data.eq(self.i_data),
            fetch.eq((read != self.depth) & (~valid | self.o_ready)),
            memory.r_en.eq(fetch),
            memory.r_addr.eq(read),
            self.o_valid.eq(valid),
            self.o_data.eq(memory.r_data),
        ]
        m.d.sync += written.eq(written + push)
        with m.If(self.clear):
            m.d.sync += written.eq(0)
        with m.If(self.rewind):
            m.d.sync += [read.eq(0), valid.eq(0)]
        with m.Elif(fetch):
            m.d.sync += [read.eq(read + 1), valid.eq(1)]
        with m.Elif(self.o_ready):
            m.d.sync += valid.eq(0)
        return m
