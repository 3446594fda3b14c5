"""The gates of a release: each a function that measures one figure and says whether it suffices.

``@gate(name, figure, required)`` adds a function to :data:`GATES`; it gets a :class:`Context` and
gives a :class:`Measured`. An engine kind that is added later adds its configurations to
:func:`engines` and inherits all of them.
"""

import importlib

from .common import engines
from .registry import CHECKOUT, GATES, Context, Gate, Measured, gate

__all__ = ["CHECKOUT", "GATES", "Context", "Gate", "Measured", "engines", "gate"]

FILES = (
    *("cycles", "configurations", "simulators", "streams", "benches", "proofs", "multipliers"),
    *("mutants", "netlist", "reproducible"),
)
"""Where the gates are, in the order of the table."""

for name in FILES:
    importlib.import_module(f".{name}", __name__)
