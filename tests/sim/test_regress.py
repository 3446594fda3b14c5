"""The table of gates: what it shows, and its exit status."""

import json

import pytest

from matweave.sim import gates, regress, sampling
from matweave.sim.gates import Gate, Measured


@pytest.fixture
def only(monkeypatch):
    """A table with gates of our own."""

    def use(*functions):
        table = [Gate(f.__name__, "a figure", "as much", f) for f in functions]
        monkeypatch.setattr(regress, "GATES", table)

    return use


def good(context):
    context.say("working", 1, 2)
    return Measured("all of it", True)


def poor(context):
    return Measured("too | little", False, "see below", ("number 7 is [wrong]",))


def broken(context):
    raise RuntimeError("two\nlines")


def test_a_failing_gate_is_told_and_fails_the_run(only, capsys, tmp_path):
    only(good, poor, broken)
    target = tmp_path / "gates.json"
    assert regress.main(["--json", str(target), "--seed", "5"]) == 1
    out, err = capsys.readouterr()
    assert "seed 5" in err
    assert "PASS good" in err.replace("pass", "PASS")
    assert "poor: number 7 is [wrong]" in out
    found = json.loads(target.read_text())
    assert [row["passed"] for row in found["gates"]] == [True, False, False]
    assert found["gates"][2]["detail"] == "RuntimeError: two lines"
    assert not found["passed"]


def test_all_good_is_status_0_and_one_gate_can_be_chosen(only, tmp_path):
    only(good, broken)
    assert regress.main(["--only", "good"]) == 0
    with pytest.raises(SystemExit) as ended:
        regress.main(["--only", "none"])
    assert ended.value.code == 2


def test_gates_measured_at_different_times_make_one_table(only, tmp_path):
    only(good, poor)
    target, page = tmp_path / "gates.json", tmp_path / "page.md"
    page.write_text(f"before\n{regress.BEGIN}\nold\n{regress.END}\nafter\n")
    assert regress.main(["--only", "poor", "--json", str(target), "--markdown", str(page)]) == 1
    assert "`good`: a figure | as much | not measured" in page.read_text()
    arguments = ["--only", "good", "--json", str(target), "--update", "--markdown", str(page)]
    assert regress.main(arguments) == 1  # the poor one is still in it
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "not measured" not in text
    assert "`good`" in text and "too \\| little" in text and "**FAIL**" in text


def test_sampled_configurations(seed):
    found = [sampling.valid(seed, index) for index in range(40)]
    assert len({(config.array.kind, config.pe.kind) for config in found}) >= 10
    assert sampling.valid(seed, 3) == found[3]
    assert len(sampling.NOT_TOML) + len(sampling.WRONG) >= 150


def test_names_of_gates_are_unique():
    names = [gate.name for gate in gates.GATES]
    assert len(set(names)) == len(names) >= 10


@pytest.mark.requires_tool("verilator", "g++")
def test_quick(capsys):
    """Some real gates, scaled down."""
    names = ["cycles", "refused", "streams", "reproducible"]
    arguments = [word for name in names for word in ("--only", name)]
    assert regress.main(["--quick", *arguments]) == 0
    assert capsys.readouterr().out.count("pass") == len(names)
