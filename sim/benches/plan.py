"""What the caller of a simulator asks of the benches in it, and what they tell back."""

import json
import os
from pathlib import Path

from matweave.hw import config as engines
from matweave.hw.network import config as networks

PLAN = "MATWEAVE_BENCH_PLAN"
"""Environment variable: path of the JSON file that says what to do."""


class Plan:
    """What :mod:`matweave.sim.regression` asks of the benches."""

    def __init__(self):
        tables = json.loads(Path(os.environ[PLAN]).read_text())
        self.config = _configuration(tables["config"])
        self.manifest: dict = tables["manifest"]
        self.seed: int = tables["seed"]
        self.cases: int = tables["cases"]
        self.largest: int | None = tables["largest"]
        self.reset: bool = tables["reset"]
        self.record_path = tables["record"]

    def record(self, **row) -> None:
        """Append ``row`` to the file that the caller of the simulator reads."""
        with open(self.record_path, "a") as file:
            file.write(json.dumps(row) + "\n")


def _configuration(tables: dict):
    kind = networks if tables["kind"] == networks.KIND else engines
    return kind.from_tables(tables)
