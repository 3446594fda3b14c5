"""Trains the float model of the demo in NumPy: gradients by hand, Adam.

Tensors have the names of PyTorch's ``nn.TransformerEncoder`` (norms behind the sums), beside
``embed`` (pixels of a row to a token), ``position``, ``head.weight`` and ``head.bias``.
"""

import math

import numpy as np

from matweave.hw.transformer.config import EncoderConfig
from matweave.sim.transformer import floating

SEED = 1
EPOCHS = 60
BATCH = 32
RATE = 3e-3
DECAY = 1e-4
CLASSES = 10
SIDE = 8
"""Rows of an image, and pixels of a row."""

Tensors = dict[str, np.ndarray]


def initial(config: EncoderConfig) -> Tensors:
    """Random weights, as large as their inputs are many."""
    rng = np.random.default_rng(SEED)
    d = config.model.width
    sizes = floating.shapes(config) | {
        "embed": (d, SIDE), "position": (SIDE, d), "head.weight": (CLASSES, d),
        "head.bias": (CLASSES,),
    }  # fmt: skip
    found = {}
    for name, size in sizes.items():
        if len(size) == 2:
            found[name] = rng.normal(size=size) / math.sqrt(size[-1])
        else:
            found[name] = np.ones(size) if "norm" in name and "weight" in name else np.zeros(size)
    return found


def tokens(tensors: Tensors, images: np.ndarray) -> np.ndarray:
    """(images, 8, width) of ``images`` (images, 64), pixels 0 to 16."""
    rows = images.reshape(-1, SIDE, SIDE) / 16
    return rows @ tensors["embed"].T + tensors["position"]


def logits(tensors: Tensors, results: np.ndarray) -> np.ndarray:
    """Of each digit, from the encoder's results."""
    return results.mean(axis=1) @ tensors["head.weight"].T + tensors["head.bias"]


def train(config: EncoderConfig, images: np.ndarray, labels: np.ndarray) -> Tensors:
    """The tensors after ``EPOCHS``; deterministic."""
    rng = np.random.default_rng(SEED)
    tensors = initial(config)
    first, second = ({name: np.zeros_like(t) for name, t in tensors.items()} for _ in range(2))
    count, total = 0, EPOCHS * math.ceil(len(images) / BATCH)
    for _ in range(EPOCHS):
        order = rng.permutation(len(images))
        for start in range(0, len(order), BATCH):
            at = order[start : start + BATCH]
            found = gradients(config, tensors, images[at], labels[at])
            count += 1
            rate = RATE * 0.5 * (1 + math.cos(math.pi * count / total))
            for name, gradient in found.items():
                first[name] += 0.1 * (gradient - first[name])
                second[name] += 0.001 * (gradient**2 - second[name])
                mean, square = first[name] / (1 - 0.9**count), second[name] / (1 - 0.999**count)
                if tensors[name].ndim == 2:
                    mean = mean + DECAY * tensors[name]
                tensors[name] = tensors[name] - rate * mean / (np.sqrt(square) + 1e-8)
    return tensors


def gradients(config, tensors: Tensors, images, labels) -> Tensors:
    """Of the mean cross entropy."""
    x = tokens(tensors, images)
    values = {"x": x}
    results = floating.encoder(x, tensors, config, values.__setitem__)
    scores = logits(tensors, results)
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    chances[np.arange(len(labels)), labels] -= 1
    back = chances / len(labels)
    found = {
        "head.weight": back.T @ results.mean(axis=1),
        "head.bias": back.sum(axis=0),
    }
    back = np.repeat((back @ tensors["head.weight"])[:, None] / SIDE, SIDE, axis=1)
    for n in reversed(range(config.model.layers)):
        source = values[f"{n - 1}.norm_hidden"] if n else x
        back = _layer(config, tensors, values, n, source, back, found)
    found["position"] = back.sum(axis=0)
    rows = images.reshape(-1, SIDE, SIDE) / 16
    found["embed"] = np.einsum("btd,btp->dp", back, rows)
    return found


def _layer(config, tensors, values, n: int, source, back, found) -> np.ndarray:
    """Through one layer, from its end to its beginning."""
    of = f"layers.{n}"
    value = {name.partition(".")[2]: each for name, each in values.items() if name[0] == str(n)}
    back = _norm(tensors, f"{of}.norm2", value["sum_hidden"], back, found)
    inner = _affine(tensors, f"{of}.linear2", value["hidden"], back, found)
    inner = inner * _gelu_slope(value["up"])
    back = back + _affine(tensors, f"{of}.linear1", value["norm_attention"], inner, found)
    back = _norm(tensors, f"{of}.norm1", value["sum_attention"], back, found)
    inner = _affine(tensors, f"{of}.self_attn.out_proj", value["attention"], back, found)
    inner = _attention(config, *(value[name] for name in "qkv"), inner)
    return back + _affine(tensors, f"{of}.self_attn.in_proj", source, inner, found, joint="_")


def _affine(tensors, name: str, x, back, found, joint: str = ".") -> np.ndarray:
    found[f"{name}{joint}weight"] = np.einsum("bto,bti->oi", back, x)
    found[f"{name}{joint}bias"] = back.sum(axis=(0, 1))
    return back @ tensors[f"{name}{joint}weight"]


def _norm(tensors, name: str, x, back, found) -> np.ndarray:
    deviation = x - x.mean(axis=-1, keepdims=True)
    root = np.sqrt((deviation**2).mean(axis=-1, keepdims=True) + floating.EPSILON)
    normalised = deviation / root
    found[f"{name}.weight"] = (back * normalised).sum(axis=(0, 1))
    found[f"{name}.bias"] = back.sum(axis=(0, 1))
    inner = back * tensors[f"{name}.weight"]
    along = normalised * (inner * normalised).mean(axis=-1, keepdims=True)
    return (inner - inner.mean(axis=-1, keepdims=True) - along) / root


def _gelu_slope(x) -> np.ndarray:
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return np.divide(floating.gelu(x), x, out=np.full_like(x, 0.5), where=x != 0) + x * density


def _attention(config, q, k, v, back) -> np.ndarray:
    """Of q, k and v side by side."""
    heads = config.model.heads

    def split(x):
        return x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)

    weights = floating.attend(q, k, v, heads)[1]
    q, k, v, back = (split(each) for each in (q, k, v, back))
    of_weights = back @ v.swapaxes(-1, -2)
    inner = weights * (of_weights - (of_weights * weights).sum(axis=-1, keepdims=True))
    inner = inner / math.sqrt(q.shape[-1])
    parts = (inner @ k, inner.swapaxes(-1, -2) @ q, weights.swapaxes(-1, -2) @ back)
    merged = [part.transpose(0, 2, 1, 3) for part in parts]
    return np.concatenate([part.reshape(*part.shape[:2], -1) for part in merged], axis=-1)
