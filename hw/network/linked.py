"""A network with a host link: what a board's top holds."""

from ..emit import verilog
from ..link.commands import IDENTITY_BYTES
from ..link.linked import LinkedEngine, linked_name
from .config import NetworkConfig
from .monitor import Monitored


def linked(config: NetworkConfig, *, clock_frequency: float, baud: float) -> LinkedEngine:
    """The engine of a configuration with its registers (:mod:`.monitor`) and link."""
    engine, parameters = config.design.component
    return LinkedEngine(
        engine=Monitored,
        parameters={
            "engine": engine,
            "parameters": tuple(parameters.items()),
            "clock_frequency": clock_frequency,
        },
        clock_frequency=clock_frequency,
        baud=baud,
        identity=bytes.fromhex(config.identity)[:IDENTITY_BYTES],
    )


def linked_verilog(config: NetworkConfig, clock_frequency: float, baud: float) -> str:
    """Verilog-2001 of the engine of ``config`` with its host link, as module ``NAME_linked``.

    Ports, and what is raised, as :func:`..link.linked.linked_verilog` has them.
    """
    component = linked(config, clock_frequency=clock_frequency, baud=baud)
    return verilog(component, linked_name(config))
