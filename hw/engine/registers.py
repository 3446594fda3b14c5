"""The registers of a GEMM engine behind their AXI4-Lite slave."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..axi_lite import DECERR, OKAY, SLVERR, AxiLiteSlave
from ..cells import shared
from ..geometry import Stationary
from ..stream import axi_lite_ports
from ..weights import CODINGS, Coding
from . import bank, regmap
from .core import CoreShape, job_ports, table_ports
from .table_map import TableMap

# Bits of ERROR, as in regmap.
ILLEGAL_SIZE, START_WHILE_BUSY, MODE_NOT_BUILT_IN, ILLEGAL_SCALE = range(4)

OF_B = ("N", "K", "WEIGHTS", "GROUPS")
"""Registers that say what is in B's buffer."""


class GemmRegisters(wiring.Component):
    """Registers, counters and channel-table writes; see :mod:`.regmap` for the map.

    Ports: AXI4-Lite slave ``s_axil_*``; the job's parameters and ``start`` (a pulse); the tables'
    write port; ``soft_reset`` (a pulse); from the core ``done``, ``stall_*``, ``tile`` (pulses).
    """

    def __init__(self, *, shape: CoreShape):
        self.shape = shape
        self.map = TableMap(shape)
        self.address_width, self.tables = self.map.address_width, self.map.tables
        options = {"zero_points": shape.zero_points, "keep_b": shape.keep_b}
        self.registers = regmap.registers(serial=shape.serial, groups=shape.groups, **options)
        self.mode_width = regmap.mode_width(**options)
        ports = {name: Out(member.shape) for name, member in job_ports(shape).items()}
        ports |= {name: Out(member.shape) for name, member in table_ports(shape).items()}
        ports |= {"soft_reset": Out(1), "done": In(1), "tile": In(1)}
        ports |= {f"stall_{name}": In(1) for name in ("a", "b", "c0", "c")}
        super().__init__(ports | axi_lite_ports("s_axil", self.address_width))

    def elaborate(self, platform):
        m = Module()
        m.submodules.slave = slave = shared(AxiLiteSlave, address_width=self.address_width)
        bank.connect_slave(m, self, slave, self.address_width)

        values = self._values(m)
        busy = Signal()
        control = Signal(3)
        raised = Signal(4)
        clear = Signal(4)
        # Whether B of the job before may be used again, and what ends that.
        kept = Signal(name="b_kept") if self.shape.keep_b else None
        changes = Signal(name="b_changes")
        done = self._control(m, control, busy, values, raised, kept, changes)
        errors = Signal(4)
        m.d.sync += errors.eq((errors & ~clear) | raised)
        counts = self._counters(m, busy, control[2])

        accepted = Signal(len(self.tables))
        m.d.comb += slave.w_response.eq(DECERR)
        with m.If(slave.write), m.Switch(self.map.window(slave.w_word)):
            with m.Case(0):
                self._register_writes(m, slave, values, busy, control, clear, raised, changes)
            for number, name in enumerate(self.tables):
                with m.Case(*self.map.windows(name)):
                    self._table_write(m, slave, name, accepted[number], busy, raised)
        # Table writes go through a register, which hides the division by lanes.
        index = Signal(range(self.map.entries), name="table_index", reset_less=True)
        data = Signal(32, name="table_data", reset_less=True)
        m.d.comb += self.t_data.eq(data)
        m.d.sync += [
            self.t_en.eq(self.map.enables(accepted)),
            data.eq(slave.w_data),
            index.eq(self.map.index(slave.w_word)),
        ]
        m.d.comb += self.map.split(index, self.t_panel, self.t_lane)
        self._reads(
            m,
            slave,
            {
                "ID": Const(regmap.ID, 32),
                "VERSION": Const(regmap.VERSION, 32),
                "CONTROL": Const(0, 32),
                "STATUS": Cat(busy, done, errors.any()),
                "ERROR": errors,
                **values,
                "ZERO_POINT": values["ZERO_POINT"].as_signed(),
                **counts,
                "MAX_M": Const(self.shape.max_m, 32),
                "MAX_N": Const(self.shape.max_n, 32),
                "MAX_K": Const(self.shape.max_k, 32),
                "GEOMETRY": Const(int(self.shape.geometry.stationary is Stationary.WEIGHT), 32),
            },
        )
        return m

    def _values(self, m) -> dict:
        """What can be read back as it was written, by register, and the ports that it drives."""
        values = {
            "M": Signal(32, name="m_register"),
            "N": Signal(32, name="n_register"),
            "K": Signal(32, name="k_register"),
            "MODE": Signal(self.mode_width, name="mode_register"),
            "ZERO_POINT": Signal(17, name="zero_point_register"),
            "MULTIPLIER": Signal(31, name="multiplier_register"),
            "SHIFT": Signal(6, name="shift_register"),
        }
        if self.shape.groups > 1:
            values["GROUPS"] = Signal(32, name="groups_register", init=1)
            m.d.comb += self.groups.eq(values["GROUPS"])
        mode = [self.add_c0, self.add_bias, self.requantize, self.relu]
        if self.shape.zero_points:
            mode.append(self.subtract_zeros)
        if self.shape.serial:
            b = self.shape.pe.b
            coded = b.width + (CODINGS.index(b.coding) << 4)
            values["WEIGHTS"] = Signal(6, name="weights_register", init=coded)
            m.d.comb += Cat(self.b_bits, self.b_coding).eq(values["WEIGHTS"])
        m.d.comb += [
            self.m.eq(values["M"]),
            self.n.eq(values["N"]),
            self.k.eq(values["K"]),
            Cat(mode).eq(values["MODE"]),
            *([self.keep_b.eq(values["MODE"][5])] if self.shape.keep_b else []),
            self.zero_point.eq(values["ZERO_POINT"]),
            self.multiplier.eq(values["MULTIPLIER"]),
            self.shift.eq(values["SHIFT"]),
        ]
        return values

    def _control(self, m, control, busy, values, raised, kept, changes):
        """Start and soft reset; returns ``done``. A soft reset wins over a start beside it."""
        shape, output = self.shape, self.shape.output
        legal_size = Signal()
        legal_mode = Signal()
        wanted = Signal()
        done = Signal()
        mode = Mux(values["MODE"][2], output.format is not None, output.raw)
        limits = [("M", shape.max_m), ("N", shape.max_n), ("K", shape.max_k)]
        limits += [("GROUPS", shape.groups)] * (shape.groups > 1)
        m.d.comb += [
            legal_size.eq(
                Cat((values[name] != 0) & (values[name] <= limit) for name, limit in limits).all()
            ),
            legal_mode.eq(self._legal_mode(mode, kept)),
            self.soft_reset.eq(control[1]),
            wanted.eq(control[0] & ~control[1]),
            self.start.eq(wanted & ~busy & legal_size & legal_mode),
            raised[ILLEGAL_SIZE].eq(wanted & ~busy & ~legal_size),
            raised[START_WHILE_BUSY].eq(wanted & busy),
            raised[MODE_NOT_BUILT_IN].eq(wanted & ~busy & ~legal_mode),
        ]
        if kept is not None:
            with m.If(self.soft_reset | changes):
                m.d.sync += kept.eq(0)
            with m.Elif(self.start):
                m.d.sync += kept.eq(1)
        bank.track(m, self.soft_reset, self.start, self.done, busy, done)
        return done

    def _counters(self, m, busy, clear):
        most = 2**32 - 1
        events = {
            "CYCLES": (busy, most),
            "STALL_A": (self.stall_a, most),
            "STALL_B": (self.stall_b, most),
            "STALL_C0": (self.stall_c0, most),
            "STALL_C": (self.stall_c, most),
            "TILES": (self.tile, self.shape.tiles),
        }
        return bank.counters(m, events, self.start | clear)

    def _register_writes(self, m, slave, values, busy, control, clear, raised, changes):
        legal = {
            "MULTIPLIER": lambda word: ~word[31],
            "SHIFT": lambda word: word <= regmap.MAX_SHIFT,
            "ZERO_POINT": bank.fits(17, signed=True),
            "WEIGHTS": self._legal_weights,
        }

        def written(name: str):
            if self.shape.keep_b and name in OF_B:
                m.d.comb += changes.eq(1)

        bank.register_writes(
            m,
            slave,
            self.map.offset(slave.w_word),
            self.registers,
            values,
            legal,
            busy,
            {"CONTROL": control, "ERROR": clear},
            raised[ILLEGAL_SCALE],
            written,
        )

    def _table_write(self, m, slave, name: str, accepted, busy, raised):
        """A whole word into a channel table; ``accepted`` goes high if it is taken."""
        refused = {
            "bias": Const(0, 1),
            "multiplier": slave.w_data[31],
            "shift": slave.w_data > regmap.MAX_SHIFT,
            "zero": slave.w_data > 1 << self.shape.pe.b.width,
        }[name]
        with m.If(self.map.inside(name, slave.w_word)):
            m.d.comb += [
                raised[ILLEGAL_SCALE].eq(refused),
                accepted.eq(~busy & slave.w_strobe.all() & ~refused),
                slave.w_response.eq(Mux(accepted, OKAY, SLVERR)),
            ]

    def _legal_mode(self, mode, kept):
        """``mode``, zero points are of asymmetric weights, and what stays is there."""
        if self.shape.zero_points and self.shape.serial:
            asymmetric = self.b_coding == CODINGS.index(Coding.ASYMMETRIC)
            mode = mode & (~self.subtract_zeros | asymmetric)
        return mode if kept is None else mode & (~self.keep_b | kept)

    def _legal_weights(self, value):
        """Whether ``value`` says a format that there is: up to the configured bits, 1 of -1 and 1,
        2 of ternary weights."""
        bits, coding = value[:4], value[4:]
        wanted = {Coding.BINARY: 1, Coding.TERNARY: 2}
        fits = [
            (coding == number) & (bits == wanted[each] if each in wanted else bits != 0)
            for number, each in enumerate(CODINGS)
        ]
        return Cat(fits).any() & (bits <= self.shape.pe.b.width)

    def _reads(self, m, slave, readable):
        addresses = regmap.addresses(self.registers)
        m.d.comb += slave.r_response.eq(DECERR)
        with m.Switch(self.map.window(slave.r_word)):
            with m.Case(0):
                offset = self.map.offset(slave.r_word)
                bank.register_reads(m, slave, offset, addresses, readable)
            for name in self.tables:
                with m.Case(*self.map.windows(name)), m.If(self.map.inside(name, slave.r_word)):
                    m.d.comb += slave.r_response.eq(OKAY)
