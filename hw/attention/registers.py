"""The registers of an attention engine behind their AXI4-Lite slave."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..axi_lite import DECERR, AxiLiteSlave
from ..cells import shared
from ..engine import bank
from ..stream import axi_lite_ports
from . import regmap
from .shape import MAX_SHIFT, Shape
from .streaming import STALLS, parameter_ports


class AttentionRegisters(wiring.Component):
    """Registers and counters; see :mod:`.regmap` for the map.

    Ports: AXI4-Lite slave ``s_axil_*``; the job's parameters and ``start`` (a pulse);
    ``soft_reset`` (a pulse); from the core ``done`` and ``stall_*`` (pulses).
    """

    def __init__(self, *, shape: Shape):
        self.shape = shape
        super().__init__(
            {
                **{name: Out(member.shape) for name, member in parameter_ports(shape).items()},
                "soft_reset": Out(1),
                "done": In(1),
                **{f"stall_{name}": In(1) for name in STALLS},
                **axi_lite_ports("s_axil", regmap.ADDRESS_WIDTH),
            }
        )

    def elaborate(self, platform):
        m = Module()
        shape = self.shape
        m.submodules.slave = slave = shared(AxiLiteSlave, address_width=regmap.ADDRESS_WIDTH)
        bank.connect_slave(m, self, slave, regmap.ADDRESS_WIDTH)
        values = {
            name: Signal(width, name=f"{name.lower()}_register")
            for name, width in regmap.widths(shape).items()
        }
        busy = Signal()
        done = Signal()
        control = Signal(3)
        illegal_size = Signal()
        start_while_busy = Signal()
        illegal_mode = Signal()
        illegal_scale = Signal()
        clear = Signal(4)
        errors = Signal(4)
        self._parameters(m, values)
        wanted = Signal()
        legal = Signal()
        built_in = Signal()
        m.d.comb += [
            legal.eq(self._legal(m, values)),
            self.soft_reset.eq(control[1]),
            wanted.eq(control[0] & ~control[1]),
            built_in.eq(Const(int(shape.partial)) | ~self.partial),
            self.start.eq(wanted & ~busy & legal & built_in),
            illegal_mode.eq(wanted & ~busy & ~built_in),
            illegal_size.eq(wanted & ~busy & ~legal),
            start_while_busy.eq(wanted & busy),
        ]
        bank.track(m, self.soft_reset, self.start, self.done, busy, done)
        raised = Cat(illegal_size, start_while_busy, illegal_mode, illegal_scale)
        m.d.sync += errors.eq((errors & ~clear) | raised)
        most = 2**32 - 1
        events = {f"STALL_{name.upper()}": getattr(self, f"stall_{name}") for name in STALLS}
        events = {name: (event, most) for name, event in {"CYCLES": busy, **events}.items()}
        counts = bank.counters(m, events, self.start | control[2])

        fits = {
            name: bank.fits(width, signed=name == "ZERO_POINT")
            for name, width in regmap.widths(shape).items()
            if width < 32 and name != "MODE"
        }
        fits["LOGIT_SHIFT"] = lambda word: word <= MAX_SHIFT
        fits["SHIFT"] = lambda word: word <= shape.max_output_shift
        m.d.comb += [slave.w_response.eq(DECERR), slave.r_response.eq(DECERR)]
        with m.If(slave.write):
            bank.register_writes(
                m,
                slave,
                slave.w_word,
                regmap.REGISTERS,
                values,
                fits,
                busy,
                {"CONTROL": control, "ERROR": clear},
                illegal_scale,
            )
        constants = {
            "ID": regmap.ID,
            "VERSION": regmap.VERSION,
            "CONTROL": 0,
            "MAX_QUERIES": shape.max_queries,
            "MAX_KEYS": shape.max_keys,
            "MAX_KV_HEADS": shape.max_kv_heads,
            "MAX_GROUP": shape.max_group,
        }
        readable = {
            **{name: Const(value, 32) for name, value in constants.items()},
            "STATUS": Cat(busy, done, errors.any()),
            "ERROR": errors,
            **values,
            "ZERO_POINT": values["ZERO_POINT"].as_signed(),
            **counts,
        }
        bank.register_reads(m, slave, slave.r_word, regmap.ADDRESS, readable)
        return m

    def _parameters(self, m, values):
        for name in parameter_ports(self.shape):
            if name.upper() in values:
                m.d.comb += getattr(self, name).eq(values[name.upper()])
        m.d.comb += Cat(self.causal, self.windowed, self.partial).eq(values["MODE"])

    def _legal(self, m, values):
        """Whether a job of these sizes can start."""
        shape = self.shape
        limits = {
            "QUERIES": shape.max_queries,
            "KEYS": shape.max_keys,
            "KV_HEADS": shape.max_kv_heads,
            "GROUP": shape.max_group,
        }
        sizes = [(values[name] != 0) & (values[name] <= most) for name, most in limits.items()]
        behind = Signal(33)
        m.d.comb += behind.eq(values["POSITION"] + values["QUERIES"])
        causal, windowed, _ = values["MODE"]
        window = causal & (values["WINDOW"] != 0) & (values["WINDOW"] <= shape.max_keys)
        return Cat(*sizes, ~causal | (behind <= values["KEYS"]), ~windowed | window).all()
