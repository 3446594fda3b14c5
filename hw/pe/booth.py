"""Radix-4 modified Booth: operands recoded once at the array's edge, one compressor tree per PE."""

from dataclasses import dataclass

from ..arith.booth import BoothRecoding
from .recoded import RecodedPe

FACTS = {
    "name": "booth",
    "title": "Modified Booth",
    "saturates_in_array": False,
    "summary": "Recoder hoisted to the edge; partial products and accumulator in one carry-save "
    "tree and one adder.",
    "edge_latency": 1,
    "options": {
        "encode": {
            "allowed": ["a", "b"],
            "default": "a",
            "description": "Which operand is recoded at the array's edge.",
        },
    },
}


@dataclass(frozen=True)
class BoothPe(RecodedPe):
    """Three control lines per radix-4 digit of the recoded operand travel through the array."""

    @property
    def recoding(self):
        return BoothRecoding(self.recoded)
