"""What every engine's registers do: commands, writes with strobes, refusals, counters."""

from amaranth.hdl import Cat, Const, Mux, Signal
from amaranth.lib import wiring

from ..axi_lite import OKAY, SLVERR
from ..stream import axi_lite_ports
from .core import connect


def connect_slave(m, registers, slave, address_width: int):
    """The AXI4-Lite ports of ``registers`` to those of its ``slave``."""
    lite = axi_lite_ports("s_axil", address_width)
    inputs = [name for name, member in lite.items() if member.flow == wiring.In]
    connect(m, slave, registers, inputs)
    connect(m, registers, slave, [name for name in lite if name not in inputs])


def track(m, soft_reset, start, ended, busy, done):
    """``busy`` from ``start`` until ``ended``, ``done`` from then on.

    A job that ends in the cycle of a soft reset is too late to count.
    """
    with m.If(soft_reset):
        m.d.sync += [busy.eq(0), done.eq(0)]
    with m.Elif(start):
        m.d.sync += [busy.eq(1), done.eq(0)]
    with m.Elif(ended):
        m.d.sync += [busy.eq(0), done.eq(1)]


def counters(m, events, restart) -> dict:
    """Counters by register name of ``events``, by name (event, most): zeroed by ``restart``.

    Modulo ``2**32``, and no wider than ``most``. A core has no events outside of a job.
    """
    counts = {}
    for name, (event, most) in events.items():
        counts[name] = count = Signal(range(most + 1), name=name.lower())
        with m.If(restart):
            m.d.sync += count.eq(0)
        with m.Elif(event):
            m.d.sync += count.eq(count + 1)
    return counts


def register_writes(
    m, slave, offset, registers, values, legal, busy, commands, refusal, written=None
):
    """A write to the register at word ``offset`` (inside a ``Case`` of ``slave.write``).

    ``registers``: of the map; ``values``: those of RW, by name; ``legal``: by name, what says of
    the ``merged`` word whether it may be written; ``commands``: signals of WO and W1C, by name;
    ``refusal`` goes high for a word that may not. ``written``: called with the name of each that
    is, under the condition that it is. Drives ``slave.w_response``.
    """
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
    with m.Switch(offset):
        for register in registers:
            with m.Case(register.address // 4):
                if register.access == "RO":
                    m.d.comb += slave.w_response.eq(SLVERR)
                elif register.access == "RW":
                    value = values[register.name]
                    signed = register.name == "ZERO_POINT"
                    refused = ~legal.get(register.name, lambda _: Const(1))(merged)
                    m.d.comb += [
                        old.eq(value.as_signed() if signed else value),
                        refusal.eq(refused),
                        slave.w_response.eq(Mux(busy | refused, SLVERR, OKAY)),
                    ]
                    with m.If(~busy & ~refused):
                        m.d.sync += value.eq(merged)
                        if written is not None:
                            written(register.name)
                else:
                    command = commands[register.name]
                    m.d.comb += [
                        command.eq(Mux(slave.w_strobe[0], slave.w_data[:4], 0)),
                        slave.w_response.eq(OKAY),
                    ]


def register_reads(m, slave, offset, addresses, readable):
    """A read of the register at word ``offset``: ``readable`` by name."""
    with m.Switch(offset):
        for name, value in readable.items():
            with m.Case(addresses[name] // 4):
                m.d.comb += [slave.r_data.eq(value), slave.r_response.eq(OKAY)]


def fits(width: int, signed: bool = False):
    """Whether a word is a number of ``width`` bits."""
    if signed:
        return lambda word: word[width - 1 :].all() | ~word[width - 1 :].any()
    return lambda word: ~word[width:].any()
