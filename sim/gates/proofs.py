"""The tests of ``tests/formal``."""

import importlib.util
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from .registry import CHECKOUT, Context, Measured, gate


@gate("properties", "properties proved, planted bugs caught", "all")
def properties(context: Context) -> Measured:
    """``tests/formal``: every property by Bitwuzla, and again with a bug in it."""
    select = ["-k", "digits or lost_carry"] if context.quick else []
    return _pytest(context, "formal", select, "proofs")


def _pytest(context: Context, folder: str, select: list[str], what: str) -> Measured:
    tests = CHECKOUT / "tests" / folder
    if not tests.exists() or importlib.util.find_spec("pytest") is None:
        return Measured("not run", False, "needs a checkout and pytest")
    context.say(f"{what}: tests/{folder}")
    with tempfile.TemporaryDirectory() as temporary:
        junit = Path(temporary) / "junit.xml"
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-m", "", f"--junitxml={junit}"),
                *("-p", "no:cacheprovider", str(tests), *select),
            ],
            cwd=CHECKOUT,
            env={**os.environ, "MATWEAVE_REQUIRE_TOOLS": "1", "MATWEAVE_SEED": str(context.seed)},
            capture_output=True,
            text=True,
        )
        if not junit.is_file():
            return Measured("not run", False, done.stdout.strip().splitlines()[-1:][0])
        ran = list(ElementTree.parse(junit).getroot().iter("testcase"))
    failed = [test.get("name") for test in ran if any(x.tag != "properties" for x in test)]
    planted = sum("found" in test.get("name", "") for test in ran)
    figure = f"{len(ran) - len(failed)} of {len(ran)} {what}"
    return Measured(figure, bool(ran) and not failed, f"{planted} planted bugs", tuple(failed))
