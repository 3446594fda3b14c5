"""Scales from sample data: a float model to the integers of an encoder.

A quantity is its integer times its scale; all are symmetric. An activation's scale is its largest
magnitude in the samples over the format's largest number, those of weights are in :mod:`.weights`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from matweave.hw.attention.lookup import FUNCTIONS, entries
from matweave.hw.formats import Format
from matweave.hw.transformer.config import EncoderConfig
from matweave.hw.transformer.sizes import FRACTION, GAIN, GATE_BITS, NORM_BIAS, SUM_BITS

from ..golden import transformer as golden
from ..golden.attention.elementwise import rope_table
from ..golden.attention.streaming import Scale
from ..golden.gemm import BIAS
from ..golden.requantize import SHIFT_MAX
from . import floating
from .floating import PYTORCH, Details, Tensors
from .weights import quantised

MOST = 2.0**100
"""Of magnitudes, and one over the least: beyond, products of scales leave what a double holds."""
TABLE = {False: ("up", "hidden"), True: ("gate", "opened")}
"""What the table of functions is between, in layers without and with gates."""


@dataclass(frozen=True, eq=False)
class Calibrated:
    """The ``parameters`` of an engine, and what an integer of ``x`` and of ``y`` is worth."""

    parameters: golden.Parameters
    x: float
    y: float

    def quantised(self, x: np.ndarray, format: Format) -> np.ndarray:
        """Real tokens as the engine takes them."""
        return np.clip(np.rint(np.asarray(x) / self.x), format.min, format.max).astype(np.int64)


def calibrate(
    config: EncoderConfig, tensors: Tensors, samples: np.ndarray, details: Details = PYTORCH
) -> Calibrated:
    """``samples``: (sequences, tokens, width), real; ``details`` of the float model. Raises
    :class:`ValueError` where tensors or samples are not those of such a model."""
    tensors = _checked(config, tensors)
    model = config.model
    samples = np.asarray(samples, np.float64)
    if samples.ndim != 3 or samples.shape[2] != model.width or not samples.size:
        raise ValueError(f"samples must be sequences × tokens × {model.width}, not {samples.shape}")
    if not np.isfinite(samples).all():
        raise ValueError("samples must be finite")
    scales = _Scales(config.activation, samples)
    with np.errstate(over="ignore", invalid="ignore"):  # `watch` says so, in words
        floating.encoder(samples, tensors, config, scales.watch, details)
    for name in TABLE[model.gated]:
        scales.join([f"{n}.{name}" for n in range(model.layers)])
    if model.rotary != "none":
        for name in (f"{n}.{part}" for n in range(model.layers) for part in "qk"):
            scales.join([name, f"{name}_turned"])
    build = _Builder(config, tensors, scales.found, details.function)
    return Calibrated(build.parameters(), scales.found["x"], scales.found[build.result])


class _Scales:
    """Of every quantity by its name, as the float model tells it."""

    def __init__(self, activation: Format, samples: np.ndarray):
        self._most = activation.max
        self.found = {}
        self.watch("x", samples)

    def watch(self, name: str, value: np.ndarray) -> None:
        largest = float(np.abs(value).max())
        # Neither inf nor nan is below the bound.
        if not (largest == 0 or 1 / MOST <= largest <= MOST):
            raise ValueError(
                f"{name} has a magnitude of {largest:.3g} in the float model; scale weights and "
                f"samples to within {1 / MOST:.3g} and {MOST:.3g}"
            )
        # What is always 0 has any scale.
        self.found[name] = largest / self._most or 1.0

    def join(self, names: list[str]) -> None:
        """One scale for what has one table in all layers, or has the same before and behind a
        rotation."""
        most = max(self.found[name] for name in names)
        self.found |= dict.fromkeys(names, most)


class _Builder:
    def __init__(
        self, config: EncoderConfig, tensors: Tensors, scales: Mapping[str, float], function: str
    ):
        self._config, self._tensors, self._scales = config, tensors, scales
        self._function = FUNCTIONS[function]
        self._norms = iter(floating.norms(config))
        self._pre = config.model.order == "pre"
        # What the next product takes.
        self._carried = "norm" if config.sizes.normed else "sum"
        self.result = f"{config.model.layers - 1}.{self._carried}_hidden"

    def parameters(self) -> golden.Parameters:
        config, scales = self._config, self._scales
        carried = first = None
        x = "x"
        if self._pre:
            first, carried = self._lone(), "norm"
        layers = []
        for n in range(config.model.layers):
            layer, x, carried = self._layer(n, x, carried or x)
            layers.append(layer)
        table = entries(
            self._function,
            *(scales[f"0.{name}"] for name in TABLE[config.model.gated]),
            width=config.activation.width,
        )
        return golden.Parameters(np.array(table), tuple(layers), first, self._angles())

    def _angles(self) -> np.ndarray | None:
        model = self._config.model
        if model.rotary == "none":
            return None
        return np.stack(rope_table(model.context, model.head, base=model.rotary_base), axis=-1)

    def _layer(self, n: int, x: str, carried: str) -> tuple[golden.Layer, str, str]:
        of, prefix = f"{n}.", f"layers.{n}."
        parts = {}
        model = self._config.model
        queries, keys = model.heads * model.head, model.kv_heads * model.head
        joint = zip(
            "qkv", *(np.split(self._tensors[f"{prefix}self_attn.in_proj_{kind}"],
                              (queries, queries + keys))
                     for kind in ("weight", "bias")), strict=True,
        )  # fmt: skip
        for name, weight, bias in joint:
            if model.rotary == "halves" and name in "qk":
                weight, bias = (_paired(each, model.head) for each in (weight, bias))
            parts[name] = self._dense(weight, bias, carried, of + name)
        parts["output"] = self._named(
            prefix + "self_attn.out_proj", of + "attention", of + "output"
        )
        parts["norm_attention"] = self._norm(x, of + "output", of, "attention")
        between = f"{of}{self._carried}_attention"
        parts["up"] = self._named(prefix + "linear1", between, of + "up")
        if model.gated:
            parts["gate"] = self._named(prefix + "linear_gate", between, of + "gate")
            parts["gated"] = self._gated(of)
        parts["down"] = self._named(prefix + "linear2", of + "hidden", of + "down")
        x = of + "sum_attention" if self._pre else between
        parts["norm_hidden"] = self._norm(x, of + "down", of, "hidden")
        last = f"{of}{self._carried}_hidden"
        layer = golden.Layer(logit=self._logit(of), scale=self._result(of), **parts)
        return layer, (of + "sum_hidden" if self._pre else last), last

    def _named(self, name: str, source: str, target: str) -> golden.Dense:
        tensors = self._tensors
        return self._dense(tensors[f"{name}.weight"], tensors[f"{name}.bias"], source, target)

    def _dense(self, weight, bias, source: str, target: str) -> golden.Dense:
        """``weight`` (outputs, inputs) with a scale for each output."""
        scales = self._scales
        weights, scale = quantised(weight, self._config.weight_format)
        sums = scale * scales[source]
        multiplier, shift = dyadic(sums / scales[target])
        biases = _rounded(bias / sums)
        if not BIAS.min <= biases.min() <= biases.max() <= BIAS.max:
            worst = int(np.abs(bias / sums).argmax())
            raise ValueError(
                f"the product of {source} to {target}: the bias {bias[worst]:g} of output {worst} "
                f"is beyond {BIAS.width} bits of its weights' and inputs' scale"
            )
        return golden.Dense(
            weights=weights.T,
            bias=biases,
            multiplier=multiplier,
            shift=shift,
        )

    def _logit(self, of: str) -> Scale:
        config = self._config
        worth = self._scales[of + "q"] * self._scales[of + "k"] / math.sqrt(config.model.head)
        multiplier, shift = dyadic(worth * math.log2(math.e) * 2**config.softmax.fraction, bits=16)
        return Scale(int(multiplier), int(shift))

    def _result(self, of: str) -> Scale:
        shape = self._config.attend.shape
        multiplier, shift = dyadic(
            self._scales[of + "v"] / self._scales[of + "attention"],
            bits=shape.multiplier_bits,
            most=shape.max_output_shift,
        )
        return Scale(int(multiplier), int(shift))

    def _gated(self, of: str) -> Scale:
        scales = self._scales
        worth = scales[of + "opened"] * scales[of + "up"] / scales[of + "hidden"]
        multiplier, shift = dyadic(worth, bits=GATE_BITS)
        return Scale(int(multiplier), int(shift))

    def _lone(self) -> golden.SumNorm:
        """Of x alone, exactly."""
        return self._gained((1, 0, 0), "norm")

    def _norm(self, x: str, y: str, of: str, name: str) -> golden.SumNorm:
        scales = self._scales
        worth = [scales[part] / scales[f"{of}sum_{name}"] for part in (x, y)]
        # Both with the shift of the larger.
        shift = dyadic(max(worth), bits=SUM_BITS)[1]
        each = [min(int(_rounded(part * 2.0 ** int(shift))), (1 << SUM_BITS) - 1) for part in worth]
        of_sum = (*each, int(shift))
        if not self._config.sizes.normed:
            none = np.zeros(0, np.int64)
            return golden.SumNorm(*of_sum, gain_shift=0, gain=none, bias=none)
        return self._gained(of_sum, f"{of}norm_{name}")

    def _gained(self, of_sum: tuple[int, int, int], target: str) -> golden.SumNorm:
        name, scale = next(self._norms), self._scales[target]
        gain = self._tensors[f"{name}.weight"] / scale / 2**FRACTION
        bias = self._tensors.get(f"{name}.bias", np.zeros_like(gain)) / scale
        room = [
            math.floor(math.log2(format.max / largest)) if largest else SHIFT_MAX
            for format, largest in ((GAIN, np.abs(gain).max()), (NORM_BIAS, np.abs(bias).max()))
        ]
        shift = min(max(min(room), 0), SHIFT_MAX)
        return golden.SumNorm(
            *of_sum, shift,
            *(np.clip(_rounded(each * 2.0**shift), format.min, format.max)
              for each, format in ((gain, GAIN), (bias, NORM_BIAS))),
        )  # fmt: skip


def _paired(outputs: np.ndarray, head: int) -> np.ndarray:
    """``outputs`` of heads whose pairs are of their halves, with each pair side by side."""
    halves = outputs.reshape(-1, 2, head // 2, *outputs.shape[1:])
    return halves.swapaxes(1, 2).reshape(outputs.shape)


def dyadic(factors, *, bits: int = 31, most: int = SHIFT_MAX) -> tuple[np.ndarray, np.ndarray]:
    """``multiplier`` of ``bits`` and ``shift``, 0 to ``most``, with ``factors`` = multiplier /
    2**shift as nearly as that allows; factors are positive."""
    _, exponent = np.frexp(factors)
    shift = np.clip(bits - exponent, 0, most)
    multiplier = _rounded(factors * 2.0**shift)
    # A fraction just below 1 rounds to 2**bits.
    carried = (multiplier > (1 << bits) - 1) & (shift > 0)
    shift = shift - carried
    multiplier = np.where(carried, _rounded(factors * 2.0**shift), multiplier)
    return np.minimum(multiplier, (1 << bits) - 1), shift


def _checked(config: EncoderConfig, tensors: Tensors) -> dict[str, np.ndarray]:
    found = {}
    for name, shape in floating.shapes(config).items():
        if name not in tensors:
            raise ValueError(f"{name}: is missing")
        tensor = np.asarray(tensors[name])
        if tensor.shape != shape or tensor.dtype.kind != "f":
            raise ValueError(
                f"{name}: must be {' × '.join(map(str, shape))} floats, not {tensor.dtype} of "
                f"{tensor.shape}"
            )
        if not np.isfinite(tensor).all():
            raise ValueError(f"{name}: must be finite")
        found[name] = tensor.astype(np.float64)
    return found


def _rounded(values) -> np.ndarray:
    # Wider than any parameter, and not wrapped around by the cast.
    return np.clip(np.rint(values), -(2.0**62), 2.0**62).astype(np.int64)
