"""How long jobs take at a build's clock, what bounds them, and what the serial link makes of it."""

import numpy as np

from ...hw.config import GemmConfig
from ...sim import perf
from ...sim.perf import gemm
from .engine import BITS_PER_BYTE, digits

SIDES = (16, 64, 256)
"""M = N = K of the jobs, cut down to the engine's limits."""

MOST_SERIAL = 64
"""Side of the largest job of a digit-serial engine, whose cycles are counted one by one."""

SEED = 1
"""Of the operands, where cycles depend on them."""


def performance(config: GemmConfig, clock_mhz: float, fmax_mhz: float, baud: int) -> dict:
    """Jobs and roofline in JSON types. ``clock_mhz`` is what the engine runs at, ``fmax_mhz`` what
    it could; GMAC are 10^9 multiply-accumulates."""
    jobs = [_job(config, *size, clock_mhz, fmax_mhz, baud) for size in _sizes(config)]
    beat = beat_bytes(config)
    macs = config.macs_per_cycle
    return {
        "in_words": f"{_gmacs(macs, clock_mhz):.3g} GMAC/s at most",
        "macs_per_cycle": macs,
        "clock_mhz": clock_mhz,
        "fmax_mhz": fmax_mhz,
        "peak_gmac_s": _gmacs(macs, clock_mhz),
        "peak_at_fmax_gmac_s": _gmacs(macs, fmax_mhz),
        "latency": _latency(config, clock_mhz),
        "operands": f"uniform, seed {SEED}" if _serial(config) else None,
        "baud": baud,
        "beat_bytes": beat,
        "stream_bytes_s": digits((beat["a"] + beat["b"] + beat["c"]) * clock_mhz * 1e6),
        "link_bytes_s": baud // BITS_PER_BYTE,
        "jobs": jobs,
    }


def _serial(config: GemmConfig) -> bool:
    return config.array.kind == "digit_serial"


def _gmacs(macs: float, mhz: float) -> float:
    return digits(macs * mhz / 1e3)


def _sizes(config: GemmConfig) -> list[tuple[int, int, int]]:
    limits = config.limits
    most = MOST_SERIAL if _serial(config) else max(SIDES)
    sizes = []
    for side in SIDES:
        side = min(side, most)
        size = (min(side, limits.m), min(side, limits.n), min(side, limits.k))
        if size not in sizes:
            sizes.append(size)
    return sizes


def beat_bytes(config: GemmConfig) -> dict[str, int]:
    """Bytes of one beat of each stream that every job has."""
    g = config.geometry
    raw = config.output.mode != "requantized"
    result = config.result_format if raw else config.output.format
    return {
        "a": g.a_lanes * config.a.lane_width // 8,
        "b": g.b_lanes * (1 if config.serial else config.b.lane_width) // 8,
        "c": g.c_lanes * result.lane_width // 8,
    }


def _cycles(config: GemmConfig, m: int, n: int, k: int) -> int:
    if _serial(config):
        generator = np.random.default_rng(SEED)
        a = generator.integers(config.a.min, config.a.max, (m, k), endpoint=True)
        return perf.predict_serial(config, a, n)
    return perf.predict(config, m, n, k)


def _job(config, m: int, n: int, k: int, clock_mhz: float, fmax_mhz: float, baud: int) -> dict:
    cycles, macs = _cycles(config, m, n, k), m * n * k
    beats, beat = config.geometry.beats(m, n, k, config.b_beats(config.b)), beat_bytes(config)
    moved = sum(beats[name] * beat[name] for name in beat)
    link = moved * BITS_PER_BYTE / baud
    return {
        "m": m,
        "n": n,
        "k": k,
        "macs": macs,
        "cycles": cycles,
        "utilisation": round(macs / (config.macs_per_cycle * cycles), 4),
        "bytes": moved,
        "macs_per_byte": digits(macs / moved),
        "us": digits(cycles / clock_mhz),
        "us_at_fmax": digits(cycles / fmax_mhz),
        "gmac_s": _gmacs(macs / cycles, clock_mhz),
        "gmac_s_at_fmax": _gmacs(macs / cycles, fmax_mhz),
        "link_ms": digits(link * 1e3),
        "gmac_s_over_link": digits(macs / (link + cycles / (clock_mhz * 1e6)) / 1e9),
    }


def _latency(config: GemmConfig, clock_mhz: float) -> dict | None:
    """From the cycle of the last operands of a sum to that of its beat of C, streams never
    stalling; ``None`` where it depends on the operands."""
    if _serial(config):
        return None
    cycles = gemm.BUFFER + gemm.array_latency(config) + gemm.output_latency(config)
    return {"cycles": cycles, "ns": digits(cycles * 1e3 / clock_mhz)}
