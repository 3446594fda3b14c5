"""Files that are no build: one line each."""

import copy
import json
import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from matweave.fpga import report
from matweave.hw.errors import UserError

from .sample_report import DATA, SAMPLE, written

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
    "an array for an engine": (
        lambda d: d["config"].update(kind=[]),
        "config: kind: an array is not an engine",
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
