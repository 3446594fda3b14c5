"""Standard cells: Liberty, Boolean functions, timing by hand, and the flow on small arrays."""

import gzip
import json
from pathlib import Path

import pytest

from matweave import area
from matweave.fpga.targets.asic import boolean, fanout, generic, liberty, measure, report, timing
from matweave.fpga.targets.asic.flow import Flow
from matweave.fpga.targets.asic.liberty_text import pruned
from matweave.fpga.targets.asic.netlist import Instance, Netlist
from matweave.hw import config
from matweave.hw.errors import UserError
from matweave.hw.formats import Format
from matweave.hw.lut.array import LowBitArray
from matweave.hw.lut.table import TablePe
from matweave.hw.pe import REGISTRY
from matweave.hw.weights import WeightFormat

SKY130 = Path(__file__).parents[3] / "shared" / "liberty" / "sky130hd_tt.lib.gz"

TINY = """
/* handwritten */
library (tiny) {
  time_unit : "1ps"; capacitive_load_unit (1, ff);
  lu_table_template (d) { variable_1 : total_output_net_capacitance;
    variable_2 : input_net_transition; index_1 ("0, 10"); index_2 ("0, 100"); }
  cell (inv) { area : 1.5;
    pin (A) { direction : input; capacitance : 2; }
    pin (Y) { direction : output; function : "!A"; timing () { related_pin : "A";
      timing_sense : negative_unate;
      cell_rise (d) { values ("10, 20", "30, 40"); } cell_fall (d) { values ("10, 20", "30, 40"); }
      rise_transition (d) { values ("0, 0", "0, 0"); }
      fall_transition (d) { values ("0, 0", \\
        "0, 0"); } } } }
  cell (dlygate) { area : 1; pin (A) { direction : input; }
    pin (X) { direction : output; function : "A"; } }
  cell (odd) { area : 1; dont_use : true; pin (A) { direction : input; }
    pin (Y) { direction : output; function : "A"; } }
  cell (fa) { area : 7; pin (A) { direction : input; } pin (B) { direction : input; }
    pin (CI) { direction : input; }
    pin (S) { direction : output; function : "A^B^CI"; }
    pin (CO) { direction : output; function : "(A B) + (CI (A+B))"; } }
  cell (dff) { area : 5; ff (IQ, IQN) { next_state : "D"; clocked_on : "CK"; }
    pin (CK) { direction : input; clock : true; capacitance : 1; }
    pin (D) { direction : input; capacitance : 2; timing () { related_pin : "CK";
      timing_type : setup_rising; rise_constraint (scalar) { values ("5"); }
      fall_constraint (scalar) { values ("5"); } } }
    pin (Q) { direction : output; function : "IQ"; timing () { related_pin : "CK";
      timing_type : rising_edge; cell_rise (scalar) { values ("100"); }
      cell_fall (scalar) { values ("100"); } rise_transition (scalar) { values ("0"); }
      fall_transition (scalar) { values ("0"); } } } }
}
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("liberty") / "tiny.lib.gz"
    path.write_bytes(gzip.compress(TINY.encode()))
    return liberty.load(path)


def test_units_and_cells(tiny):
    inverter = tiny.cells["inv"]
    assert inverter.area == 1.5
    assert inverter.pins["A"].capacitance == pytest.approx(0.002)
    assert tiny.flip_flop.name == "dff"
    assert tiny.inverter() is inverter


def test_a_table_is_slew_by_load_however_it_is_written(tiny):
    (arc,) = tiny.cells["inv"].pins["Y"].arcs
    rise = arc.tables["cell_rise"]
    assert rise(0.0, 0.010) == pytest.approx(0.030)
    assert rise(0.1, 0.0) == pytest.approx(0.020)
    assert rise(0.05, 0.005) == pytest.approx(0.025)
    assert rise(0.0, 0.020) == pytest.approx(0.050)  # extrapolated


def test_cells_that_are_not_logic_are_left_out(tiny):
    assert tiny.dont_use == ["dlygate", "odd"]
    text = pruned(tiny)
    assert "dlygate" not in text and "odd" not in text
    assert set(liberty.parse(text).cells) == {"inv", "fa", "dff"}


@pytest.mark.parametrize(
    ("text", "table"),
    [("!A", (1, 0)), ("A'", (1, 0)), ("!(A)", (1, 0)), ("A A", (0, 1)), ("A+0", (0, 1))],
)
def test_functions_of_one_input(text, table):
    assert boolean.truth(text, ("A",)) == table


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("A&B", (0, 0, 0, 1)), ("A*!B", (0, 0, 1, 0)), ("A B'", (0, 0, 1, 0)),
        ("A|B", (0, 1, 1, 1)), ("!(A^B)", (1, 0, 0, 1)), ("A + B A", (0, 0, 1, 1)),
    ],
)  # fmt: skip
def test_functions_of_two_inputs(text, table):
    assert boolean.truth(text, ("A", "B")) == table


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no library group"),
        (b"hello world", "no library group"),
        (b"\x1f\x8bnot gzip", "gzip"),
        (b"library (x) { }", "no cells"),
        (b"library (x) { cell (y) { area : 1;", "ends inside"),
        (b"}", "closing brace"),
        (b"\x00\x01\xff\xfe", "not text"),
    ],
)
def test_garbage_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "x.lib"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as raised:
        liberty.load(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("(1, ff)", "(1, apples)", "capacitive_load_unit: unit '1apples'"),
        ("(1, ff)", "(one, ff)", "capacitive_load_unit: unit 'oneff'"),
        ('"1ps"', '"1 fortnight"', "time_unit: unit '1 fortnight'"),
        ("area : 1.5", "area : big", "cell inv: area: 'big' is not a number"),
        ("capacitance : 2;", "capacitance : nan;", "cell inv: capacitance: 'nan'"),
        ('"10, 20", "30, 40"', '"10, 2O", "30, 40"', "cell inv: values of cell_rise: '2O'"),
        ('"10, 20", "30, 40"', '"10, 20", "30"', "cell inv: values of cell_rise: not as many"),
        ('"10, 20", "30, 40"', '"10, 20"', "cell inv: values of cell_rise: not as many"),
        ('index_1 ("0, 10")', 'index_1 ("0, 0")', "index_1 of cell_rise: does not increase"),
        ("cell (inv)", "cell ()", "a cell has no name"),
    ],
)
def test_malformed_numbers_are_told_in_one_line(before, after, message):
    assert before in TINY
    with pytest.raises(UserError, match=message) as raised:
        liberty.parse(TINY.replace(before, after, 1), "x.lib")
    assert str(raised.value).startswith("x.lib: ") and "\n" not in str(raised.value)


def test_timing_by_hand(tiny):
    """Q -> two inverters -> D: 100 ps, 10 + 4 ps (2 fF), 14 ps, set-up 5 ps; no slews."""
    netlist = Netlist(
        [
            Instance("r", "dff", {"CK": 1, "D": 4, "Q": 2}),
            Instance("i", "inv", {"A": 2, "Y": 3}),
            Instance("j", "inv", {"A": 3, "Y": 4}),
        ],
        inputs={"clk": [1]},
    )
    found = timing.analyse(netlist, tiny)
    assert found.critical == pytest.approx(0.133)
    assert len(found.path) == 3


def test_a_combinational_loop_is_told(tiny):
    loop = Netlist([Instance("i", "inv", {"A": 1, "Y": 2}), Instance("j", "inv", {"A": 2, "Y": 1})])
    with pytest.raises(UserError, match="loop"):
        timing.analyse(loop, tiny)


def test_a_net_with_many_readers_gets_a_tree():
    library = generic.library()
    netlist = Netlist([Instance("r", "dff", {"CK": 1, "D": 4, "Q": 3})], inputs={"clk": [1]})
    netlist.instances += [Instance(f"i{n}", "inv", {"A": 3, "Y": 4 + n}) for n in range(500)]
    before = timing.analyse(netlist, library).critical
    assert fanout.repair(netlist, library) > 0
    assert timing.analyse(netlist, library).critical < before
    readers = [i for i in netlist.instances if i.pins.get("A") == 3]
    assert len(readers) < 50
    inputs = [i.pins["A"] for i in netlist.instances if i.type == "inv"]
    assert len(inputs) == 500 and 3 not in inputs


TINY_CONFIGS = ["tiny_os", "tiny_ws", "tiny_matrix", "tiny_cube", "tiny_tree"]


@pytest.mark.parametrize("preset", TINY_CONFIGS)
def test_every_array_is_measured(preset):
    array = measure.Array(config.load(preset, ["pe.kind=booth"]), block=1)
    result = array.measure(generic.library(), Flow(script="amap"))
    assert 0 < result.critical < 100
    assert sum(result.parts.values()) == pytest.approx(result.area)
    assert result.parts["recoders"] > 0
    assert result.parts["pes"] > 0.5 * result.area


def test_a_design_has_parts_of_its_own():
    pe = TablePe(Format(4), WeightFormat(1), k=2)
    array = LowBitArray(pe=pe, rows=1, columns=2, width=8)
    apart = {pe.front_class: "precompute", pe.edge_class: "edge"}
    design = measure.Design(array, pe, pe.dot_class, macs=4, block=1, apart=apart)
    result = design.measure(generic.library(), Flow(script="amap"))
    assert sum(result.parts.values()) == pytest.approx(result.area)
    assert all(result.parts[part] > 0 for part in ("precompute", "edge", "pes", "registers"))
    assert result.parts["recoders"] == 0


def test_blocks_and_flat_agree():
    settings = config.load("tiny_os", ["pe.kind=booth"])
    library, flow = generic.library(), Flow(script="amap")
    blocks = measure.Array(settings).measure(library, flow)
    flat = measure.Array(settings, flat=True).measure(library, flow)
    # Of six PEs alone, what blocks cannot share counts for more than in a real array.
    assert flat.area == pytest.approx(blocks.area, rel=0.1)
    assert flat.critical == pytest.approx(blocks.critical, rel=0.15)


def test_the_plain_multiplier_by_fewer_flows_and_only_once():
    own, plain, edge = (
        [config.load("tiny_os", [f"pe.kind={kind}"])] for kind in ("booth", "mac", "mac_edge")
    )
    library, known, steps = generic.library(), {}, []
    found = report.against_baseline(
        own, plain, library, plain_flows=["booth-amap"], known=known,
        progress=lambda step, *_: steps.append(step),
    )  # fmt: skip
    assert set(found["baselines"]) == {"booth"} and found["baseline"]["flow"] == "booth-amap"
    seen = len(steps)
    deeper = report.against_baseline(
        own, [*plain, *edge], library, plain_flows=["booth-amap"], known=known,
        progress=lambda step, *_: steps.append(step),
    )  # fmt: skip
    assert len(steps) == seen + 1  # the register at the edge
    assert deeper["ratio"]["gmac_s_mm2"] <= found["ratio"]["gmac_s_mm2"]
    with pytest.raises(UserError, match="no such flow: quick"):
        report.against_baseline(own, plain, library, plain_flows=["quick"])


@pytest.mark.requires_tool("sky130")
def test_one_pe_in_sky130():
    library = liberty.load(SKY130)
    int8 = Format(8)
    plain = measure.best(
        measure.one_pe(REGISTRY["mac"](int8, int8), library, flow)
        for flow in measure.flows("mac", ("if",))
    )
    booth = measure.one_pe(REGISTRY["booth"](int8, int8), library, Flow(script="if"))
    # Measured: 20,400 and 12,800 µm² · ns.
    assert 15_000 < plain.area * plain.critical < 25_000
    assert booth.area * booth.critical < 0.8 * plain.area * plain.critical


# The command


def test_the_command(matweave):
    ended = matweave("area", "tiny_os", "--set", "pe.kind=booth", "--json")
    assert ended.status == 0, ended.err
    (found,) = json.loads(ended.out)["arrays"]
    assert set(found["baselines"]) == {"default", "booth", "default-adder-tree"}
    assert found["baseline"]["gmac_s_mm2"] == max(
        each["gmac_s_mm2"] for each in found["baselines"].values()
    )
    assert found["ratio"]["area"] == pytest.approx(
        found["area_um2"] / found["baseline"]["area_um2"], rel=1e-3
    )
    text = matweave("area", "tiny_os", "--set", "pe.kind=booth").out
    for word in ("recoders", "registers", "drain", "critical path", "NAND2"):
        assert word in text


def test_a_lookup_array_is_compared_with_the_cube():
    plain = area.baseline(config.load("tiny_lut", ["b=uint4", "zero_points=channel", "groups=2"]))
    assert (plain.kind, plain.array.kind, plain.geometry.macs) == ("gemm", "cube", 24)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny_os", "--liberty", "missing.lib"], "missing.lib: No such file"),
        (["tiny_os", "--liberty", "."], "directory"),
        (["tiny_os", "--target", "asic"], "'asic' is not a target"),
        (["tiny_os", "--target", "generic", "--liberty", "x.lib"], "exclude each other"),
        (["tiny_lut_fp16"], "fp16 activations, and arrays of multipliers have integers only"),
        (["nothing"], "nothing"),
        ([], "CONFIG"),
    ],
)
def test_mistakes(matweave, arguments, message):
    ended = matweave("area", *arguments)
    assert ended.status == 2
    assert message in ended.err and ended.err.strip().count("\n") == 0
    assert not ended.out
