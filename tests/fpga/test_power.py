"""Power: energies by hand, toggles against a plain loop, netlists whose results are right."""

import itertools
import json
import random

import numpy as np
import pytest

from matweave.fpga.targets.asic import (
    activity,
    generic,
    liberty,
    low_bit_stimuli,
    measure,
    power,
    stimuli,
)
from matweave.fpga.targets.asic import serial_stimuli as serial
from matweave.fpga.targets.asic.flow import Flow
from matweave.fpga.targets.asic.netlist import Instance, Netlist
from matweave.hw import config
from matweave.hw.array.serial_cell import carry_places
from matweave.hw.errors import UserError
from matweave.hw.floats import FP16
from matweave.hw.formats import Format
from matweave.hw.lut.array import LowBitArray
from matweave.hw.lut.popcount import PopcountPe
from matweave.hw.lut.quantised_table import QuantisedTablePe
from matweave.hw.lut.table import TablePe
from matweave.hw.pe import REGISTRY
from matweave.hw.weights import WeightFormat
from matweave.sim.golden import floats, lut

INT8 = Format(8)

# 2 V: half of C V² of 1 fF are 2 fJ. Energies are in fJ (fF times V²).
CELLS = """
library (hand) { time_unit : "1ns"; capacitive_load_unit (1, ff); voltage_unit : "1V";
  leakage_power_unit : "1uW"; nom_voltage : 2.0; default_cell_leakage_power : 3;
  power_lut_template (p) { variable_1 : input_transition_time;
    variable_2 : total_output_net_capacitance; index_1 ("0, 1"); index_2 ("0, 10"); }
  cell (inv) { area : 1; cell_leakage_power : 1.5; pin (A) { direction : input; capacitance : 2; }
    pin (Y) { direction : output; function : "!A"; internal_power () { related_pin : "A";
      rise_power (p) { values ("1, 11", "2, 12"); }
      fall_power (p) { values ("3, 13", "3, 13"); } } } }
  cell (nand) { area : 1; pin (A) { direction : input; capacitance : 1; }
    pin (B) { direction : input; capacitance : 4; }
    pin (Y) { direction : output; function : "!(A&B)";
      internal_power () { related_pin : "A"; power (scalar) { values ("10"); } }
      internal_power () { related_pin : "B"; power (scalar) { values ("20"); } } } }
  cell (dff) { area : 5; ff (IQ, IQN) { next_state : "D"; clocked_on : "CK"; }
    pin (CK) { direction : input; clock : true; capacitance : 1;
      internal_power () { rise_power (scalar) { values ("7"); }
        fall_power (scalar) { values ("9"); } } }
    pin (D) { direction : input; capacitance : 3;
      internal_power () { power (scalar) { values ("5"); } } }
    pin (Q) { direction : output; function : "IQ"; } }
}
"""


@pytest.fixture(scope="module")
def hand():
    return liberty.parse(CELLS)


def drive(**ports) -> stimuli.Stimulus:
    """Ports of one bit as strings, one character per cycle; the same in all streams."""
    bits = {
        port: np.array([bit == "1" for bit in text])[:, None, None] for port, text in ports.items()
    }
    return stimuli.Stimulus(bits, warm=1, macs=0.5)


def test_an_inverter_by_hand(hand):
    """Five changes in eight cycles. The output reads one D (3 fF): 6 fJ, and inside, at 3 fF and a
    slew of 0.1 ns, (4.1 + 6) / 2; the input's 2 fF cost 4 fJ."""
    netlist = Netlist(
        [Instance("i", "inv", {"A": 2, "Y": 3})], inputs={"clk": [1], "a": [2]}, outputs={"y": [3]}
    )
    found = power.estimate(netlist, hand, drive(a="010110100"))
    changes = 6 / 8
    assert found.energy["pes"] == pytest.approx(changes * (6 + 5.05) * 1e-3)
    assert found.energy["inputs"] == pytest.approx(changes * 4e-3)
    assert found.clock == 0
    assert found.leakage == pytest.approx(1500)  # nW
    assert found.per_mac == pytest.approx(changes * 15.05e-3 / 0.5)
    assert found.milliwatts(2.0) == pytest.approx(changes * 15.05e-3 / 2)


def test_of_two_inputs_the_busier_counts_more(hand):
    """A changes in three of four cycles, B in one; the output in two."""
    netlist = Netlist([Instance("g", "nand", {"A": 2, "B": 3, "Y": 4})],
                      inputs={"a": [2], "b": [3]}, outputs={"y": [4]})  # fmt: skip
    found = power.estimate(netlist, hand, drive(a="01011", b="00111"))
    # Y: 1 1 1 0 0: one change; the last drops to 10, related A, by 3 / 4 and 20 by 1 / 4.
    assert found.energy["pes"] == pytest.approx(1 / 4 * (6 + 12.5) * 1e-3)
    assert found.energy["inputs"] == pytest.approx((3 * 2 + 1 * 8) / 4 * 1e-3)


def test_a_flip_flop_pays_for_every_clock_edge(hand):
    netlist = Netlist([Instance("r", "dff", {"CK": 1, "D": 2, "Q": 3})],
                      inputs={"clk": [1], "d": [2]}, outputs={"q": [3]})  # fmt: skip
    idle = power.estimate(netlist, hand, drive(d="00000"))
    assert idle.energy["pes"] == idle.clock == pytest.approx(2 * (2 + 8) * 1e-3)
    busy = power.estimate(netlist, hand, drive(d="01010"))
    # D: its own 5 fJ a change; Q, a cycle later: four changes less one, at 3 fF.
    assert busy.energy["pes"] - idle.clock == pytest.approx((4 * 5 + 3 * 6) / 4 * 1e-3)


def test_toggles_against_a_plain_loop(seed):
    """A random netlist, every stream by itself, cell by cell."""
    rng, library = random.Random(seed), generic.library()
    nets = itertools.count(10)
    known, instances = [2, 3, 4, -1, -2], []
    for index in range(60):
        kind = rng.choice(["nand2", "xor2", "aoi21", "mux2", "inv", "dff"])
        cell = library.cells[kind]
        pins = {p: rng.choice(known) if p != "CK" else 1 for p in cell.inputs}
        known.append(next(nets))
        instances.append(Instance(f"i{index}", kind, pins | dict.fromkeys(cell.outputs, known[-1])))
    shuffled = rng.sample(instances, len(instances))
    netlist = Netlist(shuffled, inputs={"clk": [1], "i": [2, 3, 4]}, outputs={"o": known[-1:]})
    cycles, streams, warm = 30, 5, 4
    bits = np.random.default_rng(seed).integers(0, 2, (cycles, streams, 3)).astype(bool)
    found = activity.Simulator(netlist, library, streams).toggles({"i": bits}, warm)

    functions = {
        "nand2": lambda p: not (p["A"] and p["B"]),
        "xor2": lambda p: p["A"] != p["B"],
        "aoi21": lambda p: not ((p["A"] and p["B"]) or p["C"]),
        "mux2": lambda p: p["B"] if p["S"] else p["A"],
        "inv": lambda p: not p["A"],
    }
    counts = dict.fromkeys([*known, 1], 0)
    for stream in range(streams):
        value, state = {-1: False, -2: True, 1: False}, {}
        for cycle in range(cycles):
            before = dict(value)
            value |= dict(zip((2, 3, 4), map(bool, bits[cycle, stream]), strict=True))
            for each in instances:
                if each.type == "dff":
                    value[each.pins["Q"]] = state.get(each.name, False)
                else:
                    pins = {pin: value[net] for pin, net in each.pins.items() if pin != "Y"}
                    value[each.pins["Y"]] = bool(functions[each.type](pins))
            state = {each.name: value[each.pins["D"]] for each in instances if each.type == "dff"}
            if cycle >= warm:
                for net in counts:
                    counts[net] += value[net] != before[net]
    for net, toggles in found.items():
        assert toggles == pytest.approx(counts[net] / (cycles - warm) / streams), net
    assert max(found.values()) > 0.1


# Netlists that are counted compute what they should


@pytest.fixture(scope="module")
def library():
    return generic.library()


@pytest.mark.parametrize("kind", ["mac", "booth", "ent", "opt1"])
def test_one_pe(library, kind, seed):
    pe = REGISTRY[kind](INT8, INT8).summing(1)
    netlist = measure.one_pe(pe, library, Flow(script="amap")).mapped.flat
    stimulus = stimuli.one_pe(pe, 1, seed)
    products = (stimulus.operands["a"] * stimulus.operands["b"]).sum(axis=2)
    simulator = activity.Simulator(netlist, library, stimuli.STREAMS)
    for cycle in simulator.run(stimulus.drive):
        if cycle % 50 == 1:
            first = (cycle - 1) // stimuli.K * stimuli.K
            bits = simulator.value("o").reshape(stimuli.STREAMS, pe.state_bits(32))
            places = np.arange(pe.state_bits(32)) % 32  # a carry's bits above those of the sum
            state = bits @ (1 << places)
            assert ((state - products[first:cycle].sum(axis=0)) % (1 << 32) == 0).all()

    found = power.estimate(netlist, library, stimulus, seed=seed)
    assert 0 < found.clock < sum(found.energy.values())
    assert found == power.estimate(netlist, library, stimuli.one_pe(pe, 1, seed), seed=seed)
    other = power.estimate(netlist, library, stimuli.one_pe(pe, 1, seed + 1))
    assert other.per_mac != found.per_mac
    assert other.per_mac == pytest.approx(found.per_mac, rel=0.03)


@pytest.mark.parametrize("kind", ["opt2", "opt4c", "opt4e"])
def test_one_serial_pe(library, kind, seed):
    pe, k = REGISTRY[kind](INT8, INT8), 32
    flow = Flow(script="amap")
    netlist = measure.one_serial_pe(pe, library, flow, terms=k, cycles_per_mac=1).mapped.flat
    stimulus, width = serial.one_pe(pe, k, seed), pe.state_width(k, 32)
    weights = [1 << place for place in (*range(width), *carry_places(width))]
    a, b = stimulus.operands["a"][:, :, 0], stimulus.operands["b"][..., 0]
    read, passes = stimulus.drive["read"][:, :, 0], [0] * serial.STREAMS
    simulator = activity.Simulator(netlist, library, serial.STREAMS)
    for cycle in simulator.run(stimulus.drive):
        if cycle and read[cycle - 1].any():
            state = simulator.value("o") @ weights
            for stream in np.flatnonzero(read[cycle - 1]):
                number = passes[stream]
                passes[stream] += 1
                expected = a[number, stream] @ b[number, stream]
                assert (state[stream] - expected) % (1 << width) == 0
    assert min(passes) >= serial.PASSES - 1
    assert power.estimate(netlist, library, stimulus).per_mac > 0


@pytest.mark.parametrize("preset", ["tiny_os", "tiny_matrix", "tiny_cube"])
def test_output_stationary_arrays(library, preset, seed):
    settings = config.load(preset, ["pe.kind=booth"])
    array = measure.Array(settings, block=1)
    netlist = array.measure(library, Flow(script="amap")).mapped.flat
    stimulus = stimuli.output_stationary(settings, seed)
    rows, columns, depth = settings.array.rows, settings.array.columns, settings.geometry.k
    width = len(netlist.outputs["o"]) // columns
    cycles = len(stimulus.operands["a"])
    a = stimulus.operands["a"].reshape(cycles, -1, rows, depth)
    b = stimulus.operands["b"].reshape(cycles, -1, depth, columns)
    blocks = np.einsum("tsrd,tsdc->tsrc", a, b)
    tiles = blocks.reshape(stimuli.SUMS, -1, *blocks.shape[1:]).sum(axis=1)
    expected = iter(tiles.transpose(0, 2, 1, 3).reshape(-1, stimuli.STREAMS, columns))
    given = 0
    simulator = activity.Simulator(netlist, library, stimuli.STREAMS)
    for _ in simulator.run(stimulus.drive):
        if simulator.value("o_valid").any():
            sums = simulator.value("o").reshape(-1, columns, width) @ (1 << np.arange(width))
            assert ((sums - next(expected)) % (1 << width) == 0).all()
            given += 1
    assert given >= (stimuli.SUMS - 1) * rows


@pytest.mark.parametrize("preset", ["tiny_ws", "tiny_tree"])
def test_weight_stationary_arrays(library, preset, seed):
    settings = config.load(preset, ["pe.kind=booth"])
    array = measure.Array(settings, block=1)
    netlist = array.measure(library, Flow(script="amap")).mapped.flat
    stimulus = stimuli.weight_stationary(settings, seed)
    rows, columns = settings.geometry.k, settings.array.columns
    width, k = len(netlist.outputs["o"]) // columns, stimuli.K
    a, w = stimulus.operands["a"], stimulus.operands["w"]
    simulator = activity.Simulator(netlist, library, stimuli.STREAMS)
    row, checked = -1, 0
    for _ in simulator.run(stimulus.drive):
        if simulator.value("o_valid").any():
            row += 1
            if row >= k:
                start = (row // k - 1) * k
                block = w[start : start + rows].transpose(1, 0, 2)
                expected = np.einsum("sk,skc->sc", a[row], block)
                sums = simulator.value("o").reshape(-1, columns, width) @ (1 << np.arange(width))
                assert ((sums - expected) % (1 << width) == 0).all(), row
                checked += 1
    assert checked > 2 * k


@pytest.mark.parametrize("preset", ["tiny_opt4c", "tiny_opt4e"])
def test_the_serial_array_is_never_held_up(library, preset, seed):
    settings = config.load(preset)
    found = measure.Array(settings, block=1).measure(library, Flow(script="amap"))
    found.config = settings
    stimulus, due = serial.digit_serial(settings, seed), 0
    simulator = activity.Simulator(found.mapped.flat, library, serial.STREAMS)
    for cycle in simulator.run(stimulus.drive):
        assert (simulator.value("grant") == stimulus.drive["due"][cycle]).all()
        due += stimulus.drive["due"][cycle].sum()
    rows = settings.array.rows
    assert due >= (serial.PASSES - 1) * serial.STREAMS * rows
    estimated = power.of_array(found, library, seed)
    assert estimated.energy["pes"] > estimated.energy["drain"] > 0


@pytest.mark.parametrize("serial_planes", [False, True])
def test_low_bit_arrays(library, serial_planes, seed):
    weights = WeightFormat(2 if serial_planes else 1)
    pe = TablePe(INT8, weights, k=2, table="half", serial=serial_planes)
    array = LowBitArray(pe=pe, rows=1, columns=2, width=16)
    apart = {pe.edge_class: "edge", pe.front_class: "precompute"}
    design = measure.Design(array, pe, pe.dot_class, macs=4 / pe.cycles, apart=apart)
    found = design.measure(library, Flow(script="amap"))
    stimulus = low_bit_stimuli.low_bit(array, seed)
    cycles = len(stimulus.operands["a"])
    signs = 2 * stimulus.drive["w"].reshape(cycles, stimuli.STREAMS, 2, 2).astype(int) - 1
    products = np.einsum("tsk,tsck->tsc", stimulus.operands["a"], signs)
    products <<= (np.arange(cycles) % pe.cycles)[:, None, None]
    sums = products.reshape(stimuli.SUMS, -1, stimuli.STREAMS, 2).sum(axis=1)
    simulator = activity.Simulator(found.mapped.flat, library, stimuli.STREAMS)
    given = 0
    for cycle in simulator.run(stimulus.drive):
        if stimulus.drive["read"][cycle].any() and cycle > stimulus.warm:
            state = simulator.value("o").reshape(-1, 2, 16) @ (1 << np.arange(16))
            assert ((state - sums[given]) % (1 << 16) == 0).all()
            given += 1
    assert given == stimuli.SUMS - 1
    estimated = power.estimate(found.mapped.flat, library, stimulus, owners=found.owners)
    assert set(estimated.energy) > {"pes", "edge", "precompute", "inputs"}
    assert all(each > 0 for each in estimated.energy.values())
    assert estimated.macs == 4 / pe.cycles


def test_quantised_tables_have_their_exponents(library, seed):
    pe = QuantisedTablePe(INT8, WeightFormat(1), k=2, table="half", entry=6)
    array = LowBitArray(pe=pe, rows=2, columns=1, width=16)
    found = measure.Design(array, pe, pe.dot_class, macs=4).measure(library, Flow(script="amap"))
    stimulus = low_bit_stimuli.low_bit(array, seed)
    cycles = len(stimulus.operands["a"])
    steps = cycles // stimuli.SUMS
    a = stimulus.operands["a"].reshape(cycles, stimuli.STREAMS, 2, 2)
    codes = stimulus.drive["w"].reshape(cycles, stimuli.STREAMS, 2).astype(int)
    exponents = lut.exponents(np.moveaxis(a, 2, 0).reshape(2, -1), 2, 6)
    simulator = activity.Simulator(found.mapped.flat, library, stimuli.STREAMS)
    given = []
    for cycle in simulator.run(stimulus.drive):
        row = np.flatnonzero(stimulus.drive["read"][cycle, 0])
        if len(row) and cycle > stimulus.warm:
            state = simulator.value("o") @ (1 << np.arange(16))
            start = len(given) // 2 * steps
            # The second row is read a cycle later, when the next sum has begun.
            first, last = (
                (start, start + steps) if row[0] == 0 else (start + steps, start + steps + 1)
            )
            slices = np.s_[first:last]
            for stream in (0, 63):
                of_rows = np.moveaxis(a[slices, stream], 1, 0).reshape(2, -1)
                signs = codes[slices, stream].reshape(1, -1)
                sums, _ = lut.quantised(of_rows, exponents, signs, pe.b, k=2, entry=6)
                assert (state[stream] - sums[row[0], 0]) % (1 << 16) == 0
            given.append(row[0])
    assert given == [0, 1] * (stimuli.SUMS - 1)


def test_activations_of_floats_are_codes(seed):
    found = low_bit_stimuli.activations(np.random.default_rng(seed), FP16, (100,))
    values = floats.numbers(found, FP16)
    assert 0.8 < values.std() < 1.2 and np.isfinite(values).all()


def test_popcount_has_no_stimulus(seed):
    array = LowBitArray(pe=PopcountPe(INT8, WeightFormat(1)), rows=1, columns=1, width=16)
    array._MustUse__silence = True
    with pytest.raises(UserError, match="power is not estimated of popcount"):
        low_bit_stimuli.low_bit(array, seed)


# The command


def test_the_command(matweave):
    overrides = ["tiny_os", "--set", "pe.kind=booth"]
    ended = matweave("area", *overrides, "--power", "--json")
    assert ended.status == 0, ended.err
    (found,) = json.loads(ended.out)["arrays"]
    own, plain = found["power"], found["baseline"]["power"]
    assert own["seed"] == power.SEED
    assert sum(own["parts_pj_per_mac"].values()) == pytest.approx(own["pj_per_mac"], rel=1e-2)
    assert found["ratio"]["pj_per_mac"] == pytest.approx(
        own["pj_per_mac"] / plain["pj_per_mac"], rel=1e-2
    )
    assert own["mw"] == pytest.approx(
        own["pj_per_mac"] * own["macs_per_cycle"] * found["fmax_mhz"] * 1e-3, rel=1e-2
    )
    text = matweave("area", *overrides, "--power").out
    assert "pJ/MAC" in text and f"seed {power.SEED}" in text


def test_pes_without_a_stimulus_are_refused_before_anything_runs(matweave):
    ended = matweave("area", "tiny_opt3", "--power")
    assert ended.status == 2
    assert "search groups of operands" in ended.error
    assert ended.err.count("\n") == 1


def test_what_power_cannot_do_without(hand):
    netlist = Netlist([Instance("i", "inv", {"A": 2, "Y": 3})], inputs={"a": [2]})
    cold = liberty.parse(CELLS.replace("nom_voltage : 2.0;", ""))
    with pytest.raises(UserError, match="has no nom_voltage"):
        power.estimate(netlist, cold, drive(a="01"))
    mute = liberty.parse(CELLS.replace('function : "!A";', ""))
    with pytest.raises(UserError, match="cell inv: Y has no function"):
        power.estimate(netlist, mute, drive(a="01"))
