"""The registers of a GEMM engine behind their AXI4-Lite slave."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..axi_lite import DECERR, OKAY, SLVERR, AxiLiteSlave
from ..cells import shared
from ..geometry import Stationary
from ..stream import axi_lite_ports
from ..weights import CODINGS, Coding
from . import regmap
from .core import CoreShape, connect, job_ports, table_ports

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
        self.address_width = regmap.address_width(shape.max_n, zeros=shape.zeros)
        self.tables = regmap.table_addresses(
            shape.max_n, per_channel=shape.output.per_channel, zeros=shape.zeros
        )
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
        lite = axi_lite_ports("s_axil", self.address_width)
        inputs = [name for name, member in lite.items() if member.flow == wiring.In]
        connect(m, slave, self, inputs)
        connect(m, self, slave, [name for name in lite if name not in inputs])

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
        busy = Signal()
        control = Signal(3)
        raised = Signal(4)
        clear = Signal(4)
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
        # Whether B of the job before may be used again, and what ends that.
        kept = Signal(name="b_kept") if self.shape.keep_b else None
        changes = Signal(name="b_changes")
        done = self._control(m, control, busy, values, raised, kept, changes)
        errors = Signal(4)
        m.d.sync += errors.eq((errors & ~clear) | raised)
        counts = self._counters(m, busy, control[2])

        accepted = Signal(len(self.tables))
        m.d.comb += slave.w_response.eq(DECERR)
        with m.If(slave.write), m.Switch(self._window(slave.w_word)):
            with m.Case(0):
                self._register_writes(m, slave, values, busy, control, clear, raised, changes)
            for number, name in enumerate(self.tables):
                with m.Case(*self._windows(name)):
                    self._table_write(m, slave, name, accepted[number], busy, raised)
        # Table writes go through a register, which hides the division by lanes.
        entries = max(self.shape.max_n, self.shape.zeros, 2)
        index = Signal(range(entries), name="table_index", reset_less=True)
        data = Signal(32, name="table_data", reset_less=True)
        m.d.comb += self.t_data.eq(data)
        m.d.sync += [
            self.t_en.eq(self._by_table(accepted)),
            data.eq(slave.w_data),
            index.eq(self._index(slave.w_word)),
        ]
        m.d.comb += self._split(index)
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
        # A job that ends in the cycle of a soft reset is too late to count.
        with m.If(self.soft_reset):
            m.d.sync += [busy.eq(0), done.eq(0)]
        with m.Elif(self.start):
            m.d.sync += [busy.eq(1), done.eq(0)]
        with m.Elif(self.done):
            m.d.sync += [busy.eq(0), done.eq(1)]
        return done

    def _counters(self, m, busy, clear):
        """Counters of a job's events, by register name: modulo ``2**32``, and no wider than the
        largest job can need. A core has no events outside of a job."""
        events = {
            "CYCLES": busy,
            "STALL_A": self.stall_a,
            "STALL_B": self.stall_b,
            "STALL_C0": self.stall_c0,
            "STALL_C": self.stall_c,
            "TILES": self.tile,
        }
        counts = {}
        for name, event in events.items():
            most = self.shape.tiles if name == "TILES" else 2**32 - 1
            counts[name] = count = Signal(range(most + 1), name=name.lower())
            with m.If(self.start | clear):
                m.d.sync += count.eq(0)
            with m.Elif(event):
                m.d.sync += count.eq(count + 1)
        return counts

    def _window(self, word):
        """Which window of the address space a word address is in; 0 has the registers."""
        return word[self._offset_bits() :]

    def _offset(self, word):
        return word[: self._offset_bits()]

    def _windows(self, name: str) -> range:
        """Which windows a table has: that of zero points as many as are before it."""
        first = self.tables[name] // regmap.window(self.shape.max_n)
        return range(first, 2 * first if name == "zero" else first + 1)

    def _inside(self, name: str, word):
        """Whether a word address in a table's windows is one of its words."""
        if name == "zero":
            return self._index(word) < self.shape.zeros
        return self._offset(word) < self.shape.max_n

    def _index(self, word):
        """A word's place in its table: in that of zero points in all of its windows."""
        if not self.shape.zeros:
            return self._offset(word)
        bits = (self.tables["zero"] - 1).bit_length() - 2
        return Mux(word[bits:].any(), word[:bits], self._offset(word))

    def _offset_bits(self) -> int:
        return (regmap.window(self.shape.max_n) - 1).bit_length() - 2

    def _register_writes(self, m, slave, values, busy, control, clear, raised, changes):
        merged = Signal(32)
        old = Signal(32)
        m.d.comb += merged.eq(
            Cat(
                Mux(
                    slave.w_strobe[byte],
                    slave.w_data.word_select(byte, 8),
                    old.word_select(byte, 8),
                )
                for byte in range(4)
            )
        )
        legal = {
            "MULTIPLIER": ~merged[31],
            "SHIFT": merged <= regmap.MAX_SHIFT,
            "ZERO_POINT": merged[16:].all() | ~merged[16:].any(),
            "WEIGHTS": self._legal_weights(merged),
        }
        with m.Switch(self._offset(slave.w_word)):
            for register in self.registers:
                with m.Case(register.address // 4):
                    if register.access == "RO":
                        m.d.comb += slave.w_response.eq(SLVERR)
                    elif register.access == "RW":
                        value = values[register.name]
                        signed = register.name == "ZERO_POINT"
                        refused = ~legal.get(register.name, Const(1))
                        m.d.comb += [
                            old.eq(value.as_signed() if signed else value),
                            raised[ILLEGAL_SCALE].eq(refused),
                            slave.w_response.eq(Mux(busy | refused, SLVERR, OKAY)),
                        ]
                        with m.If(~busy & ~refused):
                            m.d.sync += value.eq(merged)
                            if self.shape.keep_b and register.name in OF_B:
                                m.d.comb += changes.eq(1)
                    else:
                        command = {"CONTROL": control, "ERROR": clear}[register.name]
                        m.d.comb += [
                            command.eq(Mux(slave.w_strobe[0], slave.w_data[:4], 0)),
                            slave.w_response.eq(OKAY),
                        ]

    def _table_write(self, m, slave, name: str, accepted, busy, raised):
        """A whole word into a channel table; ``accepted`` goes high if it is taken."""
        refused = {
            "bias": Const(0, 1),
            "multiplier": slave.w_data[31],
            "shift": slave.w_data > regmap.MAX_SHIFT,
            "zero": slave.w_data > 1 << self.shape.pe.b.width,
        }[name]
        with m.If(self._inside(name, slave.w_word)):
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

    def _by_table(self, accepted):
        """``accepted``, of the tables that there are, as the core's enables."""
        there = list(self.tables)
        if there == list(regmap.TABLES[: len(there)]):
            return accepted
        return Cat(accepted[there.index(name)] if name in there else Const(0, 1)
                   for name in regmap.TABLES)  # fmt: skip

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

    def _reads(self, m, slave, readable):
        addresses = regmap.addresses(self.registers)
        m.d.comb += slave.r_response.eq(DECERR)
        with m.Switch(self._window(slave.r_word)):
            with m.Case(0), m.Switch(self._offset(slave.r_word)):
                for name, value in readable.items():
                    with m.Case(addresses[name] // 4):
                        m.d.comb += [slave.r_data.eq(value), slave.r_response.eq(OKAY)]
            for name in self.tables:
                with m.Case(*self._windows(name)), m.If(self._inside(name, slave.r_word)):
                    m.d.comb += slave.r_response.eq(OKAY)
