"""Simulated cycles per second of one engine in four simulators.

Every simulator runs whole jobs through the engine's AXI ports: registers, operands from NumPy
arrays, results back into one. All but Amaranth's, which is too slow for it, run the same job.
native watches the stream protocol in every cycle, and so do cocotb's benches in the regression;
"bus models only" is cocotb without its checkers and watchdog. The bar has to hold against both.
Seconds are processor time of the process that simulates, without builds and imports; the best of
the repetitions counts.
"""

import sys
import tempfile
import time
from pathlib import Path

import common
import numpy as np

BAR = 30
"""native must be so many times faster than cocotb with Verilator."""


def operands(config, size: int, seed: int = 1):
    from matweave.sim.cases import values

    rng = np.random.default_rng(seed)
    shape = (size, size)
    a = rng.integers(config.a.min, config.a.max, shape, endpoint=True)
    return a, values(config.b, "random", shape, rng)


def native(config, size: int, repeat: int) -> dict:
    from matweave.sim.native import Engine

    a, b = operands(config, size)
    best = {"cycles_per_second": 0.0}
    with Engine(config) as engine:
        for _ in range(repeat):
            before, start = engine.total_cycles, time.process_time()
            result = engine.gemm(a, b)
            seconds, cycles = time.process_time() - start, engine.total_cycles - before
            assert np.array_equal(result.c, a @ b)
            best = max(best, _figures(cycles, seconds), key=lambda f: f["cycles_per_second"])
    return best


def cocotb(config, simulator: str, size: int, repeat: int) -> dict[bool, dict]:
    """Figures with and without checkers."""
    from matweave.sim import regression

    with tempfile.TemporaryDirectory() as folder:
        report = regression.run(
            config, simulator, work_dir=Path(folder), benches=["speed"], cases=repeat, largest=size,
            strip=False,
        )  # fmt: skip
        assert report.passed, report.tests
    best = {}
    for row in report.records:
        found = _figures(row["cycles"], row["seconds"])
        old = best.setdefault(row["checkers"], found)
        best[row["checkers"]] = max(old, found, key=lambda f: f["cycles_per_second"])
    return best


def pysim(config, size: int) -> dict:
    from matweave.sim import pysim
    from matweave.sim.jobs import Job

    a, b = operands(config, size)
    job = Job(a, b).checked(config)

    async def script(driver):
        before, start = driver.cycle, time.process_time()
        result = await driver.job(job)
        seconds, cycles = time.process_time() - start, driver.cycle - before
        assert np.array_equal(result.c, a @ b)
        return _figures(cycles, seconds)

    return pysim.simulate(config, script)


def _figures(cycles: float, seconds: float) -> dict:
    return {
        "cycles": round(cycles),
        "seconds": seconds,
        "cycles_per_second": cycles / max(seconds, 1e-9),
    }


def _say(name: str) -> None:
    print(f"simulate: {name} …", file=sys.stderr, flush=True)


def main() -> int:
    parser = common.parser(__doc__)
    parser.add_argument("--preset", default="gemm_os_16x16")
    parser.add_argument("--repeat", type=int, default=4, help="jobs of each (default 4)")
    arguments = parser.parse_args()
    from matweave.hw import config as configuration

    config = configuration.load(arguments.preset)
    size, repeat = min(64, config.limits.m, config.limits.n, config.limits.k), arguments.repeat
    found = {}
    _say("native")
    found["native"] = native(config, size, 4 * repeat)
    for simulator, name in (("verilator", "Verilator"), ("icarus", "Icarus")):
        _say(f"cocotb + {name}")
        figures = cocotb(config, simulator, size, repeat)
        found[f"cocotb + {name}"] = figures[True]
        found[f"cocotb + {name}, bus models only"] = figures[False]
    _say("Amaranth")
    found["Amaranth"] = pysim(config, size // 2)
    reference = found["cocotb + Verilator"]["cycles_per_second"]
    rows = [
        common.row(
            {"engine": config.name, "simulator": name},
            **figures,
            times_cocotb_verilator=figures["cycles_per_second"] / reference,
        )
        for name, figures in found.items()
    ]
    bars = [
        common.Bar(
            f"native over {name}",
            found["native"]["cycles_per_second"] / found[name]["cycles_per_second"],
            ">=",
            BAR,
        )
        for name in ("cocotb + Verilator", "cocotb + Verilator, bus models only")
    ]
    return common.report("simulated cycles per second", rows, bars, as_json=arguments.json)


if __name__ == "__main__":
    common.run(main)
