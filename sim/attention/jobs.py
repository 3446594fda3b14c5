"""One job of an attention engine, and jobs drawn from a seed."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from matweave.hw.attention.config import AttentionConfig
from matweave.hw.attention.shape import LOGIT_MULTIPLIER_BITS, MAX_SHIFT
from matweave.hw.formats import Format

from ..cases import VALUES, Case, values
from ..golden.arithmetic import checked
from ..golden.attention import kivi
from ..golden.attention import streaming as golden
from ..golden.operands import lane_dtype
from ..golden.requantize import ZERO_POINT
from ..layout import pack_rows
from ..registers import AttentionMode, AttentionRegister, Control
from . import cache

COUNTERS = ("CYCLES", "STALL_Q", "STALL_K", "STALL_V", "STALL_O")
WRITTEN = ("QUERIES", "KEYS", "KV_HEADS", "GROUP", "MODE", "POSITION", "WINDOW", "LOGIT_MULTIPLIER",
           "LOGIT_SHIFT", "MULTIPLIER", "SHIFT", "ZERO_POINT")  # fmt: skip
"""Registers of a job."""


@dataclass(frozen=True, eq=False)
class AttentionJob:
    """Q (heads, queries, d); K and V (KV heads, keys, d); what is done to them.

    ``partial``: the result is states, (heads, queries, 2 + d): total, maximum, sums.
    ``masked`` (KV heads, keys): keys that do not count; only with ``masks.keys``. Packed K and V
    are codes, with ``k_groups`` and ``v_groups`` (:func:`..golden.attention.kivi.quantised`).
    """

    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    logit: golden.Scale
    scale: golden.Scale
    causal: bool = False
    window: int = 0
    position: int = 0
    masked: np.ndarray | None = None
    partial: bool = False
    k_groups: kivi.Groups | None = None
    v_groups: kivi.Groups | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """KV heads, group, queries, keys."""
        return len(self.k), len(self.q) // len(self.k), self.q.shape[1], self.k.shape[1]

    @property
    def work(self) -> int:
        """Multiply-accumulates for the keys that count by position, of Q · K and of P · V."""
        counts = self._counts()
        return 2 * len(self.q) * self.q.shape[2] * int(counts.sum())

    def _counts(self) -> np.ndarray:
        return golden.positions_mask(
            self.q.shape[1],
            self.k.shape[1],
            position=self.position,
            causal=self.causal,
            window=self.window,
        )

    def checked(self, config: AttentionConfig) -> "AttentionJob":
        """This job with integer arrays, if the engine of ``config`` can do it.

        Raises :class:`ValueError` with one line where it cannot.
        """
        d, limits = config.array.dimension, config.limits
        arrays = {
            name: checked(name, getattr(self, name), format.min, format.max, (None, None, d))
            for name, format in (
                ("q", config.q),
                ("k", _coded(config, "k")),
                ("v", _coded(config, "v")),
            )
        }
        q, k = arrays["q"], arrays["k"]
        if len(q) % len(k) or arrays["v"].shape != k.shape:
            raise ValueError(
                f"q {q.shape}, k {k.shape} and v {arrays['v'].shape} do not belong together"
            )
        sizes = {
            "kv_heads": len(k),
            "group": len(q) // len(k),
            "queries": q.shape[1],
            "keys": k.shape[1],
        }
        for name, size in sizes.items():
            if size > (limit := getattr(limits, name)):
                raise ValueError(f"{name} is {size}; this engine takes 1 to {limit}")
        if self.position < 0 or not 0 <= self.window <= limits.keys:
            raise ValueError(
                f"position is {self.position} and window {self.window}; this engine takes 0 and "
                f"more, and 0 to {limits.keys}"
            )
        self._check_scales(config)
        if self.causal and self.position + q.shape[1] > k.shape[1]:
            raise ValueError(
                f"the last query is at position {self.position + q.shape[1] - 1} and the last key "
                f"at {k.shape[1] - 1}"
            )
        if self.window and not self.causal:
            raise ValueError("a window needs a causal mask")
        if self.partial and not config.output.partial:
            raise ValueError("this engine gives no states: its output.partial is false")
        if self.masked is not None:
            if not config.masks.keys:
                raise ValueError("this engine has no mask of keys: its masks.keys is false")
            arrays["masked"] = np.broadcast_to(np.asarray(self.masked, bool), k.shape[:2])
        for name, numbers in (("k", cache.k_numbers(config)), ("v", cache.v_numbers(config))):
            groups, packed = getattr(self, f"{name}_groups"), numbers["bits"]
            if packed:
                arrays[f"{name}_groups"] = cache.checked_groups(
                    name, groups, arrays[name], getattr(config, name), **numbers
                )
            elif groups is not None:
                raise ValueError(f"{name} is not packed in this engine, and comes with groups")
        return dataclasses.replace(self, **arrays)

    def _check_scales(self, config: AttentionConfig) -> None:
        shape = config.shape
        registers = (
            ("logit.multiplier", self.logit.multiplier, 0, (1 << LOGIT_MULTIPLIER_BITS) - 1),
            ("logit.shift", self.logit.shift, 0, MAX_SHIFT),
            ("scale.multiplier", self.scale.multiplier, 0, (1 << shape.multiplier_bits) - 1),
            ("scale.shift", self.scale.shift, 0, shape.max_output_shift),
            ("scale.zero_point", self.scale.zero_point, ZERO_POINT.min, ZERO_POINT.max),
        )
        for name, value, least, most in registers:
            if not least <= value <= most:
                raise ValueError(f"{name} is {value}; this engine takes {least} to {most}")

    def order(self, config: AttentionConfig) -> list[tuple[int, int, int]]:
        """(KV head, first beat, beats) of every query, in the order in which they come."""
        lanes = config.array.lanes
        heads, group, queries, keys = self.shape
        found = []
        for query in range(queries):
            position = self.position + query
            high = position if self.causal else keys - 1
            low = max(0, position + 1 - self.window) if self.window else 0
            found.append((low // lanes, high // lanes - low // lanes + 1))
        return [(head, *each) for head in range(heads) for each in found for _ in range(group)]

    def pack(self, config: AttentionConfig, fill=None) -> dict[str, np.ndarray]:
        """Beats by stream; ``fill`` as in :mod:`..layout`."""
        shape = config.shape
        heads, group, queries, _ = self.shape
        by_head = self.q.reshape(heads, group, queries, -1).swapaxes(1, 2)
        q = pack_rows(by_head.reshape(-1, shape.dimension), config.q, fill)
        if shape.k_bits:
            k = cache.k_beats(config, self.k, fill)
        else:
            k = self._beats_of_heads(self.k, config.k, shape.lanes, fill)
        if shape.v_bits:
            v = cache.v_beats(config, self.v, self.v_groups, fill)
        else:
            v = self._beats_of_heads(self.v, config.v, shape.lanes, fill)
        if config.masks.keys:
            k = np.concatenate([k, self._masks(shape, k.shape[1], fill)], axis=2)
        order = self.order(config)
        rows = [(head, first + beat) for head, first, count in order for beat in range(count)]
        head, beat = np.array(rows).T
        packed = {"q": q, "k": k[head, beat], "v": v[head, beat]}
        if shape.k_bits:
            head, group = np.array(self._groups(config)).T
            packed["g"] = cache.k_groups(self.k_groups)[head, group]
        return packed

    def _groups(self, config: AttentionConfig) -> list[tuple[int, int]]:
        """(KV head, group) of every beat of minima and steps."""
        shape = config.shape
        return [
            (head, beat // shape.k_group_beats)
            for head, first, count in self.order(config)
            for beat in range(first, first + count)
            if shape.begins_group(first, beat)
        ]

    def _beats_of_heads(self, x, format: Format, lanes: int, fill) -> np.ndarray:
        """(KV heads, beats, bytes), the last beat filled up."""
        heads, keys, d = x.shape
        beats = -(-keys // lanes)
        padded = np.zeros((heads, beats * lanes, d), np.int64)
        if fill is not None:
            padded = fill.integers(format.min, format.max, padded.shape, endpoint=True)
        padded[:, :keys] = x
        packed = pack_rows(padded.reshape(heads * beats * lanes, d), format, fill)
        return packed.reshape(heads, beats, -1)

    def _masks(self, shape, beats: int, fill) -> np.ndarray:
        heads, _, _, keys = self.shape
        bits = np.zeros((heads, beats, shape.mask_bits), bool)
        if fill is not None:
            bits = fill.integers(0, 2, bits.shape).astype(bool)
        masked = np.zeros((heads, keys), bool) if self.masked is None else self.masked
        flat = bits[:, :, : shape.lanes].reshape(heads, -1)
        flat[:, :keys] = masked
        bits[:, :, : shape.lanes] = flat.reshape(heads, beats, shape.lanes)
        return np.packbits(bits, axis=2, bitorder="little")

    def beats(self, config: AttentionConfig) -> dict[str, int]:
        """How many there are, by stream."""
        queries = len(self.q) * self.q.shape[1]
        keys = sum(count for *_, count in self.order(config))
        results = queries * (config.shape.output_beats + self.partial)
        packed = {"g": len(self._groups(config))} if config.shape.k_bits else {}
        return {"q": queries, "k": keys, "v": keys, "o": results, **packed}

    def utilisation(self, config: AttentionConfig, cycles: int) -> float:
        """Useful multiply-accumulates over those that the engine could do in ``cycles``."""
        return self.work / (config.macs_per_cycle * cycles)

    def unpack(self, config: AttentionConfig, beats: np.ndarray) -> np.ndarray:
        """The result, (heads, queries, d)."""
        heads, group, queries, _ = self.shape
        wide = Format(config.shape.o_lane, config.output.partial or config.output.format.signed)
        values = beats.reshape(-1).view(lane_dtype(wide)).astype(np.int64)
        values = values.reshape(heads, queries, group, -1).swapaxes(1, 2)
        if self.partial:  # of the first beat the lanes behind the maximum are padding
            assert not values[..., 2 : config.output.lanes].any()
            values = np.delete(values, np.s_[2 : config.output.lanes], axis=-1)
        return values.reshape(heads * group, queries, -1)

    def operands(self, config: AttentionConfig) -> tuple[np.ndarray, np.ndarray]:
        """K and V, which are not packed."""
        k, v = self.k, self.v
        if config.shape.k_bits:
            k = kivi.dequantised(k, self.k_groups, format=config.k, **cache.k_numbers(config))
        if config.shape.v_bits:
            v = kivi.dequantised(v, self.v_groups, format=config.v, **cache.v_numbers(config))
        return k, v

    def expected(self, config: AttentionConfig) -> np.ndarray:
        """What the golden model says."""
        k, v = self.operands(config)
        return golden.attention(
            self.q,
            k,
            v,
            logit=self.logit,
            scale=self.scale,
            numbers=golden.for_config(config),
            block=config.array.block,
            formats=(config.q, config.k, config.v, config.output.format),
            rounding=config.output.rounding,
            position=self.position,
            causal=self.causal,
            window=self.window,
            masked=self.masked,
            partial=self.partial,
        )

    def mode(self) -> AttentionMode:
        return (
            AttentionMode.CAUSAL * self.causal
            | AttentionMode.WINDOWED * bool(self.window)
            | AttentionMode.PARTIAL * self.partial
        )

    def registers(self, config: AttentionConfig) -> list[tuple[int, int]]:
        """(address, data) of every write, the start last."""
        heads, group, queries, keys = self.shape
        values = {
            "QUERIES": queries,
            "KEYS": keys,
            "KV_HEADS": heads,
            "GROUP": group,
            "MODE": self.mode(),
            "POSITION": self.position,
            "WINDOW": self.window,
            "LOGIT_MULTIPLIER": self.logit.multiplier,
            "LOGIT_SHIFT": self.logit.shift,
            "MULTIPLIER": self.scale.multiplier,
            "SHIFT": self.scale.shift,
            "ZERO_POINT": self.scale.zero_point,
        }
        writes = [(AttentionRegister[name], value) for name, value in values.items()]
        writes.append((AttentionRegister.CONTROL, Control.START))
        return [(int(address), int(data) & 0xFFFF_FFFF) for address, data in writes]


def _coded(config: AttentionConfig, name: str) -> Format:
    """What K or V are given in: their format, or codes."""
    bits = getattr(config.cache, name).bits
    return Format(bits, signed=False) if bits else getattr(config, name)


def stream_bytes(config: AttentionConfig) -> tuple[dict[str, int], dict[str, int]]:
    """Input and output port prefixes with their bytes per beat."""
    shape = config.shape
    inputs = {"s_axis_q": shape.q_width, "s_axis_k": shape.k_width, "s_axis_v": shape.v_width}
    if shape.k_bits:
        inputs["s_axis_g"] = shape.g_width
    return {port: bits // 8 for port, bits in inputs.items()}, {"m_axis_o": shape.o_width // 8}


SIZES = ("one", "beat", "block", "block_plus", "blocks", "most", "random")
"""Corner classes of the number of keys."""

ORDERS = ("random", "rising", "falling", "equal", "huge")
"""Corner classes of logits: by key, and by size."""


def case(config: AttentionConfig, seed: int, index: int, largest: int | None = None) -> Case:
    """The job number ``index``. The first ones go through the corner classes in turn."""
    rng = np.random.default_rng([seed, index])
    limits, array = config.limits, config.array
    largest = largest or limits.keys
    size, order = SIZES[index % len(SIZES)], ORDERS[index % len(ORDERS)]
    bound = min(limits.keys, largest)
    keys = {
        "one": 1,
        "beat": array.lanes,
        "block": array.block,
        "block_plus": array.block + 1,
        "blocks": 2 * array.block + rng.integers(0, array.block),
        "most": bound,
        "random": rng.integers(1, bound + 1),
    }[size]
    keys = int(min(max(keys, 1), bound))
    causal = bool(rng.integers(2))
    queries = int(rng.integers(1, min(limits.queries, keys if causal else largest, 8) + 1))
    heads, group = (int(rng.integers(1, min(limit, 3) + 1)) for limit in
                    (limits.kv_heads, limits.group))  # fmt: skip
    kinds = [VALUES[(index + n) % len(VALUES)] if index < 9 else "random" for n in range(3)]
    q = values(config.q, kinds[0], (heads * group, queries, array.dimension), rng)
    k = values(config.k, kinds[1], (heads, keys, array.dimension), rng)
    v = values(config.v, kinds[2], (heads, keys, array.dimension), rng)
    if order in ("rising", "falling"):  # one query's, at least
        dots = np.argsort(k[0] @ q[0, 0])
        k = k[:, dots if order == "rising" else dots[::-1]]
    elif order == "equal":
        k = np.broadcast_to(k[:, :1], k.shape)
    packed = {}
    if config.shape.k_bits:
        k, packed["k_groups"] = cache.drawn(k, config.k, rng, **cache.k_numbers(config))
    if config.shape.v_bits:
        v, packed["v_groups"] = cache.drawn(v, config.v, rng, **cache.v_numbers(config))
    masked = None
    if config.masks.keys and rng.integers(3):
        masked = rng.random((heads, keys)) < rng.choice([0.1, 0.5, 0.9, 1.0])
    job = AttentionJob(
        q=q,
        k=k,
        v=v,
        logit=logit_scale(config, order, rng),
        scale=result_scale(config, rng),
        causal=causal,
        window=int(rng.integers(1, keys + 1)) if causal and rng.integers(2) else 0,
        position=int(rng.integers(0, keys - queries + 1)) if causal else 0,
        masked=masked,
        partial=config.output.partial and bool(rng.integers(2)),
        **packed,
    )
    name = f"{index}: {heads}x{group} heads, {queries} queries, {keys} keys {size}, {order}"
    return Case(name, job.checked(config))


def logit_scale(config, order: str, rng) -> golden.Scale:
    """Logits of a few units for random operands, or such as saturate."""
    size = config.q.width + config.k.width - 4 + math.log2(config.array.dimension) / 2
    shift = round(size) - config.softmax.fraction + 15 - int(rng.integers(0, 4))
    if order == "huge":
        shift = int(rng.integers(0, 12))
    multiplier = int(rng.integers(1 << 14, 1 << 16)) if rng.integers(8) else 0
    return golden.Scale(multiplier, min(max(shift, 0), 62))


def result_scale(config, rng) -> golden.Scale:
    """From V's last place to the output's, give or take; or the extremes of the registers."""
    shape = config.shape
    most = (1 << shape.multiplier_bits) - 1
    if not rng.integers(6):
        return golden.Scale(
            int(rng.choice([0, 1, most])),
            int(rng.choice([0, shape.max_output_shift])),
            int(rng.choice([-65536, 0, 65535])),
        )
    wider = config.output.format.width - config.v.width
    shift = shape.multiplier_bits - wider - int(rng.integers(0, 2))
    zero_point = int(rng.choice([0, rng.integers(-100, 100)]))
    multiplier = int(rng.integers(most // 2, most + 1))
    return golden.Scale(multiplier, min(max(shift, 0), shape.max_output_shift), zero_point)
