"""An engine with a host link: what a board's top holds."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import describe, shared
from ..emit import verilog
from .commands import HEADER, IDENTITY_BYTES
from .link import LIMIT, PATIENCE, HostLink


class LinkedEngine(wiring.Component):
    """An engine whose only way out is a serial line.

    Parameters: ``engine`` (its class) and ``parameters`` (a mapping; what the class takes): any
    component with ``s_axil_*`` and some of ``s_axis_*`` and ``m_axis_*``; the link's streams are
    numbered in the order of these ports. The rest are those of :class:`.HostLink`; ``limit`` is
    512 bytes unless given, or the power of two that holds a beat.

    Ports: ``rx``, ``tx`` (idle high), ``busy`` (high while a request is executed; for a LED).
    """

    def __init__(
        self,
        *,
        engine: type,
        parameters: dict,
        clock_frequency: float,
        baud: float,
        identity: bytes,
        limit: int | None = None,
        patience: int = PATIENCE,
    ):
        self.engine, self.parameters = engine, dict(parameters)
        signature = describe(engine, **self.parameters).signature
        self._members = signature.members
        sinks, sources = _streams(self._members, "s_axis_"), _streams(self._members, "m_axis_")
        widest = max(n_bytes for _, n_bytes in (*sinks, *sources))
        self.link = HostLink(
            clock_frequency=clock_frequency,
            baud=baud,
            address_width=self._members["s_axil_awaddr"].shape,
            sinks=sinks,
            sources=sources,
            identity=identity,
            limit=limit or max(LIMIT, 1 << (widest + HEADER).bit_length()),
            patience=patience,
        )
        super().__init__({"rx": In(1), "tx": Out(1), "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = link = self.link
        m.submodules.engine = engine = shared(self.engine, reset=link.engine_rst, **self.parameters)
        m.d.comb += [link.rx.eq(self.rx), self.tx.eq(link.tx), self.busy.eq(link.busy)]
        for name, member in self._members.items():
            # s_axis_a of the engine is m_axis_a of the link, and so on.
            facing = {"s": "m", "m": "s"}[name[0]] + name[1:]
            inner, outer = getattr(engine, name), getattr(link, facing)
            m.d.comb += outer.eq(inner) if member.flow == wiring.Out else inner.eq(outer)
        return m


def _streams(members, prefix: str) -> tuple:
    """(name, bytes per beat) of the engine's streams of one direction."""
    found = []
    for port, member in members.items():
        if port.startswith(prefix) and port.endswith("_tdata"):
            name = port.removeprefix(prefix).removesuffix("_tdata")
            found.append((name, member.shape // 8))
    return tuple(found)


def linked(config, *, clock_frequency: float, baud: float) -> LinkedEngine:
    """The engine of a configuration (:class:`~matweave.hw.config.GemmConfig`) with its link."""
    from ..engine import build

    engine = build(config)
    engine._MustUse__silence = True  # only its parameters are used
    return LinkedEngine(
        engine=type(engine),
        parameters=engine.parameters,
        clock_frequency=clock_frequency,
        baud=baud,
        identity=bytes.fromhex(config.hash)[:IDENTITY_BYTES],
    )


def linked_name(config) -> str:
    """The module's name in :func:`linked_verilog` of any kind of configuration."""
    return f"{config.name}_linked"


def linked_verilog(config, clock_frequency: float, baud: float) -> str:
    """Verilog-2001 of the engine of ``config`` with its host link, as module ``NAME_linked``.

    Ports: ``clk`` (of ``clock_frequency`` Hz), ``rst`` (synchronous), ``rx``, ``tx``, ``busy``.
    Raises :class:`ValueError` where the clock gives fewer than 8 cycles per bit.
    """
    component = linked(config, clock_frequency=clock_frequency, baud=baud)
    return verilog(component, linked_name(config))
