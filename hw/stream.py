"""Streams and their glue: port names of AXI4-Stream and AXI4-Lite, a skid buffer, a row queue."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .cells import shared


def sink_ports(name: str, width: int) -> dict:
    """AXI4-Stream input ports ``{name}_tdata`` … of ``width`` data bits."""
    return {
        f"{name}_tdata": In(width),
        f"{name}_tvalid": In(1),
        f"{name}_tready": Out(1),
        f"{name}_tlast": In(1),
    }


def source_ports(name: str, width: int) -> dict:
    """AXI4-Stream output ports, the same with the directions turned round."""
    return {port: member.flip() for port, member in sink_ports(name, width).items()}


def axi_lite_ports(name: str, address_width: int) -> dict:
    """AXI4-Lite slave ports with 32-bit data (AMBA IHI 0022, part B)."""
    return {
        f"{name}_awaddr": In(address_width),
        f"{name}_awprot": In(3),
        f"{name}_awvalid": In(1),
        f"{name}_awready": Out(1),
        f"{name}_wdata": In(32),
        f"{name}_wstrb": In(4),
        f"{name}_wvalid": In(1),
        f"{name}_wready": Out(1),
        f"{name}_bresp": Out(2),
        f"{name}_bvalid": Out(1),
        f"{name}_bready": In(1),
        f"{name}_araddr": In(address_width),
        f"{name}_arprot": In(3),
        f"{name}_arvalid": In(1),
        f"{name}_arready": Out(1),
        f"{name}_rdata": Out(32),
        f"{name}_rresp": Out(2),
        f"{name}_rvalid": Out(1),
        f"{name}_rready": In(1),
    }


def described(prefix: str, role: str, format, lanes: int, lane_width: int) -> dict:
    """A stream as the manifest tells it."""
    return {
        "prefix": prefix,
        "role": role,
        "format": str(format),
        "lanes": lanes,
        "lane_width": lane_width,
    }


class SkidBuffer(wiring.Component):
    """Two-entry register slice: no combinational path between its sides, no bubble.

    Ports: ``i_data``/``i_valid``/``i_ready``, ``o_data``/``o_valid``/``o_ready`` (``width`` bits).
    Latency 1 cycle; ``o_data`` is held until accepted.
    """

    def __init__(self, *, width: int):
        self.width = width
        super().__init__(
            {
                "i_data": In(width),
                "i_valid": In(1),
                "i_ready": Out(1),
                "o_data": Out(width),
                "o_valid": Out(1),
                "o_ready": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        head, spare = (Signal(self.width, name=name, reset_less=True) for name in ("head", "spare"))
        head_valid = Signal()
        spare_valid = Signal()
        m.d.comb += [
            self.i_ready.eq(~spare_valid),
            self.o_data.eq(head),
            self.o_valid.eq(head_valid),
        ]
        with m.If(~head_valid | self.o_ready):
            m.d.sync += [
                head.eq(Mux(spare_valid, spare, self.i_data)),
                head_valid.eq(spare_valid | self.i_valid),
                spare_valid.eq(0),
            ]
        with m.Elif(self.i_valid & self.i_ready):
            m.d.sync += [spare.eq(self.i_data), spare_valid.eq(1)]
        return m


class BufferMemory(wiring.Component):
    """``depth`` words of ``width`` bits, one write and one read port (block RAM).

    ``r_data`` is the word at the ``r_addr`` of the cycle before; a word written in that same cycle
    is read with its new value. Contents are undefined until written.
    """

    def __init__(self, *, width: int, depth: int):
        self.width, self.depth = width, depth
        super().__init__(
            {
                "w_en": In(1),
                "w_addr": In(range(max(depth, 2))),
                "w_data": In(width),
                "r_addr": In(range(max(depth, 2))),
                "r_data": Out(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=self.width, depth=max(self.depth, 2), init=[])
        write = memory.write_port()
        read = memory.read_port(transparent_for=(write,))
        m.d.comb += [
            write.en.eq(self.w_en),
            write.addr.eq(self.w_addr),
            write.data.eq(self.w_data),
            read.en.eq(1),
            read.addr.eq(self.r_addr),
            self.r_data.eq(read.data),
        ]
        return m


class HeldMemory(wiring.Component):
    """``depth`` words of ``width`` bits, one write and one read port (block RAM).

    ``r_data`` is the word at the ``r_addr`` of the last cycle with ``r_en``, and stays it until the
    next. A word that is written in the cycle in which it is read comes out undefined.
    """

    def __init__(self, *, width: int, depth: int):
        self.width, self.depth = width, depth
        super().__init__(
            {
                "w_en": In(1),
                "w_addr": In(range(max(depth, 2))),
                "w_data": In(width),
                "r_en": In(1),
                "r_addr": In(range(max(depth, 2))),
                "r_data": Out(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=self.width, depth=max(self.depth, 2), init=[])
        write = memory.write_port()
        read = memory.read_port()
        m.d.comb += [
            write.en.eq(self.w_en),
            write.addr.eq(self.w_addr),
            write.data.eq(self.w_data),
            read.en.eq(self.r_en),
            read.addr.eq(self.r_addr),
            self.r_data.eq(read.data),
        ]
        return m


class RowQueue(wiring.Component):
    """First-word-fall-through queue of ``depth`` (a power of two) rows in block RAM, latency 0.

    The producer must never exceed ``depth`` rows in the queue: it reserves room before it sends
    (there is no ``i_ready``). An empty queue passes ``i`` on in the same cycle.
    """

    def __init__(self, *, width: int, depth: int):
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two of at least 2, not {depth}")
        self.width, self.depth = width, depth
        super().__init__(
            {
                "i_data": In(width),
                "i_valid": In(1),
                "o_data": Out(width),
                "o_valid": Out(1),
                "o_ready": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = shared(BufferMemory, width=self.width, depth=self.depth)
        level = Signal(range(self.depth + 1))
        head = Signal(range(self.depth))
        tail = Signal(range(self.depth))
        stored = Signal()
        push = Signal()
        pop = Signal()
        m.d.comb += [
            stored.eq(level != 0),
            self.o_valid.eq(stored | self.i_valid),
            self.o_data.eq(Mux(stored, memory.r_data, self.i_data)),
            push.eq(self.i_valid & (stored | ~self.o_ready)),
            pop.eq(stored & self.o_ready),
            memory.w_en.eq(push),
            memory.w_addr.eq(tail),
            memory.w_data.eq(self.i_data),
            memory.r_addr.eq(head + pop),
        ]
        m.d.sync += [
            level.eq(level + push - pop),
            tail.eq(tail + push),
            head.eq(head + pop),
        ]
        return m
