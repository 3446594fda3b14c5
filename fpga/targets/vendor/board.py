"""A board's top for a vendor's tool: the engine with its serial link, clock and pins."""

from dataclasses import dataclass
from fractions import Fraction

from ....hw.errors import UserError, shown
from ... import boards
from ...boards import Board
from ...boards.top import BoardTop
from .. import pll
from . import mmcm


@dataclass(frozen=True)
class Design:
    """``files``: the Verilog of engine and top; ``platform``: what Amaranth wrote for the tool, by
    name, with the pins in it; ``mhz``: the clock as it is; ``baud``."""

    files: dict[str, str]
    platform: dict[str, str]
    mhz: Fraction
    baud: int


def setting(board: Board, wanted: float) -> pll.Setting | None:
    """What makes the clock nearest to ``wanted`` MHz; ``None``: the crystal as it is.

    Raises :class:`UserError` if nothing does."""
    crystal, wanted = Fraction(str(board.crystal_mhz)), Fraction(str(wanted))
    if wanted == crystal:
        return None
    if board.family != "vivado":
        raise UserError(
            f"--clock: {shown(float(wanted))} is not the clock of {board.name}, and a package for "
            f"{board.family} has no PLL; allowed is {float(crystal):g} MHz"
        )
    return mmcm.choose(mmcm.kind(board.device), crystal, wanted)


def mhz(board: Board, wanted: float) -> Fraction:
    """The clock that :func:`design` makes of ``wanted``, exactly."""
    found = setting(board, wanted)
    return Fraction(str(board.crystal_mhz)) if found is None else found.mhz


def design(config, board: Board, wanted: float, baud: int) -> Design:
    """The top of ``config`` on ``board`` with a clock of ``wanted`` MHz."""
    from ....hw.link.linked import linked_verilog

    crystal, found = Fraction(str(board.crystal_mhz)), setting(board, wanted)
    if found is None:
        source = pll.Crystal(crystal)
    else:
        source = mmcm.Mmcm(mmcm.kind(board.device), crystal, found)
    platform = boards.platform(board, toolchain="Vivado" if board.family == "vivado" else "Quartus")
    module = f"{config.name}_linked"
    top = BoardTop(board=board, clock=source, module=module)
    written = platform.prepare(top, "top", emit_src=False, debug_verilog=False).files
    written = {
        key: text if isinstance(text, str) else text.decode() for key, text in written.items()
    }
    files = {
        f"{module}.v": linked_verilog(config, float(source.mhz * 1_000_000), baud),
        "top.v": written["top.v"],
    }
    return Design(files, written, source.mhz, baud)
