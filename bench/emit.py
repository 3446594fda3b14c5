"""Seconds and bytes to emit n × n arrays, with shared cells and by Amaranth alone.

The array is the textbook one: output stationary, one PE between registers (1 × 1 tiles), int8
operands, 32-bit accumulators. "plain" is amaranth.back.verilog.convert of the same component, with
source attributes off, which favours it. Every measurement has a process of its own, which first
emits a small array, so that imports and the first compilation of Yosys are not counted. Seconds are
processor time, Python's and Yosys', the least of the repetitions: what a clock on the wall shows
on an idle machine. The wall column shows what it did show, with whatever else was running.
"""

import json
import os
import subprocess
import sys
import time

import common

SHARED = (16, 32, 64, 128, 256)
PLAIN = (16, 32)


def array(n: int):
    from matweave.hw.array.output_stationary import OutputStationaryArray
    from matweave.hw.formats import Format
    from matweave.hw.pe.mac import MacPe

    return OutputStationaryArray(pe=MacPe(Format(8), Format(8)), rows=n, columns=n, width=32)


def emit(method: str, n: int) -> str:
    from amaranth.back import verilog

    from matweave.hw import emit

    if method == "shared":
        return emit.verilog(array(n), "array")
    return verilog.convert(array(n), name="array", emit_src=False, strip_internal_attrs=True)


def processor_time() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def measure(method: str, n: int) -> dict:
    """In this process: warm up, then emit once."""
    emit(method, 2)
    wall, used = time.perf_counter(), processor_time()
    text = emit(method, n)
    return {
        "seconds": processor_time() - used,
        "wall": time.perf_counter() - wall,
        "bytes": len(text.encode()),
        "modules": text.count("\nmodule ") + text.startswith("module "),
    }


def best(method: str, n: int, repeat: int) -> dict:
    """The quickest of ``repeat`` processes; all of them must give the same text."""
    results = []
    for _ in range(repeat):
        command = [sys.executable, __file__, "--measure", method, str(n)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        results.append(json.loads(output))
    assert len({result["bytes"] for result in results}) == 1, "emission is not reproducible"
    least = {name: min(result[name] for result in results) for name in ("seconds", "wall")}
    return {**results[0], **least}


def main() -> int:
    parser = common.parser(__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="measurements of each (default 3)")
    parser.add_argument("--measure", nargs=2, metavar=("METHOD", "N"), help="one, as JSON")
    arguments = parser.parse_args()
    if arguments.measure:
        method, n = arguments.measure
        print(json.dumps(measure(method, int(n))))
        return 0

    found = {}
    for method, sizes in (("shared", SHARED), ("plain", PLAIN)):
        for n in sizes:
            print(f"emit: {method} {n} × {n} …", file=sys.stderr, flush=True)
            found[method, n] = best(method, n, arguments.repeat)
    rows = []
    for (method, n), figures in found.items():
        ratios = {}
        if method == "plain":
            shared = found["shared", n]
            ratios = {
                "times_slower": figures["seconds"] / shared["seconds"],
                "times_larger": figures["bytes"] / shared["bytes"],
            }
        rows.append(common.row({"method": method, "n": n}, **figures, **ratios))
    large, medium, small = (found["shared", n] for n in (256, 64, 32))
    plain = found["plain", 32]
    bars = [
        common.Bar("256 × 256: seconds", large["seconds"], "<=", 8),
        common.Bar("256 × 256: megabytes", large["bytes"] / 1e6, "<=", 0.5),
        common.Bar("seconds, 256 over 64", large["seconds"] / medium["seconds"], "<=", 6),
        common.Bar("32 × 32: times faster", plain["seconds"] / small["seconds"], ">=", 10),
        common.Bar("32 × 32: times smaller", plain["bytes"] / small["bytes"], ">=", 50),
    ]
    return common.report("emission of n × n arrays", rows, bars, as_json=arguments.json)


if __name__ == "__main__":
    common.run(main)
