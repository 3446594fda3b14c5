"""About how long an encoder takes, from the page that describes it.

Written from decision 0015 and not from the RTL. Streams never stall.
"""

from matweave.hw.transformer.config import EncoderConfig
from matweave.hw.transformer.sizes import Kind, Step

from . import gemm

BETWEEN = 6
"""Cycles between two steps: the end of one, the first parameter, the start of the next."""
RECIPROCAL = 10
"""Cycles of the divider of a norm: 19 bits and one, two a cycle."""
QUERIES = 4
"""Cycles that a query takes at least, as results are normalised."""


def predict(config: EncoderConfig, tokens: int, *, load: bool = False) -> int:
    """Cycles of a job, from the first beat to the last; with ``load`` the model's too.

    Digit-serial arrays take as many cycles as their operands have digits: the most there can be.
    """
    sizes = config.sizes
    steps = (*sizes.prologue, *sizes.body * sizes.layers)
    found = sum(step_cycles(config, step, tokens) for step in steps)
    if load:
        found += max(sizes.weight_beats, sizes.entries + sizes.parameters)
    return found + 2 * tokens * sizes.words + BETWEEN


def step_cycles(config: EncoderConfig, step: Step, tokens: int) -> int:
    """Its parameters, and what it does."""
    of = {Kind.PRODUCT: _product, Kind.ATTENTION: _attention, Kind.NORM: _norm}
    work = of[step.kind](config, step, tokens)
    return config.sizes.step_parameters(step) + BETWEEN + work


def _product(config: EncoderConfig, step: Step, tokens: int) -> int:
    sizes = config.sizes
    inputs = sizes.hidden if step.wide_in else sizes.width
    if config.array.kind == "digit_serial":
        blocks = -(-tokens // sizes.rows) * (sizes.channels(step) // sizes.columns)
        return (blocks * inputs + 2 * sizes.rows) * (config.activation.width // 2 + 1)
    return gemm.predict(config.gemm, tokens, sizes.channels(step), inputs)


def _attention(config: EncoderConfig, step: Step, tokens: int) -> int:
    sizes, shape = config.sizes, config.attend.shape
    words = sizes.parts * -(-tokens // sizes.rows)
    keys = max(-(-tokens // sizes.keys), words)
    last = shape.score_latency + shape.value_levels + shape.divide_cycles + 12
    return sizes.heads * tokens * max(keys + sizes.parts + 3, QUERIES) + last


def _norm(config: EncoderConfig, step: Step, tokens: int) -> int:
    """Rows one after another: loaded, squared, given; root, reciprocal and registers between."""
    sizes = config.sizes
    squares = 2 * (config.activation.width + 4 + sizes.centred - 1) + 1
    row = 3 * sizes.words + squares // 2 + RECIPROCAL + sizes.centred + 11
    return tokens * row + 10
