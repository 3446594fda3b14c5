"""The table of gates: what it shows, and its exit status."""

import json
import re
import subprocess

import pytest

from matweave.sim import gates, regress, sampling
from matweave.sim.gates import Gate, Measured, reproducible


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


HERE, THERE = "1" * 40, "2" * 40 + "-dirty"


@pytest.fixture
def commits(monkeypatch):
    """``commits(x, y)``: what the checkout is before and after each gate."""

    def use(*found):
        monkeypatch.setattr(regress, "commit", iter(found).__next__)

    return use


def test_one_run_has_one_commit_and_command_above_the_table(only, commits, tmp_path):
    only(good, poor)
    commits(*[HERE] * 4)
    target = tmp_path / "gates.json"
    regress.main(["--json", str(target), "--seed", "5", "--quick"])
    found = json.loads(target.read_text())
    command = "python -m matweave.sim.regress --quick --seed 5"
    for row in found["gates"]:
        assert (row["commit"], row["command"]) == (HERE, command)
        assert len(row["date"]) == 10
    text = regress.markdown(found)
    assert f"\ncommit: `{HERE}`\n" in text
    assert f"\ncommand: `{command}`\n" in text
    assert "| commit |" not in text


def test_each_gate_of_several_runs_has_its_own_commit_and_command(only, commits, tmp_path):
    only(good, poor, broken)
    commits(HERE, HERE, THERE, THERE)
    target = tmp_path / "gates.json"
    arguments = ["--json", str(target), "--update", "--seed", "5"]
    regress.main(["--only", "good", *arguments])
    regress.main(["--only", "poor", *arguments])
    text = regress.markdown(json.loads(target.read_text()))
    for name in ("good", "poor"):
        assert f"- `python -m matweave.sim.regress --only {name} --seed 5`: `{name}`\n" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert [row.split("|")[-2].strip() for row in rows] == [
        "commit", "---", f"`{'1' * 12}`", f"`{'2' * 12}-dirty`", "",
    ]  # fmt: skip
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1


def test_sources_that_change_while_a_gate_runs_are_dirty(only, commits):
    only(good)
    commits(HERE, THERE)
    assert (
        regress.measure(regress.GATES[0], gates.Context(1, True, print)).commit == HERE + "-dirty"
    )


def test_a_report_without_commits_is_kept_as_unknown(only, commits, tmp_path):
    only(good, poor)
    commits(HERE, HERE)
    target = tmp_path / "gates.json"
    regress.main(["--only", "poor", "--json", str(target), "--seed", "5"])
    old = json.loads(target.read_text())
    for key in ("command", "commit", "date"):
        del old["gates"][0][key]
    target.write_text(json.dumps(old))
    commits(HERE, HERE)
    regress.main(["--only", "good", "--json", str(target), "--update", "--seed", "5"])
    text = regress.markdown(json.loads(target.read_text()))
    assert "`unknown` |" in text


@pytest.mark.requires_tool("git")
def test_the_commit(tmp_path):
    def git(*arguments):
        user = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", "-C", tmp_path, *user, *arguments], check=True, capture_output=True)

    assert regress.commit(tmp_path) == "unknown"
    git("init")
    (tmp_path / "hw").mkdir()
    (tmp_path / "hw" / "a.py").write_text("1")
    (tmp_path / "page.md").write_text("1")
    git("add", ".")
    git("commit", "-m", "x")
    clean = regress.commit(tmp_path)
    assert re.fullmatch("[0-9a-f]{40}", clean)
    (tmp_path / "page.md").write_text("the table")
    assert regress.commit(tmp_path) == clean
    (tmp_path / "hw" / "b.py").write_text("new")
    assert regress.commit(tmp_path) == clean + "-dirty"
    (tmp_path / "hw" / "b.py").unlink()
    (tmp_path / "hw" / "a.py").write_text("2")
    assert regress.commit(tmp_path) == clean + "-dirty"
    assert regress.commit(tmp_path / "hw") == "unknown"


def test_a_locale_is_real_or_said_to_be_absent(tmp_path, monkeypatch):
    assert reproducible.locale_environment("C.UTF-8", tmp_path)["LC_ALL"] == "C.UTF-8"
    assert reproducible.locale_environment("xx_XX.UTF-8", tmp_path) is None
    monkeypatch.setattr(reproducible, "locale_environment", lambda *_: None)
    measured = reproducible.reproducible(gates.Context(1, True, lambda *_: None))
    assert measured.ok
    assert "not tried: tr_TR.UTF-8, de_DE.UTF-8" in measured.detail


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
