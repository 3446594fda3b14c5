"""OPT4E: four nonzero digits per cycle share one accumulator."""

from dataclasses import dataclass

from .serial import SerialPe

FACTS = {
    "name": "opt4e",
    "title": "Bit-weight serial, sparse, groups of four",
    "summary": "Up to four nonzero digits per cycle and PE: four multiplexers, whose sum goes to "
    "one accumulator.",
    "arrays": ["digit_serial"],
    "saturates_in_array": False,
    "edge_latency": 1,
    "resolve_latency": 1,
    "lanes": 4,
    "options": {
        "digits": {
            "allowed": ["csd", "ent", "booth"],
            "default": "csd",
            "description": "-2 to 2, the fewest nonzero (canonical signed digits, csd); -1 to 2 "
            "and a sign (EN-T), some more; or -2 to 2, most of all (modified Booth).",
        },
    },
}


@dataclass(frozen=True)
class Opt4ePe(SerialPe):
    """Four lanes: element ``k`` of the sum over K belongs to lane ``k % 4``."""

    lanes = 4
