"""The page about a build in a browser."""

import html.parser
import json
import re
import subprocess

import pytest

from matweave.fpga import report

from .sample_report import CELLS, DATA, HERE, Page, at, made, written


@pytest.fixture(scope="module")
def files():
    return made()


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
