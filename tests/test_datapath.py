"""The figures of docs/reference/datapaths.md: what they tell is so, and they can be read.

That the committed ones are what the code makes now is checked with the other pages that are made
from code (``tests/test_docs.py``).
"""

import importlib
import importlib.util
import itertools
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from matweave.hw import catalog
from matweave.hw.arith.compress import merge, reduce
from matweave.hw.pe import REGISTRY

DOCS = Path(__file__).parent.parent / "docs"
PICTURES = sorted((DOCS / "pictures").glob("pe_*.svg")) + sorted(
    (DOCS / "pictures").glob("array_*.svg")
)


def _package():
    path = DOCS / "datapath" / "__init__.py"
    spec = importlib.util.spec_from_file_location(
        "docs_datapath", path, submodule_search_locations=[str(path.parent)]
    )
    package = sys.modules["docs_datapath"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)


_package()
circuits, counters, figures, graphs, layers, lines = (
    importlib.import_module(f"docs_datapath.{name}")
    for name in ("circuit", "counters", "figures", "graph", "layers", "lines")
)


class Sum(wiring.Component):
    """Rows of four bits to two, as one of the two compressors does it."""

    def __init__(self, rows, compress):
        self.rows, self.compress = rows, compress
        super().__init__({"i": In(4 * rows), "o": Out(8)})

    def elaborate(self, platform):
        m = Module()
        rows = [self.i.word_select(n, 4) for n in range(self.rows)]
        if self.compress == "merge":
            low, high = merge(m, rows, [], 4)
        else:
            low, high = reduce(m, rows, 4)
        m.d.comb += [self.o[:4].eq(low), self.o[4:].eq(high)]
        return m


@pytest.mark.parametrize("rows, number, levels", [(3, (4, 0), 1), (4, (7, 1), 2), (6, (14, 1), 3)])
def test_adders_of_rows_are_counted(rows, number, levels):
    """Four for each row that disappears; nothing is carried into the lowest bit, where a second
    level's is a half adder and a third level's is none."""
    found = counters.Counters(circuits.Circuit(Sum(rows, "merge"), lambda part: False))
    assert found.number(found.cells) == number
    assert found.depth(found.cells) == levels
    assert not found.is_chain(found.cells)


def test_half_adders_are_counted_too():
    """Columns of three bits to columns of two: a half adder in the lowest, full ones where a carry
    arrives."""
    found = counters.Counters(circuits.Circuit(Sum(3, "reduce"), lambda part: False))
    assert found.number(found.cells) == (3, 1)
    assert found.depth(found.cells) == 1


class Ripple(wiring.Component):
    """An adder of two numbers of four bits, written out."""

    def __init__(self):
        super().__init__({"i": In(9), "o": Out(5)})

    def elaborate(self, platform):
        m = Module()
        carry = self.i[8]
        for place in range(4):
            x, y = self.i[place], self.i[place + 4]
            m.d.comb += self.o[place].eq(x ^ y ^ carry)
            above = Signal(name=f"carry_{place}")
            m.d.comb += above.eq((x & y) | ((x ^ y) & carry))
            carry = above
        m.d.comb += self.o[4].eq(carry)
        return m


def test_a_chain_of_full_adders_is_an_adder():
    found = counters.Counters(circuits.Circuit(Ripple(), lambda part: False))
    assert found.number(found.cells) == (4, 0)
    assert found.depth(found.cells) == 4
    assert found.is_chain(found.cells)


@pytest.mark.parametrize("name", catalog.pes())
def test_registers_in_the_figure_are_the_latency_that_is_told(name):
    figure = figures.pe_figure(name)
    facts = catalog.pes()[name]
    if facts.arrays:
        # A PE that recodes takes its operands into a register of its own first.
        assert figure.cycles["pe"] == figure.pe.latency + bool(facts.group)
        return
    assert figure.cycles["edge"] == facts.edge_latency
    assert figure.cycles["drain"] == 1 + facts.resolve_latency
    assert sum(figure.cycles.values()) == figure.choice.describe().latency


@pytest.mark.parametrize("name", catalog.pes())
def test_recoders_are_where_the_figure_has_them(name):
    text = (DOCS / "pictures" / f"pe_{name}.svg").read_text(encoding="utf-8")
    (kind,) = catalog.pes()[name].arrays or ["output_stationary"]
    found = figures.recoders(figures.base_preset(kind), name)
    assert bool(found) == ("recoder" in text) == (name not in ("mac", "mac_edge"))


def test_words_of_some_figures():
    """A few that a reader would look for."""

    def words(name):
        text = (DOCS / "pictures" / f"pe_{name}.svg").read_text(encoding="utf-8")
        return re.findall(r">([^<>]+)</text>", text)

    assert {"multiplier", "8 × 8", "adder", "24 bits", "0 if first"} <= set(words("mac"))
    assert {"Booth recoder", "4 × complement", "compressor tree", "adder"} <= set(words("booth"))
    # The carry-propagate add is behind the PE, not in it.
    opt1 = words("opt1")
    assert opt1.index("compressor tree") < opt1.index("adder") and opt1.count("adder") == 1
    assert {"4 × Csd recoder", "12 × adder"} <= set(words("opt3"))


def _drawn(path):
    """Boxes (x, y, width, height) and lines ((x, y), (x, y)) of a picture."""
    boxes, segments = [], []
    (group,) = ElementTree.parse(path).getroot().findall("{*}g")
    for element in group:
        if element.tag.endswith("rect"):
            boxes.append([float(element.get(each)) for each in ("x", "y", "width", "height")])
        elif element.tag.endswith("path"):
            d = element.get("d")
            start = re.fullmatch(r"M([\d.-]+) ([\d.-]+)([HV])([\d.-]+)", d)
            if start:
                x, y, end = (float(start[n]) for n in (1, 2, 4))
                segments.append(((x, y), (end, y) if start[3] == "H" else (x, end)))
            elif outline := re.fullmatch(r"M([\d.-]+) ([\d.-]+)h([\d.]+)l-9 ([\d.]+)h\S+z", d):
                boxes.append([float(outline[n]) for n in range(1, 5)])
    return boxes, segments


def _overlap(low, high, other_low, other_high) -> bool:
    return max(low, other_low) + 1 < min(high, other_high)


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_no_line_runs_over_another_or_through_a_box(path):
    boxes, segments = _drawn(path)
    assert len(boxes) > 4 and len(segments) > 4
    segments = [tuple(sorted(each)) for each in segments]
    for (a, b), (c, d) in itertools.combinations(segments, 2):
        for along, across in ((0, 1), (1, 0)):
            if a[across] == b[across] == c[across] == d[across]:
                assert not _overlap(a[along], b[along], c[along], d[along]), (a, b, c, d)
    for (x, y), (to_x, to_y) in segments:
        for left, top, width, height in boxes:
            crosses = _overlap(x - 1, to_x + 1, left, left + width)
            assert not (crosses and _overlap(y - 1, to_y + 1, top + 2, top + height - 2))
    for one, other in itertools.combinations(boxes, 2):
        assert not (
            _overlap(one[0], one[0] + one[2], other[0], other[0] + other[2])
            and _overlap(one[1], one[1] + one[3], other[1], other[1] + other[3])
        )


@pytest.mark.parametrize(
    "pe, overrides, words",
    [
        ("mac", ["accumulator.width=20", "accumulator.overflow=saturate"], "x, constants"),
        ("mac", ["a=uint4", "b=int12"], "4 × 12"),
        ("ent", ["pe.encode=b", "a=int2", "b=int5"], "3 × complement"),
        ("opt1", ["pe.digits=booth"], "Booth recoder"),
        ("opt2", ["pe.lanes=8"], "8 × complement"),
    ],
)
def test_other_options_can_be_drawn(pe, overrides, words, tmp_path):
    figure = figures.pe_figure(pe, *overrides)
    assert f">{words}</text>" in figure.svg
    (tmp_path / "figure.svg").write_text(figure.svg)
    test_no_line_runs_over_another_or_through_a_box(tmp_path / "figure.svg")


@pytest.mark.parametrize("seed", range(20))
def test_layouts_of_graphs_that_nobody_drew(seed):
    chance = random.Random(seed)
    count = chance.randint(2, 25)
    sizes = [(chance.randint(40, 200), chance.randint(30, 60)) for _ in range(count)]
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count) if chance.random() < 0.15]
    pairs = pairs or [(0, 1)]
    back = [(b, a) for a, b in pairs if b - a > 2 and chance.random() < 0.1]
    edges = {pair: chance.random() for pair in pairs + back}
    layout = layers.Layout(sizes, edges, [(0, count)] * count, back)
    drawing = lines.Lines(layout)
    places = layout.places
    assert all(places[a].y + places[a].height <= places[b].y for a, b in pairs)
    for row in layout.rows:
        for one, other in itertools.pairwise(row):
            assert one.x + one.width / 2 <= other.x - other.width / 2 + layers.GAP / 2
    ends = {
        (net.source, place.node)
        for each in drawing.channels
        for net in each
        for place, _ in net.below
    }
    assert set(edges) <= ends


def test_figures_do_not_depend_on_the_hash_seed():
    code = (
        "import sys; sys.path.insert(0, 'docs')\n"
        "from datapath.figures import array_figure, pe_figure\n"
        "print(pe_figure('opt3').svg, array_figure('tree').svg)"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=DOCS.parent,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1
    assert (DOCS / "pictures" / "pe_opt3.svg").read_text(encoding="utf-8") in texts.pop()


def test_every_pe_has_a_figure():
    assert {path.stem for path in PICTURES if path.stem.startswith("pe_")} == {
        f"pe_{name}" for name in REGISTRY
    }
