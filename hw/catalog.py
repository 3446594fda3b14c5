"""Which processing elements there are and what each admits, known without importing Amaranth.

A PE is one file in ``hw/pe/`` with a module-level literal::

    FACTS = {
        "name": "mac",                # what [pe] kind in a configuration says
        "title": "Plain multiplier",  # a few words, for lists
        "summary": "...",             # one sentence
        "arrays": ["digit_serial"],   # the only array kinds that take it; absent: all but those
        "saturates_in_array": True,   # False: it only ever adds modulo 2**width
        "edge_latency": 0,            # cycles at the array's edge; 1: a register behind recoders
        "resolve_latency": 0,         # cycles at the drain; 1: a redundant sum is added up there
        "lanes": 4, "sparse": False,  # of digit-serial PEs: digits per cycle, zeros skipped or not
        "group": 4,                   # operands that such a PE recodes itself; 0: none
        "options": {                  # further keys of [pe], passed to the PE as keywords
            "encode": {"allowed": ["a", "b"], "default": "a", "description": "..."},
        },
    }

A key that is missing has the value of :class:`PeFacts`.

It is read from the file's syntax tree, not by importing the file. Adding the file adds the PE.
"""

import ast
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .formats import Overflow

ACCUMULATES_IN_PE = frozenset({"output_stationary", "matrix", "cube", "digit_serial"})
"""Array kinds whose PEs hold the accumulator. The others add partial sums outside of the PE."""


@dataclass(frozen=True)
class PeFacts:
    """What the configuration and the lists need to know about one PE."""

    name: str
    title: str
    summary: str
    arrays: Sequence[str] = ()
    saturates_in_array: bool = True
    edge_latency: int = 0
    resolve_latency: int = 0
    lanes: int = 1
    sparse: bool = True
    group: int = 0
    options: Mapping[str, Mapping] = field(default_factory=dict)


def read_facts(path: Path) -> PeFacts | None:
    """The ``FACTS`` literal of the PE in ``path``; ``None`` if the file has none."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "FACTS"
        ):
            facts = ast.literal_eval(node.value)
            known = PeFacts.__dataclass_fields__
            return PeFacts(**{key: value for key, value in facts.items() if key in known})
    return None


@functools.cache
def pes() -> Mapping[str, PeFacts]:
    """Every PE by its name, in alphabetical order."""
    files = sorted(Path(__file__).with_name("pe").glob("*.py"))
    found = [facts for facts in map(read_facts, files) if facts]
    return {facts.name: facts for facts in sorted(found, key=lambda facts: facts.name)}


def fitting(array_kind: str) -> list[str]:
    """The PEs that work in arrays of a kind: those made for it, or else those made for none."""
    made = [name for name, facts in pes().items() if array_kind in facts.arrays]
    return made or [name for name, facts in pes().items() if not facts.arrays]


def refusal(
    pe: str,
    array_kind: str,
    accumulator_width: int | None,
    overflow: Overflow,
) -> str | None:
    """Why the PE cannot work in this array with this accumulator, or ``None`` if it can.

    ``accumulator_width`` is ``None`` for an exact accumulator, which never overflows.
    """
    facts = pes()[pe]
    if facts.arrays and array_kind not in facts.arrays:
        return (
            f"{pe} works only in the array {' or '.join(facts.arrays)}; allowed in {array_kind} "
            f"are {', '.join(fitting(array_kind))}"
        )
    if pe not in fitting(array_kind):
        return (
            f"{pe} does not work in the array {array_kind}; allowed there are "
            f"{', '.join(fitting(array_kind))}"
        )
    if (
        not facts.saturates_in_array
        and array_kind in ACCUMULATES_IN_PE
        and accumulator_width is not None
        and overflow is Overflow.SATURATE
    ):
        return (
            f"{pe} cannot saturate inside the array {array_kind}, because it adds modulo 2**width; "
            "allowed are accumulator.overflow = 'wrap' and accumulator.width = 'exact'"
            + ("" if facts.arrays else ", or the arrays weight_stationary and tree")
        )
    return None
