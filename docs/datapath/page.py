"""The page of datapaths, and its pictures."""

import inspect
import re
import sys

from matweave import listing
from matweave.hw import catalog, config
from matweave.hw.pe import REGISTRY

from .figures import Figure, array_figure, lookup_figure, pe_figure, recoders

HEAD = """\
# Datapaths

What every processing element (PE) and every array consists of, drawn from the netlist that is
emitted: change the code, and the figure changes with it. A new PE gets one by existing.

How to read them. Data flow down, from the array's edge through the PE to the drain; numbers are
bits, in brown where they choose instead of being chosen. Blue is a register, green adds or
multiplies, brown is a component drawn elsewhere or a recoder. A multiplexer says what it chooses
from (x << 1 is twice x), a gate when it gives 0. A compressor tree takes many rows of bits to two
with 3:2 counters (full adders) and a few half adders; adders of few bits side by side keep the
carries between them. *n* × is *n* of them. Control, inverters and what goes to the next PE are left
out.

Drawn are the default options, int8 operands, K up to 256, and an array of one PE, of digit-serial
PEs with the core around it, whose rows have the digits ready. Where arrays are drawn or recoders
counted, sizes are those of the preset that is named.

This page is made by `docs/make.py`.
"""

ARRAYS_HEAD = """
## Arrays

Their PEs are boxes here, and all of a kind one box. Each is drawn with the PE that has most at the
edge and at the drain. Registers inside the PE's field are those between tiles, and lead to the PEs
of the next.
"""

LOOKUP = """
### `lookup`

M tables, each of all sums of `k` elements of A with signs, and N lanes at each of them, which are
its PEs ([LUT mpGEMM](../decisions/0012-lut-mpgemm.md)). `Half table` makes a row's table, `Table
edge` select lines from a column's weights, `Correct` products from the sums of odd integers that
the PEs keep. Drawn: the sizes of `{preset}`.

![The array lookup](../{pictures}/array_lookup.svg)
"""

PICTURES = "pictures"


def pages() -> dict[str, str]:
    """Every file that is made here, by its path below ``docs/``, and what it must hold."""
    files, page = {}, [HEAD]
    for name in catalog.pes():
        figure = pe_figure(name)
        files[f"{PICTURES}/pe_{name}.svg"] = figure.svg
        page.append(_pe(name, figure))
    page.append(ARRAYS_HEAD)
    for kind in config.ARRAYS:
        figure = array_figure(kind)
        files[f"{PICTURES}/array_{kind}.svg"] = figure.svg
        page.append(_array(kind, figure))
    figure = lookup_figure()
    files[f"{PICTURES}/array_lookup.svg"] = figure.svg
    page.append(LOOKUP.format(preset=figure.preset, pictures=PICTURES))
    return files | {"reference/datapaths.md": "".join(page)}


def _pe(name: str, figure: Figure) -> str:
    facts = catalog.pes()[name]
    module = sys.modules[REGISTRY[name].__module__]
    sentence = re.split(r"(?<=\.)\s", inspect.getdoc(module))[0]
    sentence = " ".join(sentence.replace("``", "`").split())
    inputs = [f"{port} {bits}" for port, bits in figure.ports.items() if port != "o"]
    state = f"{figure.ports['o']} bits" + (", carry-save" if figure.pe.words > 1 else "")
    rows = [
        ("operands", f"{figure.settings.a} · {figure.settings.b}"),
        ("into the PE, bits", ", ".join(inputs)),
        ("accumulator's state", state),
        ("recoders", _recoders(figure.preset, name)),
        ("registers on the way", ", ".join(_registers(figure))),
        ("latency of an array of one", f"{figure.choice.describe().latency} cycles"),
    ]
    lines = [f"## `{name}`: {facts.title}", "", sentence, ""]
    lines += ["| | |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows), ""]
    lines.append(f"![Datapath of {name}](../{PICTURES}/pe_{name}.svg)")
    return "\n" + "\n".join(lines) + "\n"


def _registers(figure: Figure):
    places = {"edge": "at the edge", "pe": "in the PE", "drain": "in the drain"}
    return [f"{figure.cycles[at]} {where}" for at, where in places.items() if at in figure.cycles]


def _recoders(preset: str, pe: str) -> str:
    found = recoders(preset, pe)
    places = [f"{number} in {where}" for (where, _), number in found.items()]
    if not places:
        return "none: operands travel as they are"
    kinds = dict.fromkeys(kind for _, kind in found)
    return f"{', '.join(kinds)}: {', '.join(places)} (`{preset}` with this PE)"


def _array(kind: str, figure: Figure) -> str:
    about = listing.catalogue()["arrays"][kind]
    (pe,) = (name for name, variant in REGISTRY.items() if isinstance(figure.pe, variant))
    return f"""
### `{kind}`

{about} Drawn: the sizes of `{figure.preset}`, with the PE `{pe}`.

![The array {kind}](../{PICTURES}/array_{kind}.svg)
"""
