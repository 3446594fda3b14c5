"""EN-T: radix-4 digits -1 to 2 recoded once at the array's edge, n + 1 bits for an n-bit operand
(EN-T, ICCD 2024, arXiv 2404.11887, section III)."""

from dataclasses import dataclass

from ..arith.ent import EntRecoding
from .recoded import RecodedPe

FACTS = {
    "name": "ent",
    "title": "EN-T",
    "saturates_in_array": False,
    "summary": "Recoder hoisted to the edge, n+1 bits travel; partial products and accumulator in "
    "one carry-save tree and one adder.",
    "edge_latency": 1,
    "options": {
        "encode": {
            "allowed": ["a", "b"],
            "default": "a",
            "description": "Which operand is recoded at the array's edge.",
        },
        "form": {
            "allowed": ["signed", "sign_magnitude"],
            "default": "signed",
            "description": "Of signed operands: no negation, or fewer nonzero digits.",
        },
        "carry": {
            "allowed": ["ripple", "prefix"],
            "default": "ripple",
            "description": "The recoder's carry chain.",
        },
    },
}


@dataclass(frozen=True)
class EntPe(RecodedPe):
    """Two bits per radix-4 digit of the recoded operand, and one more, travel through the array."""

    form: str = "signed"
    carry: str = "ripple"

    @property
    def recoding(self):
        return EntRecoding(self.recoded, form=self.form, carry=self.carry)
