"""A build that reports are made of, and what a page has.

``sample_build/`` is what this wrote; of the placement it has every twelfth cell::

    matweave build tiny_os --board ulx3s_12f --clock 40 --seeds 2 --set output.mode=raw \\
        --set array.columns=2 --set limits.m=64 --set limits.n=64 --set limits.k=64
"""

import copy
import html.parser
import json
import shutil
from pathlib import Path

from matweave.fpga import report

HERE = Path(__file__).parent
SAMPLE = HERE / "sample_build"
DATA = json.loads((SAMPLE / "build.json").read_text())
CELLS = json.loads((SAMPLE / "placement.json").read_text())


def made() -> dict[str, str]:
    """The report's files."""
    return report.files(report.read(SAMPLE / "build.json"))


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
