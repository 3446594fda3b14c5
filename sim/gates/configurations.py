"""Good configurations generate and compute; bad ones are refused."""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from matweave.hw.emit import generate

from .. import sampling
from ..cases import cases
from ..golden.gemm import for_config
from ..golden.operands import same
from ..native import Engine
from .registry import Context, Measured, gate


@gate("accepted", "valid configurations sampled: all generate", "at least 200, 0 failures")
def accepted(context: Context) -> Measured:
    """Generated; every twentieth is simulated as well, on 40 jobs."""
    count = context.of(200, 3)
    failures, simulated = [], 0
    for index in range(count):
        context.say("valid configurations", index, count)
        config = sampling.valid(context.seed, index)
        try:
            generated = generate(config)
            if index % 20 == 0:
                simulated += 1
                golden = for_config(config)
                with Engine.from_verilog(generated.verilog, config) as engine:
                    for item in cases(config, context.seed, context.of(40, 5)):
                        result = engine.job(item.job)
                        assert same(result.c, golden(**item.job.arguments())), item.name
        except Exception as error:  # whatever it is, it is the figure
            failures.append(f"configuration {index}: {type(error).__name__}: {error}")
    ok = not failures and (count >= 200 or context.quick)
    figure = f"{count} generated, {len(failures)} failures"
    return Measured(figure, ok, f"{simulated} simulated", tuple(failures))


@gate("refused", "bad configurations refused", "at least 150: one line, nothing written")
def refused(context: Context) -> Measured:
    """Each by the command line: exit status 2, one line, no traceback, no output folder."""
    count = context.of(len(sampling.NOT_TOML) + len(sampling.WRONG), 4)
    failures = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count() or 1) as pool:

        def one(index: int) -> str:
            path = Path(folder) / f"bad_{index}.toml"
            path.write_bytes(sampling.bad(context.seed, index))
            target = Path(folder) / f"out_{index}"
            done = subprocess.run(
                [sys.executable, "-m", "matweave", "generate", str(path), "-o", str(target)],
                capture_output=True,
                text=True,
                timeout=300,
            )
            lines = done.stderr.strip().splitlines()
            if done.returncode != 2 or len(lines) != 1 or done.stdout or target.exists():
                return f"configuration {index}: status {done.returncode}, {lines[-1:]}"
            return ""

        for index, failure in enumerate(pool.map(one, range(count)), 1):
            context.say("bad configurations", index, count)
            if failure:
                failures.append(failure)
    ok = not failures and (count >= 150 or context.quick)
    return Measured(f"{count - len(failures)} of {count} refused", ok, "", tuple(failures))
