"""OPT2: digits of equal weight are summed before they are shifted, every digit in its turn."""

from dataclasses import dataclass

from .serial import SerialPe

FACTS = {
    "name": "opt2",
    "title": "Bit-weight serial, dense",
    "summary": "All digits of one weight first, some of them per cycle; one shift per weight.",
    "arrays": ["digit_serial"],
    "saturates_in_array": False,
    "edge_latency": 1,
    "resolve_latency": 1,
    "lanes": 4,
    "sparse": False,
    "options": {
        "lanes": {
            "allowed": [1, 2, 4, 8],
            "default": 4,
            "description": "Elements along K that one PE takes per cycle.",
        },
        "digits": {
            "allowed": ["csd", "ent", "booth"],
            "default": "csd",
            "description": "-2 to 2, the fewest nonzero (canonical signed digits, csd); -1 to 2 "
            "and a sign (EN-T), some more; or -2 to 2, most of all (modified Booth).",
        },
    },
}


@dataclass(frozen=True)
class Opt2Pe(SerialPe):
    """Cycles per pass are those of a dense K: data do not matter."""

    lanes: int = 4
    sparse = False
