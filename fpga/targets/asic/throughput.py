"""Cycles per multiply-accumulate: 1 for arrays that take a block every cycle; for digit-serial ones
what the digits of Gaussian operands take, waiting for each other included."""

import numpy as np

from ....sim import perf

SIGMA = 20
"""Standard deviation (in least significant bits) of the operands of A; rounded and clipped."""

SEED = 1
PANELS = 8
"""Row panels of A, and of B four column panels: long enough that begin and end hardly count."""

MOST_K = 1024
"""Longest sums: beyond them the figure hardly changes, and the model takes minutes."""


def cycles_per_mac(config) -> float:
    """Array cycles per multiply-accumulate of one PE, by the exact cycle model (which the tests
    compare with the RTL): a whole job, from the first operand accepted to the last result given,
    K as large as the configuration allows, up to :data:`MOST_K`."""
    if config.array.kind != "digit_serial":
        return 1.0
    array, k = config.array, min(config.limits.k, MOST_K)
    rng = np.random.default_rng(SEED)
    drawn = np.rint(rng.normal(0, SIGMA, (PANELS * array.rows, k)))
    a = np.clip(drawn, config.a.min, config.a.max).astype(int)
    n = 4 * array.columns
    return perf.predict_serial(config, a, n) * array.rows * array.columns / (a.size * n)
