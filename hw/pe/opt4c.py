"""OPT4C: one nonzero digit per cycle; recoding and the search for digits are the array's edge's."""

from dataclasses import dataclass

from .serial import SerialPe

FACTS = {
    "name": "opt4c",
    "title": "Bit-weight serial, sparse",
    "summary": "One nonzero digit per cycle and PE: a multiplexer and an adder.",
    "arrays": ["digit_serial"],
    "saturates_in_array": False,
    "edge_latency": 1,
    "resolve_latency": 1,
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
class Opt4cPe(SerialPe):
    """One lane."""
