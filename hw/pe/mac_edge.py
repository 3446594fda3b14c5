"""The plain multiply-accumulate with a register at the array's edge: what it is worth against PEs
that recode there, with as many registers as they have."""

from .mac import MacPe

FACTS = {
    "name": "mac_edge",
    "title": "Plain multiplier, registered at the edge",
    "summary": "`*` and `+`, and a register between the array's inputs and what reads them.",
    "saturates_in_array": True,
    "edge_latency": 1,
}


class MacEdgePe(MacPe):
    """As :class:`~.mac.MacPe`, operands a cycle later: gated and skewed in front of the register,
    broadcast behind it."""

    edge_latency = 1
