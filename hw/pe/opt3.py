"""OPT3: one nonzero digit per cycle; recoding and the search for digits are the PE's own."""

from dataclasses import dataclass

from .serial import SerialPe

FACTS = {
    "name": "opt3",
    "title": "Bit-weight serial, sparse, recoding in the PE",
    "summary": "One nonzero digit per cycle and PE, which recodes four operands and searches them "
    "itself: four recoders, three multiplexers and an adder.",
    "arrays": ["digit_serial"],
    "saturates_in_array": False,
    "edge_latency": 1,
    "resolve_latency": 1,
    "group": 4,
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
class Opt3Pe(SerialPe):
    """One lane; operand ``k`` of the sum over K belongs to group ``k // 4``."""

    group = 4
