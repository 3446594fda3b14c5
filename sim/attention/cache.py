"""Packed caches of K and V in the beats of an attention engine, as decision 0013 lays them out."""

import numpy as np

from matweave.hw.attention.config import AttentionConfig
from matweave.hw.formats import Format

from ..golden.arithmetic import checked
from ..golden.attention import kivi


def k_numbers(config: AttentionConfig) -> dict[str, int]:
    """How K is grouped: keywords of :func:`.kivi.quantised`."""
    return {"bits": config.cache.k.bits, "group": config.cache.k_group, "axis": 1}


def v_numbers(config: AttentionConfig) -> dict[str, int]:
    """The same of V."""
    return {"bits": config.cache.v.bits, "group": config.cache.v_group, "axis": 2}


def checked_groups(name: str, groups, codes, format: Format, *, bits, group, axis) -> kivi.Groups:
    """``groups`` as integer arrays, if they fit ``codes``. Raises :class:`ValueError`."""
    if groups is None:
        raise ValueError(f"{name} is packed in this engine, and comes without groups")
    shape = list(codes.shape)
    shape[axis] = -(-shape[axis] // group)
    return kivi.Groups(
        checked(f"{name}'s minimum", groups.minimum, format.min, format.max, tuple(shape)),
        checked(f"{name}'s step", groups.step, 0, kivi.STEP_MAX, tuple(shape)),
    )


def _bytes_of(codes: np.ndarray, bits: int) -> np.ndarray:
    """The last axis of ``codes`` side by side, the first one lowest, in whole bytes."""
    places = (codes[..., None] >> np.arange(bits)) & 1
    return np.packbits(places.reshape(*codes.shape[:-1], -1), axis=-1, bitorder="little")


def _pairs(groups: kivi.Groups) -> np.ndarray:
    """Minimum and step of each group, a byte each; the last axis doubles."""
    both = np.stack([groups.minimum & 0xFF, groups.step], axis=-1)
    return both.reshape(*groups.step.shape[:-1], -1).astype(np.uint8)


def _padded(codes: np.ndarray, beats: int, lanes: int, bits: int, fill) -> np.ndarray:
    """(heads, beats, lanes, d): the keys that are not there with zeros or anything."""
    heads, keys, d = codes.shape
    shape = (heads, beats * lanes, d)
    found = np.zeros(shape, np.int64) if fill is None else fill.integers(0, 1 << bits, shape)
    found[:, :keys] = codes
    return found.reshape(heads, beats, lanes, d)


def k_beats(config: AttentionConfig, codes, fill=None) -> np.ndarray:
    """Codes of K, (heads, beats, bytes), without masks."""
    lanes, bits = config.array.lanes, config.cache.k.bits
    beats = -(-codes.shape[1] // lanes)
    padded = _padded(codes, beats, lanes, bits, fill)
    return _bytes_of(padded.reshape(len(codes), beats, -1), bits)


def k_groups(groups: kivi.Groups) -> np.ndarray:
    """Beats of K's groups, (heads, groups, bytes)."""
    return _pairs(groups)


def v_beats(config: AttentionConfig, codes, groups: kivi.Groups, fill=None) -> np.ndarray:
    """V with its groups, (heads, beats, bytes)."""
    lanes, bits = config.array.lanes, config.cache.v.bits
    heads, keys = codes.shape[:2]
    beats = -(-keys // lanes)
    padded = _padded(codes, beats, lanes, bits, fill)
    pairs = _pairs(groups)
    of_lanes = np.zeros((heads, beats * lanes, pairs.shape[-1]), np.uint8)
    if fill is not None:
        of_lanes = fill.integers(0, 256, of_lanes.shape, dtype=np.uint8)
    of_lanes[:, :keys] = pairs
    codes = _bytes_of(padded.reshape(heads, beats, -1), bits)
    return np.concatenate([codes, of_lanes.reshape(heads, beats, -1)], axis=2)


def drawn(x: np.ndarray, format: Format, rng, *, bits: int, group: int, axis: int):
    """Codes and groups of ``x``; or now and then any, with sums beyond the format."""
    codes, groups = kivi.quantised(x, bits=bits, group=group, axis=axis)
    if rng.integers(3):
        return codes, groups
    shape = groups.step.shape
    steps = rng.choice([0, 1, kivi.STEP_MAX, 100], shape)
    any_groups = kivi.Groups(rng.integers(format.min, format.max + 1, shape), steps)
    return rng.integers(0, 1 << bits, x.shape), any_groups
