"""AXI4-Lite slave with the registers of a GEMM engine."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..geometry import Stationary
from ..stream import axi_lite_ports
from . import regmap
from .core import CoreShape, job_ports, table_ports
from .regmap import ADDRESS

OKAY, SLVERR, DECERR = 0, 2, 3


class GemmRegisters(wiring.Component):
    """Registers, counters and channel-table writes; see :mod:`.regmap` for the map.

    Ports: AXI4-Lite slave ``s_axil_*``; the job's parameters and ``start`` (a pulse); the tables'
    write port; ``soft_reset`` (a pulse); from the core ``done``, ``stall_*``, ``tile`` (pulses).
    One write and one read at a time, each answered 1 cycle after it is complete.
    """

    def __init__(self, *, shape: CoreShape):
        self.shape = shape
        self.address_width = regmap.address_width(shape.max_n)
        ports = {name: Out(member.shape) for name, member in job_ports(shape).items()}
        ports |= {name: Out(member.shape) for name, member in table_ports(shape).items()}
        ports |= {"soft_reset": Out(1), "done": In(1), "tile": In(1)}
        ports |= {f"stall_{name}": In(1) for name in ("a", "b", "c0", "c")}
        super().__init__(ports | axi_lite_ports("s_axil", self.address_width))

    def elaborate(self, platform):
        m = Module()
        shape = self.shape
        busy, done = Signal(), Signal()
        errors, raised = Signal(4), Signal(4)
        clear = Signal(4)
        write, address, data, strobe = self._write_channel(m)
        response = self.s_axil_bresp

        values = {name: Signal(32, name=name.lower()) for name in ("M", "N", "K")}
        values |= {
            "MODE": Signal(4, name="mode"),
            "ZERO_POINT": Signal(17, name="zero_point_register"),
            "MULTIPLIER": Signal(31, name="multiplier_register"),
            "SHIFT": Signal(6, name="shift_register"),
        }
        counters = {
            "CYCLES": busy,
            "STALL_A": busy & self.stall_a,
            "STALL_B": busy & self.stall_b,
            "STALL_C0": busy & self.stall_c0,
            "STALL_C": busy & self.stall_c,
            "TILES": busy & self.tile,
        }
        counts = {name: Signal(32, name=name.lower()) for name in counters}

        control = Signal(3)
        legal_size = Signal()
        m.d.comb += legal_size.eq(
            Cat(
                (values[name] != 0) & (values[name] <= limit)
                for name, limit in (("M", shape.max_m), ("N", shape.max_n), ("K", shape.max_k))
            ).all()
        )
        legal_mode = Signal()
        requantize = values["MODE"][2]
        m.d.comb += legal_mode.eq(
            Mux(requantize, shape.output.format is not None, shape.output.raw)
        )
        m.d.comb += [
            self.start.eq(control[0] & ~busy & legal_size & legal_mode),
            self.soft_reset.eq(control[1]),
            raised[0].eq(control[0] & ~busy & ~legal_size),
            raised[1].eq(control[0] & busy),
            raised[2].eq(control[0] & ~busy & ~legal_mode),
        ]
        m.d.sync += errors.eq((errors & ~clear) | raised)
        # A done of the cycle in which a soft reset arrives is too late to count.
        with m.If(control[1]):
            m.d.sync += [busy.eq(0), done.eq(0)]
        with m.Elif(self.start):
            m.d.sync += [busy.eq(1), done.eq(0)]
        with m.Elif(self.done):
            m.d.sync += [busy.eq(0), done.eq(1)]
        for name, event in counters.items():
            with m.If(self.start | control[2]):
                m.d.sync += counts[name].eq(0)
            with m.Elif(event):
                m.d.sync += counts[name].eq(counts[name] + 1)

        # Writes. A table write is registered once more, which hides the division by lanes.
        table_index = Signal(range(max(shape.max_n, 2)))
        table_data, table_enable = Signal(32), Signal(3)
        m.d.sync += table_enable.eq(0)
        merged = Signal(32)
        old = Signal(32)
        m.d.comb += merged.eq(
            Cat(
                Mux(strobe[byte], data.word_select(byte, 8), old.word_select(byte, 8))
                for byte in range(4)
            )
        )
        window = regmap.window(shape.max_n)
        shift_bits = (window - 1).bit_length()
        tables = regmap.table_addresses(shape.max_n, per_channel=shape.output.per_channel)
        with m.If(write):
            m.d.sync += response.eq(DECERR)
            with m.Switch(address[shift_bits:]):
                with m.Case(0):
                    self._register_writes(
                        m, address[:shift_bits], merged, old, values, busy, control, clear,
                        raised, response, data, strobe,
                    )  # fmt: skip
                for number, (name, base) in enumerate(tables.items()):
                    with m.Case(base // window):
                        index = address[2:shift_bits]
                        with m.If((index < shape.max_n) & (address[:2] == 0)):
                            legal = {
                                "bias": Const(1),
                                "multiplier": ~data[31],
                                "shift": data <= 62,
                            }[name]
                            m.d.comb += raised[3].eq(~legal)
                            with m.If(busy | ~strobe.all() | ~legal):
                                m.d.sync += response.eq(SLVERR)
                            with m.Else():
                                m.d.sync += [
                                    response.eq(OKAY),
                                    table_index.eq(index),
                                    table_data.eq(data),
                                    table_enable[number].eq(1),
                                ]
        m.d.comb += [
            self.t_en.eq(table_enable),
            self.t_data.eq(table_data),
            *self._split(table_index),
            self.m.eq(values["M"]),
            self.n.eq(values["N"]),
            self.k.eq(values["K"]),
            Cat(self.add_c0, self.add_bias, self.requantize, self.relu).eq(values["MODE"]),
            self.zero_point.eq(values["ZERO_POINT"]),
            self.multiplier.eq(values["MULTIPLIER"]),
            self.shift.eq(values["SHIFT"]),
        ]

        geometry = int(shape.geometry.stationary is Stationary.WEIGHT)
        readable = {
            "ID": Const(regmap.ID, 32),
            "VERSION": Const(regmap.VERSION, 32),
            "CONTROL": Const(0, 32),
            "STATUS": Cat(busy, done, errors.any()),
            "ERROR": errors,
            **values,
            "ZERO_POINT": values["ZERO_POINT"].as_signed(),
            **counts,
            "MAX_M": Const(shape.max_m, 32),
            "MAX_N": Const(shape.max_n, 32),
            "MAX_K": Const(shape.max_k, 32),
            "GEOMETRY": Const(geometry, 32),
        }
        self._read_channel(m, readable, shift_bits, list(tables.values()), window)
        return m

    def _register_writes(
        self, m, address, merged, old, values, busy, control, clear, raised, response, data, strobe
    ):
        m.d.sync += response.eq(DECERR)
        with m.Switch(address):
            for register in regmap.REGISTERS:
                with m.Case(register.address):
                    if register.access == "RO":
                        m.d.sync += response.eq(SLVERR)
                    elif register.name == "CONTROL":
                        m.d.comb += control.eq(Mux(strobe[0], data[:3], 0))
                        m.d.sync += response.eq(OKAY)
                    elif register.name == "ERROR":
                        m.d.comb += clear.eq(Mux(strobe[0], data[:4], 0))
                        m.d.sync += response.eq(OKAY)
                    else:
                        value = values[register.name]
                        stored = value.as_signed() if register.name == "ZERO_POINT" else value
                        m.d.comb += old.eq(stored)
                        legal = {"MULTIPLIER": ~merged[31], "SHIFT": merged <= 62}.get(
                            register.name, Const(1)
                        )
                        m.d.comb += raised[3].eq(~legal)
                        with m.If(busy | ~legal):
                            m.d.sync += response.eq(SLVERR)
                        with m.Else():
                            m.d.sync += [response.eq(OKAY), value.eq(merged)]

    def _split(self, index):
        """Channel index -> panel and lane, by a multiplication where lanes is no power of two."""
        lanes = self.shape.geometry.n
        if lanes & (lanes - 1) == 0:
            bits = lanes.bit_length() - 1
            return [self.t_panel.eq(index >> bits), self.t_lane.eq(index[:bits] if bits else 0)]
        # floor(i / lanes) = i * ceil(2**s / lanes) >> s for all i < 2**(s - bits of lanes).
        scale = len(index) + lanes.bit_length()
        factor = -(-(1 << scale) // lanes)
        panel = (index * factor) >> scale
        return [self.t_panel.eq(panel), self.t_lane.eq(index - self.t_panel * lanes)]

    def _write_channel(self, m):
        """Returns ``write`` (a pulse) with address, data and strobes, held from then on."""
        address, data = Signal(self.address_width), Signal(32)
        strobe = Signal(4)
        have_address, have_data, respond = Signal(), Signal(), Signal()
        write = Signal()
        m.d.comb += [
            self.s_axil_awready.eq(~have_address),
            self.s_axil_wready.eq(~have_data),
            self.s_axil_bvalid.eq(respond),
            # One write at a time: the response of the one before has been taken.
            write.eq(have_address & have_data & ~respond),
        ]
        with m.If(self.s_axil_awvalid & self.s_axil_awready):
            m.d.sync += [address.eq(self.s_axil_awaddr), have_address.eq(1)]
        with m.If(self.s_axil_wvalid & self.s_axil_wready):
            m.d.sync += [
                data.eq(self.s_axil_wdata),
                strobe.eq(self.s_axil_wstrb),
                have_data.eq(1),
            ]
        with m.If(write):
            m.d.sync += [have_address.eq(0), have_data.eq(0), respond.eq(1)]
        with m.Elif(respond & self.s_axil_bready):
            m.d.sync += respond.eq(0)
        return write, address, data, strobe

    def _read_channel(self, m, readable, shift_bits: int, tables, window: int):
        valid = Signal()
        m.d.comb += [
            self.s_axil_arready.eq(~valid),
            self.s_axil_rvalid.eq(valid),
        ]
        address = self.s_axil_araddr
        with m.If(self.s_axil_arvalid & self.s_axil_arready):
            m.d.sync += [valid.eq(1), self.s_axil_rdata.eq(0), self.s_axil_rresp.eq(DECERR)]
            with m.Switch(address[shift_bits:]):
                with m.Case(0), m.Switch(address[:shift_bits]):
                    for name, value in readable.items():
                        with m.Case(ADDRESS[name]):
                            m.d.sync += [
                                self.s_axil_rdata.eq(value),
                                self.s_axil_rresp.eq(OKAY),
                            ]
                for base in tables:
                    with m.Case(base // window):
                        index = address[2:shift_bits]
                        with m.If((index < self.shape.max_n) & (address[:2] == 0)):
                            m.d.sync += self.s_axil_rresp.eq(OKAY)
        with m.Elif(self.s_axil_rready):
            m.d.sync += valid.eq(0)
