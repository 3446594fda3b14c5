"""Kinds of engines: what the flow, its report and its demos are told of a network."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from matweave.fpga import build, engines, report
from matweave.fpga.targets import fitting
from matweave.fpga.targets.family import family
from matweave.fpga.targets.netlist import Netlist, mapping
from matweave.hw import config
from matweave.hw.errors import ConfigError, UserError
from matweave.hw.fixed import Fixed
from matweave.hw.network import store
from matweave.hw.network.config import NetworkConfig
from matweave.hw.network.layers import Input, Network, Relu
from matweave.sim.stimuli import networks
from matweave.sim.toolchain import ToolFailed

SAMPLE = Path(__file__).with_name("sample_build")


def network(name="tagger"):
    rng = np.random.default_rng(11)
    x = Input("x", None, (5,), Fixed(7, 3))
    first = networks.dense(rng, x, 6, "first", exact=True)
    relu = Relu("relu", "first", (6,), Fixed(6, 4, False))
    last = networks.dense(rng, relu, 3, "last", exact=True)
    return Network(name, (x, first, relu, last), "last")


def test_every_kind_of_configuration_but_attention_can_be_built():
    on_boards = set(config.ENGINES) - {"attention"} | {"network"}
    assert on_boards == set(engines.kinds())
    with pytest.raises(ConfigError, match="boards hold no engine of kind attention; allowed are"):
        engines.load("tiny_attention")
    lut = config.load("tiny_lut")
    engine = engines.of(lut)
    assert engines.from_tables(lut.canonical()) == lut
    assert "module tiny_lut_linked" in engine.linked(25e6, 115200)
    found = {each.part: each.recoded for each in engine.multipliers()}
    assert found["array"] == "weights are looked up in tables: there is no multiplication"
    assert found.get("requantiser") is None
    (zeros,) = (each for each in engines.of(config.load("tiny_lut_serial")).multipliers()
                if each.part == "zero points")  # fmt: skip
    assert (zeros.count, zeros.bits, zeros.recoded) == (4, (5, 13), None)


@pytest.fixture
def file(tmp_path):
    store.save(network(), tmp_path / "tagger.json")
    return tmp_path / "tagger.json"


def test_a_file_is_read_by_what_it_is(file):
    found = engines.load(file, ["stages=3", "family=ecp5"])
    assert (found.kind, found.name, found.stages, found.family) == ("network", "tagger", 3, "ecp5")
    assert found.design.stages.count == 3
    assert engines.load("tiny_os").kind == "gemm"


@pytest.mark.parametrize("options", [{}, {"stages": 3}, {"period": 9.5, "family": "ice40"}])
def test_what_a_build_tells_is_the_same_engine_again(options):
    first = NetworkConfig(network(), **options)
    again = engines.from_tables(json.loads(json.dumps(first.canonical())))
    assert again.hash == first.hash
    assert again.design.verilog == first.design.verilog
    gemm = config.load("tiny_os")
    assert engines.from_tables(gemm.canonical()) == gemm


def test_hosts_need_not_know_the_stages():
    one, other = NetworkConfig(network()), NetworkConfig(network(), stages=5)
    assert one.identity == other.identity
    assert one.hash != other.hash
    assert one.identity != NetworkConfig(network("other")).identity


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["stagess=3"], "--set: stagess: is not an option of a network; allowed are stages, "
         "period, family, fold, reuse, pe, dsps, luts; did you mean 'stages'?"),
        (["stages=two"], "stages: must be a whole number, not 'two'"),
        (["period=0"], "period: must be a number of ns above 0, not 0"),
        (["period=inf"], "period: must be a number of ns above 0, not inf"),
        (["family=ecp"], "family: 'ecp' is none; allowed are xcup, ecp5, ice40; did you mean"),
        (["family=5"], "family: must be a name, not 5"),
    ],
)  # fmt: skip
def test_options_that_cannot_be(file, overrides, message):
    with pytest.raises(ConfigError) as caught:
        engines.load(file, overrides)
    assert str(caught.value).startswith(message)


def test_files_that_are_none(tmp_path, matweave):
    (tmp_path / "x.json").write_text("{}")
    for name, message in (("x.json", "network: is not what matweave writes"),
                          ("y.json", "cannot be read")):  # fmt: skip
        ended = matweave("build", tmp_path / name, "--board", "hx8k", "-o", tmp_path / "out")
        assert ended.status == 2
        assert message in ended.error
    with pytest.raises(ConfigError, match=r"config: kind: 'gem' is not an engine; .*did you mean"):
        engines.from_tables({"kind": "gem"}, "config")
    with pytest.raises(ConfigError, match="config: network: must be a table, not 5"):
        engines.from_tables({"kind": "network", "network": 5}, "config")


def test_stages_follow_the_board_and_its_clock():
    engine = engines.of(NetworkConfig(network()))
    slow, fast = (engine.fitted("ecp5", mhz) for mhz in (20, 80))
    assert (slow.family, fast.family) == ("ecp5", "ecp5")
    assert slow.design.stages.period <= 50
    assert fast.design.stages.period <= 12.5
    assert fast.design.stages.count > slow.design.stages.count
    assert engine.fitted("ice40", 40).design.stages.count > (
        engine.fitted("ecp5", 40).design.stages.count
    )
    given = engines.of(NetworkConfig(network(), stages=2, family="xcup")).fitted("ecp5", 80)
    assert (given.stages, given.family, given.period) == (2, "xcup", None)
    with pytest.raises(ConfigError, match="clock: no 64 stages reach a period"):
        engine.fitted("ecp5", 900).design  # noqa: B018
    gemm = config.load("tiny_os")
    assert engines.of(gemm).fitted("ecp5", 80) is gemm


def test_how_fast_it_is():
    settings = NetworkConfig(network(), stages=4)
    told = engines.of(settings).performance(50.0, 80.0, 1_000_000)
    assert (told["latency_cycles"], told["latency_ns"], told["latency_ns_at_fmax"]) == (4, 80, 50)
    assert (told["samples_s"], told["samples_s_at_fmax"]) == (50e6, 80e6)
    weights = sum(np.count_nonzero(settings.network[name].weight) for name in ("first", "last"))
    assert told["gmac_s"] == pytest.approx(weights * 50e6 / 1e9)
    beats = (told["sample_bytes"], told["result_bytes"])
    assert beats == (5, 3 * settings.design.manifest["streams"]["output"]["lane_width"] // 8)
    assert told["samples_s_over_link"] == pytest.approx(1e5 / sum(beats), rel=1e-5)


def test_what_to_change():
    settings = NetworkConfig(network(), stages=4)
    engine = engines.of(settings)
    assert engine.faster("within network") == "give it more stages than 4 (--set stages=...)"
    log = "Info: \t TRELLIS_COMB: 90000/ 83640 107%\n"
    plan = SimpleNamespace(
        request=build.Request(settings, "ulx3s_85f"),
        board=SimpleNamespace(name="ulx3s_85f"),
        family=family("ecp5"),
    )
    cells = {"LUT4": {"network": 88_000, "host link": 900}}
    netlist = Netlist({"LUT4": 88_900}, cells, {})
    message = str(fitting.too_large(ToolFailed("failed", output=log), netlist, plan))
    assert message == (
        "tagger does not fit ulx3s_85f: LUT: 90,000 needed, 83,640 there, 6,360 too many (88,000 "
        "in the network, 900 in the host link); give it a budget, which folds it (--set luts=..., "
        "with --set dsps=...), prune it, or quantise it to fewer bits"
    )
    assert mapping(netlist, family("ecp5"), settings, dsp=True, available=156) == []


def reported(folder, settings):
    """The build of the sample but for the engine, its figures, and the page."""
    data = json.loads((SAMPLE / "build.json").read_text())
    (folder / "build.json").write_text(json.dumps(data | {"config": settings.canonical()}))
    (folder / "placement.json").write_bytes((SAMPLE / "placement.json").read_bytes())
    files = report.files(report.read(folder / "build.json"))
    return data, json.loads(files["figures.json"]), files["report.html"]


@pytest.mark.requires_tool("jinja2")
def test_the_report_of_a_lookup_engine(tmp_path):
    settings = config.load("tiny_lut")
    _, figures, page = reported(tmp_path, settings)
    peak = figures["performance"]["peak_gmac_s"]
    assert (figures["kind"], peak > 0) == ("lut", True)
    assert f'data-figure="/performance/peak_gmac_s" value="{peak!r}"' in page


@pytest.mark.requires_tool("jinja2")
def test_its_report(tmp_path):
    settings = NetworkConfig(network(), stages=4)
    data, figures, page = reported(tmp_path, settings)
    assert figures["kind"] == "network"
    assert figures["configuration_sha256"] == settings.hash
    clock = next(c for c in data["clocks"] if c["name"] == figures["engine_clock"])
    ns = figures["performance"]["latency_ns"]
    assert ns == pytest.approx(4e3 / clock["constraint_mhz"], rel=1e-5)
    assert f'data-figure="/performance/latency_ns" value="{ns!r}">{ns:.1f} ns</data>' in page
    for name in ("samples_s", "latency_cycles", "samples_s_over_link", "macs_per_cycle"):
        assert f'data-figure="/performance/{name}"' in page
    assert "network of 4 layers" in page
    assert "in 4 stages" in page
    assert "roofline" not in page.split("<main>")[1].split("<script")[0]


def test_a_damaged_network_in_a_build_is_told(tmp_path):
    data = json.loads((SAMPLE / "build.json").read_text())
    tables = NetworkConfig(network()).canonical()
    del tables["network"]["layers"][1]["weight"]
    (tmp_path / "build.json").write_text(json.dumps(data | {"config": tables}))
    (tmp_path / "placement.json").write_bytes((SAMPLE / "placement.json").read_bytes())
    with pytest.raises(UserError, match="network: is not what matweave writes"):
        report.figures(report.read(tmp_path / "build.json"))
