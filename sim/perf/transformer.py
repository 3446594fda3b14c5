"""About how long transformer layers take, from the page that describes it.

Written from decision 0015 and not from the RTL. Streams never stall.
"""

from matweave.hw.transformer.config import EncoderConfig
from matweave.hw.transformer.sizes import Kind, Step

from . import gemm

BETWEEN = 5
"""Cycles between two steps: the end of one, the first parameter, the start of the next."""
RECIPROCAL = 10
"""Cycles of the divider of a norm: 19 bits and one, two a cycle."""
ROTATION = 4
"""Cycles in which a pair is turned."""


def predict(config: EncoderConfig, tokens: int, *, load: bool = False, position: int = 0) -> int:
    """Cycles of a job, from the first beat to the last; with ``load`` the model's too; of a decoder
    its tokens are those from ``position`` on.

    Digit-serial arrays take as many cycles as their operands have digits: the most there can be.
    """
    sizes = config.sizes
    steps = (*sizes.prologue, *sizes.body * sizes.layers)
    found = sum(step_cycles(config, step, tokens, position) for step in steps)
    if load:
        found += max(sizes.weight_beats, sizes.entries + sizes.angles + sizes.parameters)
    return found + 2 * tokens * sizes.words + BETWEEN


def step_cycles(config: EncoderConfig, step: Step, tokens: int, position: int = 0) -> int:
    """The parameters that it waits for, and what it does."""
    if step.kind is Kind.PRODUCT:
        # With the rows before the first token in its panel.
        work = _product(config, step, tokens + position % config.sizes.rows)
    elif step.kind is Kind.ATTENTION:
        work = _attention(config, tokens, position)
    elif step.kind is Kind.GATE:
        work = tokens * config.sizes.hidden_words + 10
    else:
        work = _norm(config, tokens)
    if step.kind is Kind.PRODUCT and config.sizes.rotary:
        work += ROTATION
    return config.sizes.lead(step) + BETWEEN + work


def _product(config: EncoderConfig, step: Step, tokens: int) -> int:
    sizes = config.sizes
    if config.array.kind == "digit_serial":
        blocks = -(-tokens // sizes.rows) * (step.outputs // sizes.columns)
        return (blocks * step.inputs + 2 * sizes.rows) * (config.activation.width // 2 + 1)
    return gemm.predict(config.gemm, tokens, step.outputs, step.inputs) + _behind(
        config, step, tokens
    )


def _behind(config: EncoderConfig, step: Step, tokens: int) -> int:
    """Cycles that the first tile waits behind the last one of a product before: rows of the array
    leave one after another, those that have no token too."""
    sizes, steps = config.sizes, (*config.sizes.prologue, *config.sizes.body)
    if steps[steps.index(step) - 1].kind is not Kind.PRODUCT:
        return 0
    rows = (tokens - 1) % sizes.rows + 1
    on_way = rows + gemm.array_latency(config.gemm) + gemm.output_latency(config.gemm)
    tile = sizes.step_weights(step) // (step.outputs // sizes.columns)
    return max(0, sizes.rows - on_way - tile - sizes.lead(step) - BETWEEN)


def _attention(config: EncoderConfig, tokens: int, position: int) -> int:
    sizes, shape = config.sizes, config.attend.shape
    # Of the last query: what is on its way, and its result's words.
    last = shape.score_latency + shape.value_levels + shape.divide_cycles + 12 + sizes.parts
    # Keys of each query.
    seen = range(position + 1, position + tokens + 1) if sizes.causal else [tokens] * tokens
    found = 0
    for keys in seen:
        # Beats of keys; words of keys, and the query's own, through one port.
        words = sizes.parts * (1 + -(-keys // sizes.rows))
        found += max(-(-keys // sizes.keys), words)
    return sizes.heads * found + last


def _norm(config: EncoderConfig, tokens: int) -> int:
    """Rows one after another: loaded, squared, given; root, reciprocal and registers between."""
    sizes = config.sizes
    if not sizes.normed:
        return tokens * sizes.words + 10
    squares = 2 * (config.activation.width + 4 + sizes.centred - 1) + 1
    row = 3 * sizes.words + squares // 2 + RECIPROCAL + sizes.centred + 11
    return tokens * row + 10
