"""Small netlists as Yosys' JSON has them, and faults in them."""

from matweave.sim.mutation import Mutation


def cell(kind, **connections):
    return {"type": kind, "connections": {port: [bit] for port, bit in connections.items()}}


def fault(cell, port, mode, bit=0):
    return Mutation(1, mode, cell, port, bit, None, "")


# A ring of two flags, of which one is set, and what is seen of them and of a third flip-flop, which
# holds what came while the first flag was set.
RING = {
    "ports": {
        "i": {"direction": "input", "bits": [2]},
        "clk": {"direction": "input", "bits": [20]},
        "seen": {"direction": "output", "bits": [31, 33]},
    },
    "cells": {
        "one": cell("$_DFF_P_", C=20, D=11, Q=10),
        "two": cell("$_DFF_P_", C=20, D=10, Q=11),
        "held": cell("$_DFFE_PP_", C=20, D=2, E=10, Q=12),
        "both": cell("$_AND_", A=10, B=11, Y=30),
        "odd": cell("$_XOR_", A=30, B=2, Y=31),
        "shown": cell("$_AND_", A=12, B=11, Y=33),
    },
    "netnames": {
        "one": {"bits": [10], "attributes": {"init": "1"}},
        "two": {"bits": [11], "attributes": {"init": "0"}},
        "held": {"bits": [12], "attributes": {"init": "0"}},
    },
}


MEMORY = {
    "ports": {
        "i": {"direction": "input", "bits": [2, 3, 4, 20]},
        "o": {"direction": "output", "bits": [7]},
    },
    "cells": {
        "data": cell("$_AND_", A=2, B=3, Y=5),
        "memory": {
            "type": "$mem_v2",
            "parameters": {"WR_PORTS": "1", "RD_PORTS": "1", "RD_CLK_ENABLE": "1"},
            "connections": {
                **{"WR_DATA": [5], "WR_EN": [3], "WR_ADDR": [4], "WR_CLK": [20]},
                **{"RD_DATA": [7], "RD_EN": ["1"], "RD_ADDR": [4], "RD_CLK": [20]},
            },
        },
    },
}
