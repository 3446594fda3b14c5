"""Every command in the documentation works, and prints what the page says.

A block marked ``console`` is run, line by line, in a folder of the page's own: ``$`` starts a
command, the lines below it are its output, where ``...`` stands for anything (on a line of its own
for any number of lines). A command that is meant to fail says so: ``# exit status 2``. Blocks whose
mark names a file (``toml first.toml``) are written there. Other blocks are not run; what may stand
in them is listed here.
"""

import fnmatch
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

SLOW = ("--waves", "pytest", "test first.toml", "tiny_os --set pe.kind=shift_add --cases")
"""Commands with these words are run with ``-m slow`` only."""

NOT_RUN = (
    "make demo", "make test", "make install",  # this is one of them; the demo has its own tests
    "source .venv/bin/activate",
    "matweave build",  # minutes
    "matweave demo digits --port", "matweave demo jet-tagging --port",  # a board
    "gtkwave", "surfer",
    "matweave data jets", "python -m matweave.zoo.train",  # optional packages
    "python bench/",
)  # fmt: skip
"""What ``sh`` blocks may begin with: they are for the reader, and not run here."""

SECONDS = 300


class Block(NamedTuple):
    kind: str
    name: str
    text: str


class Step(NamedTuple):
    command: str
    status: int
    output: list[str]


def blocks(page: Path) -> list[Block]:
    found = re.findall(r"^```([a-z]+) ?(\S*)\n(.*?)^```$", page.read_text(), re.M | re.S)
    return [Block(*each) for each in found]


def steps(text: str) -> list[Step]:
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            command, _, status = line[2:].partition("   # exit status ")
            found.append(Step(command, int(status or 0), []))
        else:
            found[-1].output.append(line)
    return found


def label(page: Path) -> str:
    return str(page.relative_to(ROOT))


def agrees(expected: list[str], found: list[str]) -> bool:
    """Whether the lines are the expected ones; ``...`` alone on a line is any number of lines."""
    if not expected:
        return not found
    if expected[0] == "...":
        return any(agrees(expected[1:], found[skip:]) for skip in range(len(found) + 1))
    pattern = re.sub(r"([\[\]?*])", r"[\1]", expected[0]).replace("...", "*")
    return (
        bool(found) and fnmatch.fnmatchcase(found[0], pattern) and agrees(expected[1:], found[1:])
    )


def is_slow(step: Step) -> bool:
    return any(word in step.command for word in SLOW)


def follow(page: Path, folder: Path, environment: dict[str, str], slow: bool = False) -> None:
    """Do in ``folder`` what the page says."""
    environment = os.environ | environment
    beside = str(Path(sys.executable).parent)
    environment["PATH"] = os.pathsep.join([beside, environment.get("PATH", os.defpath)])
    for block in blocks(page):
        if block.name:
            path = folder / block.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        if block.kind != "console":
            continue
        for step in steps(block.text):
            if is_slow(step) and not slow:
                continue
            done = subprocess.run(
                ["bash", "-c", step.command],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
            message = f"{step.command}\n{done.stdout}{done.stderr}"
            assert done.returncode == step.status, message
            printed = done.stdout if step.status == 0 else done.stderr
            if step.output:
                expected = "\n".join(step.output)
                assert agrees(step.output, printed.splitlines()), f"{message}\nnot\n{expected}"


@pytest.fixture
def checkout(tmp_path):
    """A copy that a page may add files to: ``hw/`` is the package's, seen by imports and pytest."""
    tree = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "matweave", tree / "matweave", ignore=ignored)
    for name in ("hw", "sim", "fpga"):
        shutil.copytree(ROOT / name, tree / "matweave" / name, ignore=ignored)
        (tree / name).symlink_to(Path("matweave") / name)
    shutil.copytree(ROOT / "tests", tree / "tests", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


TOOLS = pytest.mark.requires_tool("verilator", "g++", "make", "bash")
SLOWLY = pytest.param(True, marks=pytest.mark.slow, id="slow")
SPEEDS = pytest.mark.parametrize("slow", [pytest.param(False, id="quick"), SLOWLY])


@TOOLS
@SPEEDS
@pytest.mark.parametrize(
    "page",
    ["README.md", "docs/tutorial.md", "docs/how-to/transformer.md", "docs/how-to/vendor-tools.md"],
)
def test_following_the_page_works(page, slow, tmp_path):
    follow(ROOT / page, tmp_path, {}, slow)


@TOOLS
@SPEEDS
def test_a_pe_is_added_as_the_page_says(checkout, slow):
    follow(ROOT / "docs/how-to/add-a-pe.md", checkout, {"PYTHONPATH": str(checkout)}, slow)


def test_a_pe_that_is_added_has_a_figure(checkout):
    """By existing: nothing that draws knows it."""
    (file,) = [b for b in blocks(ROOT / "docs/how-to/add-a-pe.md") if b.name]
    (checkout / file.name).write_text(file.text)
    code = "from datapath.figures import pe_figure; print(pe_figure('shift_add').svg)"
    path = os.pathsep.join([str(checkout), str(ROOT / "docs")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    for words in ("8 × gate", "compressor tree", "24 bits", "0 unless read"):
        assert f">{words}</text>" in done.stdout, words


def test_these_are_all_the_pages_with_commands():
    found = {label(page) for page in PAGES if any(b.kind == "console" for b in blocks(page))}
    assert found == {
        "README.md",
        "docs/tutorial.md",
        "docs/how-to/add-a-pe.md",
        "docs/how-to/low-bit-weights.md",
        "docs/how-to/transformer.md",
        "docs/how-to/vendor-tools.md",
    }


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_what_is_not_run_is_listed(page):
    for block in blocks(page):
        if block.kind == "sh":
            for line in block.text.strip().splitlines():
                assert line.startswith(NOT_RUN), line
        else:
            assert block.kind in ("console", "text", "toml", "python"), block.kind
    assert page.read_text().count("```") == 2 * len(blocks(page))


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_benches_that_are_shown_exist(page):
    for name in re.findall(r"bench/\w+\.py", page.read_text()):
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target


def test_every_page_is_in_the_index():
    index = ROOT / "docs" / "index.md"
    linked = {
        (index.parent / each).resolve() for each in re.findall(r"\]\((\S+)\)", index.read_text())
    }
    assert {page for page in PAGES if page.parent != ROOT and page != index} <= linked


def test_pages_made_from_code_are_current():
    spec = importlib.util.spec_from_file_location("make_docs", ROOT / "docs" / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    for path, text in make.pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{label(path)}: run python docs/make.py"


@pytest.mark.parametrize(
    "expected, found, same",
    [
        (["a"], ["a"], True),
        (["a"], ["a", "b"], False),
        (["a", "..."], ["a", "b"], True),
        (["...", "b"], ["a", "a", "b"], True),
        (["...", "b"], ["a"], False),
        (["a ... c"], ["a b c"], True),
        (["C[0, 1] is ..."], ["C[0, 1] is 7"], True),
    ],
)
def test_how_output_is_compared(expected, found, same):
    assert agrees(expected, found) is same
