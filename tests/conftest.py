"""What every test has: the seed, and a way to say which programs it needs."""

import os
import shutil

import pytest

SEED = int(os.environ.get("MATWEAVE_SEED", "20261122"))
"""Of every random choice in the tests; ``MATWEAVE_SEED`` changes it."""

REQUIRE_TOOLS = os.environ.get("MATWEAVE_REQUIRE_TOOLS", "0") not in ("", "0")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    if config.getoption("hypothesis_seed", None) is None:
        config.option.hypothesis_seed = str(SEED)


def pytest_report_header():
    tools = "an error" if REQUIRE_TOOLS else "skipped"
    return f"matweave: MATWEAVE_SEED={SEED}; tests whose tools are missing are {tools}"


def pytest_runtest_setup(item):
    names = [name for mark in item.iter_markers("requires_tool") for name in mark.args]
    missing = [name for name in names if not _found(name)]
    if missing:
        message = f"not found: {', '.join(missing)}"
        if REQUIRE_TOOLS:
            pytest.fail(f"{message} (MATWEAVE_REQUIRE_TOOLS is set)", pytrace=False)
        pytest.skip(message)


def _found(name: str) -> bool:
    """Whether program ``name`` is there, by the same search as the product's."""
    if name == "verilator":
        from matweave.sim import toolchain

        try:
            return bool(toolchain.verilator())
        except toolchain.ToolError:
            return False
    return shutil.which(name) is not None


@pytest.fixture
def seed() -> int:
    """The seed of this run, printed in the header."""
    return SEED
