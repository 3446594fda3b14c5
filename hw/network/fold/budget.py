"""How to fold a network so that it fits: the fewest cycles per sample within a budget."""

from ...errors import ConfigError
from ..layers import Network
from . import estimate
from .matrix import NoArray
from .options import MAX_INTERVAL, Reuse
from .plan import Folded
from .sections import fold


def intervals(network: Network) -> list[int]:
    """Cycles per sample worth trying: powers of two; with tokens their divisors, then multiples."""
    shape = network.input.shape
    tokens = shape[0] if len(shape) > 1 else 1
    found = [each for each in range(1, tokens + 1) if tokens % each == 0]
    while found[-1] * 2 <= MAX_INTERVAL:
        found.append(found[-1] * 2)
    return found


def within(network: Network, luts: int, dsps: int, pe: str) -> tuple[int, Reuse, Folded]:
    """The smallest interval whose estimate (:mod:`.estimate`, LUTs of four inputs) is within
    ``luts`` and ``dsps`` multipliers: without arrays, if that fits, else with every layer that can
    be on one made of ``pe``. Raises :class:`ConfigError` if none is."""
    least = None
    for interval in intervals(network):
        for reuse in (Reuse(pe=pe), Reuse(every=interval, pe=pe)):
            if interval == 1 and reuse.every:
                continue
            try:
                folded = fold(network, interval, reuse=reuse)
            except NoArray:
                continue
            own = estimate.multipliers(folded)
            if own > dsps:
                continue
            taken = estimate.luts(folded, dsps - own)
            if taken <= luts:
                return interval, reuse, folded
            least = taken if least is None else min(least, taken)
    best = "more" if least is None else f"about {least}"
    raise ConfigError(
        f"luts: {luts} with {dsps} DSP blocks are too few for network {network.name} in up to "
        f"{MAX_INTERVAL} cycles per sample, which takes {best}; prune it, or quantise it to fewer "
        "bits"
    )
