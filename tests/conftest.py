"""What every test has: the seed, and ``requires_tool``, which says what it needs to run.

Its arguments are programs, Python packages, ``proofs``: all that ``sim.formal`` needs, or what lies
beside the checkout, not in it: ``sky130``, the Liberty file, and ``models``, trained networks.
"""

import importlib.util
import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

# A job in the background of a script ignores Ctrl-C, and so would every process that tests start
# and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


SEED = int(os.environ.get("MATWEAVE_SEED", "20261122"))
"""Of every random choice in the tests; ``MATWEAVE_SEED`` changes it."""

SHARED = Path(__file__).parents[2] / "shared"
BESIDE = {
    "sky130": SHARED / "liberty" / "sky130hd_tt.lib.gz",
    "models": SHARED / "data" / "models",
}

REQUIRE_TOOLS = os.environ.get("MATWEAVE_REQUIRE_TOOLS", "0") not in ("", "0")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    if config.getoption("hypothesis_seed", None) is None:
        config.option.hypothesis_seed = str(SEED)


def pytest_report_header():
    tools = "an error" if REQUIRE_TOOLS else "skipped"
    return f"matweave: MATWEAVE_SEED={SEED}; tests whose tools are missing are {tools}"


def pytest_runtest_setup(item):
    names = {name: 0 for mark in item.iter_markers("requires_tool") for name in mark.args}
    missing = [message for name in names if (message := _missing(name))]
    if missing:
        message = "; ".join(missing)
        if REQUIRE_TOOLS:
            pytest.fail(f"{message} (MATWEAVE_REQUIRE_TOOLS is set)", pytrace=False)
        pytest.skip(message)


def _missing(name: str) -> str:
    """What to tell if ``name`` is not there; searched for as the product does."""
    from matweave.fpga.targets import ecp5, gowin, ice40, nexus, tools
    from matweave.sim import formal, toolchain

    def flow(family):
        return lambda: [tools.find(each) for each in (tools.YOSYS, family.nextpnr, family.packer)]

    searches = {
        "abc": toolchain.abc,
        "nextpnr-ecp5": lambda: tools.find(ecp5.NEXTPNR),
        "ice40": flow(ice40.Ice40),
        "gowin": flow(gowin.Gowin),
        "nexus": flow(nexus.Nexus),
        "verilator": toolchain.verilator,
        "yosys": toolchain.yosys,
        "proofs": formal.check_tools,
    }
    try:
        if name in searches:
            searches[name]()
            return ""
    except toolchain.ToolError as error:
        return str(error)
    if path := BESIDE.get(name):
        return "" if path.exists() else f"{path.name} was not found beside the checkout"
    found = shutil.which(name) or importlib.util.find_spec(name)
    return "" if found else f"{name} was not found"


@pytest.fixture
def seed() -> int:
    """The seed of this run, printed in the header."""
    return SEED


@dataclass(frozen=True)
class Ended:
    """How a run of the command ended."""

    status: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line of an error: nothing but progress before it, no traceback, no results."""
        lines = self.err.splitlines()
        assert self.out == ""
        assert "Traceback" not in self.err
        assert lines[-1].startswith("matweave: ")
        assert sum(line.startswith("matweave: ") for line in lines) == 1
        assert lines[-1].isprintable()
        return lines[-1].removeprefix("matweave: ")


@pytest.fixture
def matweave(capfd):
    """Runs the command line in this process: ``matweave("list", "--json")``."""
    from matweave.cli import main

    def run(*arguments) -> Ended:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        return Ended(status, *capfd.readouterr())

    return run
