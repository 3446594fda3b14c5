"""The same layers in float, with weights by the names of PyTorch's ``nn.TransformerEncoder``."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from matweave.hw.transformer.config import EncoderConfig

EPSILON = 1e-5
"""Added to a variance, as PyTorch does."""

Tensors = Mapping[str, np.ndarray]
Watch = Callable[[str, np.ndarray], None]

_erf = np.frompyfunc(math.erf, 1, 1)


def gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + np.asarray(_erf(x / math.sqrt(2)), np.float64))


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def silu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + np.tanh(x / 2))


FUNCTIONS = {"gelu": gelu, "gelu_tanh": gelu_tanh, "relu": relu, "silu": silu}
"""Of the hidden layer."""


@dataclass(frozen=True)
class Details:
    """What tensors do not say: the function of the hidden layer, one of :data:`FUNCTIONS`, and
    what is added to a variance."""

    function: str = "gelu"
    epsilon: float = EPSILON


PYTORCH = Details()
"""As ``nn.TransformerEncoderLayer(…, activation="gelu")`` has them."""


def shapes(config: EncoderConfig) -> dict[str, tuple[int, ...]]:
    """Every tensor that a model for the engine of ``config`` has: its shape by its name. Matrices
    are (outputs, inputs), of ``in_proj`` first the outputs of all heads' queries, then those of
    keys, then of values; an RMSNorm has no bias."""
    model = config.model
    d, f = model.width, model.hidden
    queries, joint = model.heads * model.head, (model.heads + 2 * model.kv_heads) * model.head
    found = {}
    for n in range(model.layers):
        layer = {
            "self_attn.in_proj_weight": (joint, d),
            "self_attn.in_proj_bias": (joint,),
            "self_attn.out_proj.weight": (d, queries),
            "self_attn.out_proj.bias": (d,),
            "linear1.weight": (f, d),
            "linear1.bias": (f,),
            "linear2.weight": (d, f),
            "linear2.bias": (d,),
        }
        if model.gated:
            layer |= {"linear_gate.weight": (f, d), "linear_gate.bias": (f,)}
        found |= {f"layers.{n}.{name}": shape for name, shape in layer.items()}
    for name in norms(config):
        found[f"{name}.weight"] = (d,)
        if model.norm == "layer":
            found[f"{name}.bias"] = (d,)
    return found


def norms(config: EncoderConfig) -> list[str]:
    """Names of the norms in the order in which they are used."""
    if config.model.norm == "none":
        return []
    each = [f"layers.{n}.norm{part}" for n in range(config.model.layers) for part in (1, 2)]
    return [*each, "norm"] if config.model.order == "pre" else each


def encoder(
    x: np.ndarray,
    tensors: Tensors,
    config: EncoderConfig,
    watch: Watch = lambda name, value: None,
    details: Details = PYTORCH,
) -> np.ndarray:
    """The result, (sequences, tokens, width), of as many whole sequences. ``watch`` is told each
    step's value by the names of the golden model (:func:`..golden.transformer.encoder`).
    """
    model = config.model
    waiting = iter(norms(config))
    pre = model.order == "pre"
    queries, keys = model.heads * model.head, model.kv_heads * model.head

    def normalised(value):
        return norm(
            value,
            tensors,
            next(waiting),
            centred=model.norm == "layer",
            epsilon=details.epsilon,
        )

    carried = x
    if pre:
        carried = normalised(x)
        watch("norm", carried)
    for n in range(model.layers):
        of = f"layers.{n}"

        def tell(name, value, n=n):
            watch(f"{n}.{name}", value)
            return value

        def step(x, y, name, tell=tell):
            total = tell(f"sum_{name}", x + y)
            if model.norm == "none":
                return total, total
            new = tell(f"norm_{name}", normalised(total))
            return (total if pre else new), new

        projected = affine(carried, tensors, f"{of}.self_attn.in_proj", joint="_")
        parts = np.split(projected, (queries, queries + keys), axis=-1)
        q, k, v = (tell(name, part) for name, part in zip("qkv", parts, strict=True))
        if model.rotary != "none":
            q, k = (tell(f"{name}_turned", turned(each, config))
                    for name, each in (("q", q), ("k", k)))  # fmt: skip
        seen = tell("attention", attend(q, k, v, model.heads, causal=model.causal)[0])
        y = tell("output", affine(seen, tensors, f"{of}.self_attn.out_proj"))
        x, carried = step(x, y, "attention")
        up = tell("up", affine(carried, tensors, f"{of}.linear1"))
        if model.gated:
            gate = tell("gate", affine(carried, tensors, f"{of}.linear_gate"))
            hidden = tell("opened", FUNCTIONS[details.function](gate)) * up
        else:
            hidden = FUNCTIONS[details.function](up)
        tell("hidden", hidden)
        y = tell("down", affine(hidden, tensors, f"{of}.linear2"))
        x, carried = step(x, y, "hidden")
    return carried


def affine(x, tensors: Tensors, name: str, joint: str = ".") -> np.ndarray:
    return x @ tensors[f"{name}{joint}weight"].T + tensors[f"{name}{joint}bias"]


def turned(x: np.ndarray, config: EncoderConfig) -> np.ndarray:
    """Rotary positions of ``x`` (sequences, tokens, heads · elements): RoFormer's, whose pairs are
    neighbours, or Llama's, of a head's halves."""
    model, pairs = config.model, config.model.head // 2
    rates = float(model.rotary_base) ** (-np.arange(pairs) / pairs)
    angles = np.arange(x.shape[1])[:, None, None] * rates
    heads = x.reshape(*x.shape[:2], -1, model.head)
    if model.rotary == "halves":
        parts = heads[..., :pairs], heads[..., pairs:]
    else:
        parts = heads[..., ::2], heads[..., 1::2]
    number = (parts[0] + 1j * parts[1]) * np.exp(1j * angles)
    if model.rotary == "halves":
        return np.concatenate([number.real, number.imag], axis=-1).reshape(x.shape)
    return np.stack([number.real, number.imag], axis=-1).reshape(x.shape)


def attend(q, k, v, heads: int, *, causal: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Attention of all heads, side by side, and its weights, (sequences, heads, queries, keys)."""
    head = q.shape[-1] // heads
    q, k, v = (each.reshape(*each.shape[:2], -1, head).transpose(0, 2, 1, 3) for each in (q, k, v))
    # Successive heads of q share one of k and v.
    k, v = (each.repeat(heads // each.shape[1], axis=1) for each in (k, v))
    logits = q @ k.swapaxes(-1, -2) / math.sqrt(head)
    if causal:
        logits = np.where(np.tri(q.shape[2], dtype=bool), logits, -np.inf)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    found = (weights @ v).transpose(0, 2, 1, 3)
    return found.reshape(*found.shape[:2], -1), weights


def norm(x, tensors: Tensors, name: str, *, centred: bool, epsilon: float = EPSILON) -> np.ndarray:
    if centred:
        x = x - x.mean(axis=-1, keepdims=True)
    x = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + epsilon)
    return x * tensors[f"{name}.weight"] + tensors.get(f"{name}.bias", 0)
