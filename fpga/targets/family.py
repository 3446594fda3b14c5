"""What the flows of all FPGA families have in common, and what each must say about itself."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

from ..boards import Board
from . import tools

NETLIST = "netlist.json"
"""What Yosys makes, and nextpnr takes."""
REPORT, PLACED = "report.json", "placed.json"
"""What nextpnr tells: use and timing, and where each cell is."""


class Family:
    """A family of devices: programs, their arguments, and what its cells are called.

    A subclass in a file of its own has these, and the four methods.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    nextpnr: ClassVar[tools.Program]
    packer: ClassVar[tools.Program]
    constraints: ClassVar[str]
    """The suffix of the file with pins that Amaranth's platform writes."""
    routed: ClassVar[str]
    """The file in which nextpnr leaves the configuration for the packer."""
    bitstreams: ClassVar[Sequence[str]]
    """The files that the packer writes; the first is what one loads into the FPGA."""
    resources: ClassVar[Mapping[str, Sequence[str]]]
    """LUT, FF, BRAM, DSP, IO -> the kinds of place in nextpnr's report that are counted."""
    flops: ClassVar[Sequence[str]] = ()
    """Prefixes of cells to count as FF, where nextpnr has no places of their own for them: there
    are as many places as for LUT."""
    memories: ClassVar[Mapping[str, str]]
    """Cell of a netlist that is memory -> ``block RAM`` or ``LUT RAM``."""
    multipliers: ClassVar[Sequence[str]]
    """Cells of a netlist that are DSP blocks."""
    factor_bits: ClassVar[int]
    """Bits of each of the widest two factors that one DSP block multiplies."""
    models: ClassVar[Sequence[str]]
    """Verilog in Yosys' share folder that simulates the family's cells."""

    def clock(self, board: Board, mhz: Fraction):
        """The component that makes the clock nearest to ``mhz``; ``.mhz`` says which that is."""
        raise NotImplementedError

    def synthesis(self, board: Board, *, dsp: bool) -> str:
        """The Yosys command that maps module ``top``."""
        raise NotImplementedError

    def place(self, board: Board) -> list[str]:
        """Arguments of nextpnr: device, constraints, result."""
        raise NotImplementedError

    def router(self, netlist: Path) -> list[str]:
        """Arguments of nextpnr for the netlist in a file; none are its own choice."""
        return []

    def pack(self, board: Board) -> list[str]:
        """Arguments of the packer."""
        raise NotImplementedError


def family(name: str) -> Family:
    """The family that a board names; :class:`LookupError` if no bitstreams are made for it."""
    from .ecp5 import Ecp5
    from .gowin import Gowin
    from .ice40 import Ice40
    from .nexus import Nexus

    kinds = {kind.name: kind for kind in (Ecp5, Ice40, Gowin, Nexus)}
    return kinds[name]()
