"""The numbers of an attention engine, and the widths that follow from them. Pure Python."""

from dataclasses import dataclass
from functools import cached_property

from ..arith.levels import levels
from ..cost import power_of_two
from ..formats import Format, Rounding, accumulator_width, signed_width

LOGIT = Format(16)
"""Format of a logit: saturating, ``fraction`` bits after the point, base 2."""
LOGIT_MULTIPLIER_BITS = 16
MAX_SHIFT = 62
"""Largest right shift of a requantiser."""

STEP_BITS = 8
"""Of the step of a group of a packed cache."""
GROUP_BITS = 8 + STEP_BITS
"""Of a group's minimum, in a byte, and its step above it."""

GUARD = 4
"""Fraction bits of a total below its exponentials' last place: the sums of values, which are
larger by as much as V is, are rounded at that place as they are aligned."""

LEAST_STATES = 4
"""Queries between their last beat of V and their first element, at least."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What an engine is built of.

    ``q``, ``k``, ``v``, ``output``: formats; ``dimension``: elements of a head; ``lanes``: keys per
    cycle, a power of two; ``block``: keys between renormalisations, ``lanes`` times a power of two;
    ``fraction``, ``exponential``, ``reciprocal``: bits of the softmax; ``dither``: exponentials are
    rounded at places that differ by lane; ``max_*``: largest sizes; ``output_lanes``: elements per
    beat of the result; ``key_masks``: a bit per key in the beats of K; ``partial``: states can be
    given instead of results; ``k_bits``, ``v_bits``: of a code of packed K and V, 0: not packed;
    ``k_group``: keys of a group of K, ``lanes`` times a power of two; ``v_group``: elements of a
    group of V, which divide ``dimension``.
    """

    q: Format
    k: Format
    v: Format
    output: Format
    rounding: Rounding
    dimension: int
    lanes: int
    block: int
    fraction: int
    exponential: int
    reciprocal: int
    dither: bool
    max_queries: int
    max_keys: int
    max_kv_heads: int
    max_group: int
    output_lanes: int
    key_masks: bool
    partial: bool = False
    k_bits: int = 0
    v_bits: int = 0
    k_group: int = 0
    v_group: int = 0

    @property
    def block_beats(self) -> int:
        return self.block // self.lanes

    @property
    def places(self) -> int:
        """Places at which exponentials are rounded."""
        return self.lanes if self.dither else 1

    @property
    def p(self) -> Format:
        return Format(self.exponential, signed=False)

    @cached_property
    def dot(self) -> Format:
        return Format(accumulator_width(self.q, self.k, self.dimension))

    @property
    def maximum(self) -> Format:
        """Of the running maximum, an integer."""
        return Format(LOGIT.width + 1 - self.fraction)

    @property
    def lowest(self) -> int:
        """The running maximum before the first key."""
        return LOGIT.min >> self.fraction

    @cached_property
    def total_width(self) -> int:
        """Bits of the sum of exponentials, its ``GUARD`` bits among them."""
        return (self.max_keys * self.p.max).bit_length() + GUARD

    @property
    def least_total_bits(self) -> int:
        """Bits that the total of a query has at least, if it has seen a key: relative to the
        running maximum that maximum's own exponential is one half or more."""
        return self.exponential + GUARD

    @cached_property
    def sum(self) -> Format:
        """Of an output before its division."""
        most = self.max_keys * self.p.max
        return Format(signed_width(min(0, most * self.v.min), most * self.v.max))

    @property
    def rescale_bits(self) -> int:
        """Of a renormalisation's shift, saturated: its largest leaves nothing of a sum but the
        sign, and nothing at all of what is rounded."""
        return max(self.sum.width, self.total_width).bit_length()

    @property
    def multiplier_bits(self) -> int:
        """Of the result's multiplier, which the reciprocal is multiplied with."""
        return 30 - self.reciprocal

    @property
    def product_bits(self) -> int:
        """Of that product: the reciprocal is at most ``2**reciprocal``."""
        return self.reciprocal + self.multiplier_bits

    @property
    def least_result_shift(self) -> int:
        """Of a sum times that product, if its query has seen a key."""
        return self.least_total_bits + self.reciprocal - 1 - GUARD

    @cached_property
    def result_bits(self) -> int:
        """Of a scaled sum, rounded down. A sum is at most V's largest times its total, but for what
        rounds: at most a half, and of the total half of its last place, in every beat, and less
        than one and a last place in renormalisations (which round down, and then once). The total
        is at least half of an exponential's range, so that in units of it all that is little."""
        most = max(-self.v.min, self.v.max)
        beats, last = -(-self.max_keys // self.lanes) + 1, 1 << GUARD
        rounds = beats * last + 2 * last + most * (beats + 2)  # in halves of a last place
        ratio = most + -(-rounds // (1 << self.least_total_bits))
        largest = ratio * ((1 << self.multiplier_bits) - 1)
        return signed_width(-largest - 1, largest)

    @property
    def max_output_shift(self) -> int:
        return MAX_SHIFT - (self.total_width - GUARD + self.reciprocal - 1)

    @property
    def mask_bits(self) -> int:
        """Of a beat of K: a bit per key in whole bytes, or none."""
        return -(-self.lanes // 8) * 8 if self.key_masks else 0

    @property
    def q_width(self) -> int:
        return self.dimension * self.q.lane_width

    @property
    def k_width(self) -> int:
        return self.k_elements_width + self.mask_bits

    @property
    def k_elements_width(self) -> int:
        """Of a beat of K without its masks: elements in their lanes, or codes in whole bytes."""
        count = self.lanes * self.dimension
        return _whole_bytes(count * self.k_bits) or count * self.k.lane_width

    @property
    def g_width(self) -> int:
        """Of a beat with the minima and steps of a group of keys."""
        return self.dimension * GROUP_BITS

    @property
    def k_group_beats(self) -> int:
        return self.k_group // self.lanes

    def begins_group(self, first: int, beat: int) -> bool:
        """Whether minima and steps come with ``beat`` of a query whose first one is ``first``."""
        return bool(self.k_bits) and (beat == first or beat % self.k_group_beats == 0)

    @property
    def v_groups(self) -> int:
        """Groups of a value."""
        return self.dimension // self.v_group if self.v_bits else 0

    @property
    def v_codes_width(self) -> int:
        return _whole_bytes(self.lanes * self.dimension * self.v_bits)

    @property
    def v_width(self) -> int:
        if self.v_bits:
            return self.v_codes_width + self.lanes * self.v_groups * GROUP_BITS
        return self.lanes * self.dimension * self.v.lane_width

    @property
    def o_width(self) -> int:
        return self.output_lanes * self.o_lane

    @property
    def o_lane(self) -> int:
        """Bits of a lane of the result: those of a state's sums or total, where there are
        states."""
        if not self.partial:
            return self.output.lane_width
        return Format(max(self.sum.width, self.total_width + 1)).lane_width

    @property
    def output_beats(self) -> int:
        """Beats of a result."""
        return self.dimension // self.output_lanes

    @property
    def states(self) -> int:
        """Queries whose sums may wait for their reciprocal, or be on their way to where they do: so
        many that no query waits for another's if their results take ``output_beats`` each."""
        way = self.value_latency + self.divide_cycles + 3
        return max(LEAST_STATES, power_of_two(-(-way // self.output_beats)))

    @property
    def output_depth(self) -> int:
        """Beats in the queue of results: two queries', and those in the requantisers."""
        return power_of_two(2 * (self.output_beats + self.partial) + 4)

    @property
    def score_latency(self) -> int:
        """Cycles from a beat of K taken to its logits and their maximum in a register."""
        return bool(self.k_bits) + 1 + levels(self.dimension) + 3 + 1

    @property
    def score_depth(self) -> int:
        """Beats on the way through the dot products and in the score queue."""
        return power_of_two(self.score_latency + 2 * self.block_beats)

    @property
    def value_levels(self) -> int:
        return levels(self.lanes)

    @property
    def value_latency(self) -> int:
        """Cycles from a query's last beat of V taken to its sums in their registers."""
        return bool(self.v_bits) + 1 + self.value_levels + 1

    @property
    def divide_cycles(self) -> int:
        return (self.reciprocal + 1) // 2


def _whole_bytes(bits: int) -> int:
    return -(-bits // 8) * 8
