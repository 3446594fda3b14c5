"""Streaming attention: cycles, how busy the multipliers are, and accuracy.

Cycles of each preset are predicted, and where ``--rtl`` names it counted in the compiled RTL as
well, which must agree. Accuracy is of the golden models, to which the RTL is equal bit for bit, on
Gaussian logits of standard deviation σ (in nats) and int8 values: against float64 softmax of the
same quantised logits. Errors of outputs are in last places of int8 V, before they are rounded to
it. ``attention_blocks.py`` has the standalone blocks. Packed caches are compared with float64
attention over the K and V that were packed, some of whose channels of K are ten times as large as
the others, as models have them; ``bits`` is what an element takes with its share of minima, steps
and padding.
"""

import itertools
import math

import common
import numpy as np
from attention_blocks import KEYS, ROWS, SIGMAS, exact

PRESETS = ("attention_16x4", "attention_64x16")
LANES = 16
"""Keys of a beat and of a block, for accuracy."""


def logits(sigma: int, keys: int, fraction: int = 6):
    """Logits in base 2 and the exact softmax of them, (rows, keys)."""
    rng = np.random.default_rng([sigma, keys])
    u = rng.normal(0, sigma, (ROWS[keys], keys)) * math.log2(math.e) * 2**fraction
    u = np.clip(np.round(u), -32768, 32767).astype(np.int64)
    return u, exact(u * math.log(2) / 2**fraction)


def streaming(sigma: int, keys: int, *, exponential: int, dither: bool) -> dict:
    """Errors of streaming attention's outputs, in blocks of 16 keys, a beat each."""
    from matweave.hw.formats import Format, Rounding
    from matweave.sim.golden.attention import streaming as model

    u, p = logits(sigma, keys)
    v = np.random.default_rng(keys).integers(-128, 128, (keys, 16))
    numbers = model.Softmax(exponential=exponential, lanes=LANES, dither=dither)
    state = model.accumulate(u, v, np.ones(u.shape, bool), numbers=numbers, block=LANES)
    scale = model.Scale(1 << 14, 14 - 8)  # eight bits below V's last place
    y = model.normalised(state, scale, Format(16), Rounding.HALF_UP, numbers=numbers) / 256
    error = y - p @ v
    return {
        "output_rms": float(np.sqrt((error**2).mean())),
        "output_most": float(abs(error).max()),
    }


def accuracy():
    """Rows of the table of errors."""
    for sigma, keys in itertools.product(SIGMAS, KEYS):
        for bits, dither in itertools.product((8, 12, 15), (False, True)):
            name = f"streaming, P = {bits}{', dithered' if dither else ''}"
            figures = streaming(sigma, keys, exponential=bits, dither=dither)
            yield common.row({"form": name, "sigma": sigma, "keys": keys}, **figures)


PACKINGS = (("plain", "plain"), ("int4", "int4"), ("int2", "int4"), ("int2", "int2"))


def caches(keys: int = 512, group: int = 32):
    """Rows of what packing K and V costs, in heads of 64."""
    from matweave.hw import config as configurations
    from matweave.sim.attention import cache
    from matweave.sim.golden.attention import kivi

    rng = np.random.default_rng(keys)
    size = np.where(np.arange(64) % 16 == 0, 80, 8)
    q = rng.normal(0, 20, (1, 64, 64)).round()
    k = np.clip(rng.normal(0, 1, (1, keys, 64)) * size + 3 * (size > 8), -128, 127).round()
    v = np.clip(rng.normal(0, 30, (1, keys, 64)), -128, 127).round()

    def attend(k, v):
        logits = q @ k.swapaxes(1, 2)
        return exact(2 * logits / logits_size) @ v

    logits_size = (q @ k.swapaxes(1, 2)).std()
    wanted = attend(k, v)
    for of_k, of_v in PACKINGS:
        wishes = [f"cache.k='{of_k}'", f"cache.v='{of_v}'"]
        wishes += [f"cache.{name}_group={group}" for name in "kv"]
        config = configurations.load("attention_64x16", wishes)
        shape = config.shape
        unpacked = []
        for x, format, numbers in (
            (k, config.k, cache.k_numbers(config)), (v, config.v, cache.v_numbers(config))
        ):  # fmt: skip
            if numbers["bits"]:
                codes, groups = kivi.quantised(x, **numbers)
                x = kivi.dequantised(codes, groups, format=format, **numbers)
            unpacked.append(x)
        error = attend(*unpacked) - wanted
        elements = shape.lanes * shape.dimension
        groups = shape.g_width / shape.k_group_beats if shape.k_bits else 0
        yield common.row(
            {"cache": f"K {of_k}, V {of_v}", "group": group, "keys": keys},
            k_bits=(shape.k_width + groups) / elements,
            v_bits=shape.v_width / elements,
            output_rms=float(np.sqrt((error**2).mean())),
            output_most=float(abs(error).max()),
        )


def job(config, keys: int, queries: int, causal: bool):
    """One head of random numbers."""
    from matweave.sim.attention.jobs import AttentionJob
    from matweave.sim.golden.attention.streaming import Scale

    rng = np.random.default_rng(keys)
    d = config.array.dimension
    q, k, v = (rng.integers(-128, 128, (1, n, d)) for n in (queries, keys, keys))
    return AttentionJob(
        q=q, k=k, v=v, logit=Scale(1 << 14, 22), scale=Scale(1 << 14, 14), causal=causal
    )


def cycles(measured: list[str]):
    """Rows of cycles; those of ``measured`` counted as well."""
    from matweave.hw import config as configurations
    from matweave.sim.native import Engine
    from matweave.sim.perf import attention as perf

    for preset in PRESETS:
        config = configurations.load(preset)
        engine = Engine(config) if preset in measured else None
        for keys, causal in itertools.product((256, 1024, 4096), (False, True)):
            work = job(config, keys, keys if causal else 64, causal)
            if causal and keys > 1024:
                continue
            predicted = perf.predict_job(config, work)
            figures = {"cycles": predicted, "utilisation": work.utilisation(config, predicted)}
            if causal:  # what a mask leaves of whole blocks
                figures["whole_blocks"] = (keys + 1) / (keys + config.array.block)
            if engine:
                result = engine.job(work)
                figures["rtl_cycles"] = result.cycles
                figures["rtl_wrong"] = int((result.c != work.expected(config)).sum())
            yield common.row({"engine": preset, "keys": keys, "causal": causal}, **figures)
        if engine:
            engine.close()


def bars(rows) -> list[common.Bar]:
    found = []
    for row in rows:
        about = row["config"]
        if "cache" in about:
            continue
        if "engine" in about:
            name = f"{about['engine']}, {about['keys']:,} keys"
            if "rtl_cycles" in row:
                off = abs(row["rtl_cycles"] - row["cycles"]) + row["rtl_wrong"]
                found.append(common.Bar(f"{name}: RTL off", off, "<=", 0))
            least = 0.98 if about["keys"] >= 1024 else 0.95
            if about["causal"]:
                name, least = f"{name}, causal", 0.98 * row["whole_blocks"]
            found.append(common.Bar(f"{name}: utilisation", row["utilisation"], ">=", least))
        else:
            name = f"{about['form']}, σ {about['sigma']}, {about['keys']:,} keys"
            if about["form"] == "streaming, P = 12, dithered":
                found.append(common.Bar(f"{name}: rms", row["output_rms"], "<=", 0.1))
                found.append(common.Bar(f"{name}: most", row["output_most"], "<=", 0.5))
    return found


def main() -> int:
    parser = common.parser(__doc__)
    parser.add_argument(
        "--rtl", nargs="*", default=[], choices=PRESETS, help="count cycles in the RTL as well"
    )
    parser.add_argument("--only", choices=("accuracy", "cache", "cycles"), help="one part of it")
    arguments = parser.parse_args()
    rows = []
    if arguments.only in (None, "cycles"):
        rows += cycles(arguments.rtl)
    if arguments.only in (None, "accuracy"):
        rows += accuracy()
    if arguments.only in (None, "cache"):
        rows += caches()
    return common.report("attention", rows, bars(rows), as_json=arguments.json)


if __name__ == "__main__":
    common.run(main)
