"""What several files of tests of the flow have in common."""

import pytest

from matweave.fpga.targets import vendor
from matweave.hw import config

from .vendor_tools import BOARDS


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Folder and files of a package: ``packed("vivado", "tiny_os")``."""
    made = {}

    def pack(tool: str, name: str):
        if (tool, name) not in made:
            files = vendor.files(config.load(name), vendor.target(tool))
            folder = tmp_path_factory.mktemp("package")
            for file, text in files.items():
                (folder / file).write_text(text)
            made[tool, name] = folder, files
        return made[tool, name]

    return pack


@pytest.fixture(scope="module")
def on_board(tmp_path_factory):
    """Folder and files of a package for a board: ``on_board("arty_a7")``."""
    made = {}

    def pack(board: str):
        if board not in made:
            target = vendor.target(BOARDS[board], board=board, baud=115_200)
            files = vendor.files(config.load("tiny_os"), target)
            folder = tmp_path_factory.mktemp("package")
            for file, text in files.items():
                (folder / file).write_text(text)
            made[board] = folder, files
        return made[board]

    return pack
