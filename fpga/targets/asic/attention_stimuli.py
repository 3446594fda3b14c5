"""What a core of streaming attention is driven with when power is estimated.

Queries, keys and values are Gaussian, as activations of low-bit arrays are; the logits' scale makes
them :data:`SPREAD` nats, the results' scale takes V's range to the output's. One job of
:data:`KEYS` keys per query, no masks, all streams always ready: which beats are taken is the core's
choice and the same in all streams of the simulation, so their data need not wait for it.
"""

import math

import numpy as np
from amaranth.hdl import Shape as Bits

from ....hw.attention.shape import LOGIT_MULTIPLIER_BITS, MAX_SHIFT, Shape
from ....hw.attention.streaming import core_ports
from ....hw.errors import UserError
from ....hw.formats import Format
from .low_bit_stimuli import SIGMA_WIDTH, activations
from .stimuli import STREAMS, Stimulus, bits, flags
from .throughput import SIGMA

SPREAD = 2.0
"""Standard deviation of the logits, in nats."""
KEYS = 256
"""Of a query, or the engine's most."""
QUERIES = 2
"""That are counted."""


def dyadic(scale: float, width: int, most_shift: int) -> tuple[int, int]:
    """Multiplier of ``width`` bits and right shift of the nearest scale that they can give."""
    shift = min(max(width - 1 - math.floor(math.log2(scale)), 0), most_shift)
    multiplier = min(round(scale * 2.0**shift), (1 << width) - 1)
    return multiplier, shift


def warm_up(shape: Shape, keys: int) -> int:
    """Cycles until a core that began in the first is as busy as it gets: a query's beats, and its
    way to the last element of the result (decision 0013)."""
    beats = -(-keys // shape.lanes)
    return beats + shape.score_latency + shape.block_beats + shape.divide_cycles + 32


def attention(shape: Shape, seed: int) -> Stimulus:
    """For :class:`....hw.attention.streaming.StreamingAttention` of ``shape``. ``Stimulus.macs``
    are (query, key) pairs per cycle, all of which are busy. Raises :class:`UserError` for packed
    caches, and for limits that are too low for that."""
    if shape.k_bits or shape.v_bits:
        raise UserError("power is not estimated of packed caches")
    rng = np.random.default_rng(seed)
    keys = min(KEYS, shape.max_keys) // shape.lanes * shape.lanes
    beats = keys // shape.lanes
    warm = warm_up(shape, keys)
    cycles = warm + QUERIES * beats
    queries = cycles // max(beats, 1) + 1
    least = shape.output_beats
    if beats < least or shape.max_queries < queries:
        raise UserError(
            f"power is estimated of engines for at least {queries} queries and "
            f"{least * shape.lanes} keys; limits has {shape.max_queries} and {shape.max_keys}"
        )
    product = math.prod(
        SIGMA * 2.0 ** (format.width - SIGMA_WIDTH) for format in (shape.q, shape.k)
    )
    logit = SPREAD * math.log2(math.e) * 2**shape.fraction / product / math.sqrt(shape.dimension)
    logit_scale = dyadic(logit, LOGIT_MULTIPLIER_BITS, MAX_SHIFT)
    to_output = 2.0 ** (shape.output.width - shape.v.width)
    scale = dyadic(to_output, shape.multiplier_bits, shape.max_output_shift)
    constants = {
        "queries": queries, "keys": keys, "kv_heads": 1, "group": 1,
        "logit_multiplier": logit_scale[0], "logit_shift": logit_scale[1],
        "multiplier": scale[0], "shift": scale[1],
    }  # fmt: skip
    ports = core_ports(shape)
    drive = {name: _held(value, ports[name].shape, cycles) for name, value in constants.items()}
    drive["start"] = flags(cycles, 0)
    operands = {}
    for name, format, count in (
        ("q", shape.q, shape.dimension),
        ("k", shape.k, shape.lanes * shape.dimension),
        ("v", shape.v, shape.lanes * shape.dimension),
    ):
        operands[name] = numbers = activations(rng, format, (cycles, STREAMS, count))
        drive[f"{name}_tdata"] = _lanes(numbers, format, getattr(shape, f"{name}_width"))
        drive[f"{name}_tvalid"] = flags(cycles, slice(None))
    drive["o_tready"] = flags(cycles, slice(None))
    return Stimulus(drive, warm, shape.lanes, operands)


def _held(value: int, shape, cycles: int) -> np.ndarray:
    """A number that stays at a port of ``shape``."""
    width = Bits.cast(shape).width
    return np.broadcast_to(bits(np.array([[[value]]]), width), (cycles, 1, width))


def _lanes(numbers: np.ndarray, format: Format, width: int) -> np.ndarray:
    """Byte lanes of a beat of ``width`` bits, what is above them (masks of keys) 0."""
    found = bits(numbers, format.lane_width)
    more = np.zeros((*found.shape[:-1], width - found.shape[-1]), bool)
    return np.concatenate([found, more], axis=-1)
