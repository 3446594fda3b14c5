"""Functions by tables that are as near as an unrolled network's may be: the option ``tables``.

hls4ml's begin at a fixed number, have a step that need not be the input's, and round down. Here an
input of up to 12 bits has an entry for each of its values, and results are right to half a last
place. Of a wider one the table's steps are 12 bits of what the function does not leave as it is,
and hold the function in their middle.
"""

import math

import numpy as np

from ...errors import ConfigError, nearest, shown
from ...fixed import Fixed, FixedOverflow, FixedRounding
from ..layers import MAX_ENTRIES
from .common import raw

__all__ = ["TABLES", "table", "wanted_tables"]

TABLES = ("hls4ml", "exact")
"""What the backend's option ``tables`` may be."""

FUNCTIONS = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "softplus": lambda x: np.logaddexp(0, x),
    "softsign": lambda x: x / (1 + np.abs(x)),
}
SLOPES = {"sigmoid": 1, "tanh": 2}
"""Functions that end flat: 1 less them is exp(-slope x) or so."""


def wanted_tables(given) -> str:
    """That option; ``None`` is the first. Raises :class:`ConfigError` for another."""
    if given is not None and given not in TABLES:
        allowed = f"allowed are {', '.join(TABLES)}{nearest(str(given), TABLES)}"
        raise ConfigError(f"tables: {shown(given)} is none; {allowed}")
    return given or TABLES[0]


def table(name: str, source: Fixed, to: Fixed) -> dict:
    """What a :class:`~..layers.Lookup` of inputs ``source`` takes, its contents in the bits of the
    result ``to``, rounded to nearest and saturated."""
    reach = 2.0 ** (source.integer - source.signed)
    if name in SLOPES and 1 << source.width > MAX_ENTRIES:
        # From there on less than an eighth of a last place is missing.
        flat = 2.0 ** math.ceil(math.log2(max((to.fraction + 3) * math.log(2) / SLOPES[name], 1)))
        reach = max(min(reach, flat), 2.0**-source.fraction)
    fraction = int(math.log2(MAX_ENTRIES / (reach * (1 + source.signed))))
    fraction = min(fraction, source.fraction)
    count = int(reach * 2.0**fraction)
    steps = np.arange(-count if source.signed else 0, count)
    # Steps are cut off towards zero: those of more than one value have a middle.
    middles = steps + (0.5 * np.sign(steps) if fraction < source.fraction else 0.0)
    contents_format = Fixed(to.width, to.integer, to.signed, FixedRounding.RND, FixedOverflow.SAT)
    with np.errstate(over="ignore"):
        values = FUNCTIONS[name](middles * 2.0**-fraction)
    return {
        "contents": raw(values, contents_format), "contents_format": contents_format,
        "numerator": 1 << max(fraction, 0), "denominator": 1 << max(-fraction, 0),
        "offset": -int(steps[0]),
    }  # fmt: skip
