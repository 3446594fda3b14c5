"""An installed wheel works away from the checkout, with everything in it that the checkout has."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = {
    "matweave": "matweave",
    "hw": "matweave/hw",
    "sim": "matweave/sim",
    "zoo": "matweave/zoo",
    "fpga": "matweave/fpga",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of a copy of the checkout, so that building leaves nothing in it."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in SOURCES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "LICENSE", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, copy)
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-build-isolation", "--wheel-dir", folder, copy)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--target", folder, wheel)
    return folder


def pip(command, *arguments):
    options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", command, *options, *arguments], check=True, text=True
    )


def run(installed, *arguments):
    environment = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd="/",
        env=environment | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_every_file_of_every_package_is_in_the_wheel(wheel):
    packed = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        str(Path(target) / path.relative_to(ROOT / name))
        for name, target in SOURCES.items()
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert expected <= packed
    assert {name for name in packed if ".dist-info/" not in name} <= expected


def test_every_folder_with_python_files_is_a_package():
    for name in SOURCES:
        for path in (ROOT / name).rglob("*.py"):
            assert (path.parent / "__init__.py").exists(), path


def test_licence_and_dependencies_are_in_the_wheel(wheel):
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
    text = archive.read(metadata).decode()
    assert "License-Expression: Apache-2.0" in text
    assert any(name.endswith("LICENSE") for name in archive.namelist())
    for line in text.splitlines():
        if line.startswith("Requires-Dist"):
            assert "<" in line, f"not bounded above: {line}"


def test_what_is_imported_comes_from_the_wheel(installed):
    code = (
        "import matweave, matweave.hw.config, matweave.sim, matweave.fpga, matweave.hw.presets;"
        "print(matweave.__file__, matweave.hw.__file__, matweave.sim.__file__,"
        "matweave.hw.presets.__file__, sep='\\n')"
    )
    for line in run(installed, "-c", code).split():
        assert line.startswith(str(installed))


def test_presets_are_there(installed):
    listed = json.loads(run(installed, "-m", "matweave", "list", "--json"))
    presets = {path.stem for path in (ROOT / "hw" / "presets").glob("*.toml")}
    assert set(listed["presets"]) == presets
    assert {"mac", "booth"} <= set(listed["pes"])


def test_the_sample_of_jets_is_there(installed):
    code = "from matweave.zoo.jets import sample; print(len(sample.load()))"
    assert int(run(installed, "-c", code)) == 3000


def test_an_engine_is_generated_by_it(installed, tmp_path):
    run(installed, "-m", "matweave", "generate", "tiny_os", "-o", tmp_path / "out")
    assert (tmp_path / "out" / "tiny_os.v").stat().st_size > 1000
    assert json.loads((tmp_path / "out" / "tiny_os.json").read_text())["name"] == "tiny_os"
    assert str(installed) not in (tmp_path / "out" / "tiny_os.v").read_text()


def test_it_installs_the_command(installed):
    command = installed / "bin" / "matweave"
    assert run(installed, command, "--version").startswith("matweave ")
