"""Proofs are skipped without their tools, or fail where the run must be complete."""

import os

import pytest

from matweave.sim import formal
from matweave.sim.toolchain import ToolError


def pytest_runtest_setup(item):
    try:
        formal.check_tools()
    except ToolError as error:
        if os.environ.get("MATWEAVE_REQUIRE_TOOLS", "0") not in ("", "0"):
            pytest.fail(f"{error} (MATWEAVE_REQUIRE_TOOLS is set)", pytrace=False)
        pytest.skip(str(error))
