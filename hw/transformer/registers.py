"""The registers of transformer layers behind their AXI4-Lite slave."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..axi_lite import DECERR, AxiLiteSlave
from ..cells import shared
from ..engine import bank
from ..stream import axi_lite_ports
from . import regmap
from .core import STALLS
from .sizes import Sizes


class EncoderRegisters(wiring.Component):
    """Registers and counters; see :mod:`.regmap` for the map.

    Ports: AXI4-Lite slave ``s_axil_*``; ``start`` (a pulse) with ``tokens`` and ``load``;
    ``soft_reset`` (a pulse); from the core ``done``, ``loaded`` and ``stall_*`` (pulses). A model
    stays over a soft reset, unless that cuts its load off. Of a decoder ``position`` with
    ``tokens``: of the first one; what is cached before it stays over a soft reset too.
    """

    def __init__(self, *, sizes: Sizes):
        self.sizes = sizes
        super().__init__(
            {
                "start": Out(1),
                "load": Out(1),
                "tokens": Out(range(sizes.tokens + 1)),
                **({"position": Out(range(sizes.context))} if sizes.causal else {}),
                "soft_reset": Out(1),
                **{name: In(1) for name in ("done", "loaded")},
                **{f"stall_{name}": In(1) for name in STALLS},
                **axi_lite_ports("s_axil", regmap.ADDRESS_WIDTH),
            }
        )

    def elaborate(self, platform):
        m = Module()
        sizes = self.sizes
        m.submodules.slave = slave = shared(AxiLiteSlave, address_width=regmap.ADDRESS_WIDTH)
        bank.connect_slave(m, self, slave, regmap.ADDRESS_WIDTH)
        values = {
            "TOKENS": Signal(32, name="tokens_register"),
            "MODE": Signal(name="mode_register"),
            **({"POSITION": Signal(32, name="position_register")} if sizes.causal else {}),
        }
        busy, done, model = Signal(), Signal(), Signal(name="model_is_there")
        control, clear, errors = Signal(3), Signal(4), Signal(3 + sizes.causal)
        wanted, legal, have = Signal(), Signal(), Signal()
        sized = (values["TOKENS"] != 0) & (values["TOKENS"] <= sizes.tokens)
        may = wanted & ~busy & legal & have
        raised = Cat(wanted & ~busy & ~legal, wanted & busy, wanted & ~busy & ~have)
        cached = {}
        if sizes.causal:
            fits, follows, cached = self._context(m, values)
            sized, may = sized & fits, may & follows
            raised = Cat(raised, wanted & ~busy & ~follows)
        m.d.comb += [
            self.load.eq(values["MODE"]),
            self.tokens.eq(values["TOKENS"]),
            legal.eq(sized),
            have.eq(self.load | model),
            self.soft_reset.eq(control[1]),
            wanted.eq(control[0] & ~control[1]),
            self.start.eq(may),
        ]
        m.d.sync += errors.eq((errors & ~clear) | raised)
        with m.If(self.start & self.load):
            m.d.sync += model.eq(0)
        with m.Elif(self.loaded & ~self.soft_reset):
            m.d.sync += model.eq(1)
        bank.track(m, self.soft_reset, self.start, self.done, busy, done)
        most = 2**32 - 1
        events = {f"STALL_{name.upper()}": getattr(self, f"stall_{name}") for name in STALLS}
        events = {name: (event, most) for name, event in {"CYCLES": busy, **events}.items()}
        counts = bank.counters(m, events, self.start | control[2])
        m.d.comb += [slave.w_response.eq(DECERR), slave.r_response.eq(DECERR)]
        with m.If(slave.write):
            bank.register_writes(
                m,
                slave,
                slave.w_word,
                regmap.registers(decoder=sizes.causal),
                values,
                {},
                busy,
                {"CONTROL": control, "ERROR": clear},
                Signal(name="nothing_refused"),
            )
        readable = {
            **self._constants(),
            "STATUS": Cat(busy, done, errors.any()),
            "ERROR": errors,
            **values,
            **counts,
            **cached,
        }
        addresses = regmap.addresses(decoder=sizes.causal)
        bank.register_reads(m, slave, slave.r_word, addresses, readable)
        return m

    def _constants(self) -> dict:
        sizes = self.sizes
        found = {
            "ID": regmap.ID,
            "VERSION": regmap.VERSION,
            "CONTROL": 0,
            "MAX_TOKENS": sizes.tokens,
            "WIDTH": sizes.width,
            "HEADS": sizes.heads,
            "HIDDEN": sizes.hidden,
            "LAYERS": sizes.layers,
            **({"CONTEXT": sizes.context} if sizes.causal else {}),
        }
        return {name: Const(value, 32) for name, value in found.items()}

    def _context(self, m, values):
        """Whether the job ends within the context; whether all before it is cached; and what is
        cached, as a register. A start forgets what is cached from its position on."""
        position = values["POSITION"]
        cached = Signal(range(self.sizes.context + 1))
        end = Signal(33)
        m.d.comb += [self.position.eq(position), end.eq(position + values["TOKENS"])]
        with m.If(self.start):
            m.d.sync += cached.eq(position)
        with m.Elif(self.done & ~self.soft_reset):
            m.d.sync += cached.eq(end)
        # Those of another model mean nothing.
        follows = position <= Mux(self.load, 0, cached)
        return end <= self.sizes.context, follows, {"CACHED": cached}
