"""Small random networks, as hls4ml's front ends hand them over: layers, and their configuration.

A new kind of layer is one function here: it takes the :class:`Net` so far and appends to it.
``LAYERS`` says which kinds are drawn, and how often.
"""

import dataclasses

import numpy as np

from matweave.hw.fixed import FixedOverflow, FixedRounding

ROUNDING = [each.value for each in FixedRounding]
OVERFLOW = [each.value for each in FixedOverflow]


@dataclasses.dataclass
class Net:
    """``shape``: of the last layer's values; ``integer``: bits before the point that suit them.
    ``bit_exact``: hls4ml infers all formats from the quantisers; otherwise every layer gets random
    ones."""

    rng: np.random.Generator
    shape: tuple[int, ...]
    integer: int
    bit_exact: bool
    layers: list = dataclasses.field(default_factory=list)
    config: dict = dataclasses.field(default_factory=dict)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    def add(self, kind: str, precision: dict, **attributes) -> None:
        name = f"{kind.lower()}{len(self.layers)}"
        self.layers.append({"class_name": kind, "name": name, **attributes})
        if not self.bit_exact:
            self.config[name] = {"Precision": precision}

    def weights(self, *shape: int) -> np.ndarray:
        """Some are zero; in bit-exact networks, where hls4ml keeps all bits, they have few."""
        drawn = self.rng.normal(0, 2, shape)
        drawn[self.rng.random(shape) < 0.2] = 0
        return np.round(drawn * 4) / 4 if self.bit_exact else drawn

    def fixed(self, integer: int, width: tuple[int, int] = (3, 7), *, signed=True) -> str:
        """A format of about so many bits before the point, of every rounding and overflow mode."""
        bits, integer = self.rng.integers(*width), integer + self.rng.integers(-1, 2)
        kind = "fixed" if signed or self.rng.integers(2) else "ufixed"
        modes = self.rng.choice(ROUNDING), self.rng.choice(OVERFLOW)
        return f"{kind}<{bits},{integer},{','.join(modes)}>"

    def result(self, grow: int, **kwargs) -> str:
        """The format of values that are larger than those before by ``grow`` bits."""
        self.integer += grow
        return self.fixed(self.integer, (5, 13), **kwargs)

    def sums(self, **weights: str) -> dict:
        """Formats of a layer that multiplies and adds."""
        formats = {name: self.fixed(3) for name in ("weight", "scale", "bias")} | weights
        holds_all = self.rng.integers(3) == 0
        accum = "fixed<40,20>" if holds_all else self.fixed(self.integer + 4, (8, 17))
        return {**formats, "accum": accum, "result": self.result(3)}


def dense(net: Net) -> None:
    inputs, outputs = net.size, int(net.rng.integers(2, 6))
    flatten(net)
    net.add(
        "Dense", net.sums(), n_in=inputs, n_out=outputs, use_bias=True,
        weight_data=net.weights(inputs, outputs), bias_data=net.weights(outputs),
        weight_quantizer=None, bias_quantizer=None,
    )  # fmt: skip
    net.shape = (outputs,)


def einsum(net: Net) -> None:
    """A vector times a matrix, either way round, with and without bias."""
    inputs, outputs = net.size, int(net.rng.integers(2, 6))
    flatten(net)
    turned = net.rng.integers(2)
    net.add(
        "EinsumDense", net.sums(), equation="c,Cc->C" if turned else "c,cC->C",
        weight_data=net.weights(*((outputs, inputs) if turned else (inputs, outputs))),
        bias_data=net.weights(outputs) if net.rng.integers(2) else None,
        inp_shape=(inputs,), out_shape=(outputs,), n_in=inputs, n_out=outputs,
    )  # fmt: skip
    net.shape = (outputs,)


def scale(net: Net) -> None:
    ternary = {"scale": "int<2>"} if net.rng.integers(4) == 0 else {}  # as hls4ml takes it
    affine(net, "ApplyAlpha", net.sums(**ternary), scale_quantizer=None, bias_quantizer=None,
           scale_precision=None, bias_precision=None)  # fmt: skip


def normalise(net: Net) -> None:
    affine(net, "BatchNormalization", net.sums(), use_gamma=True, use_beta=True)


def affine(net: Net, kind: str, formats: dict, **attributes) -> None:
    """Of a vector one factor per value, of a matrix per column."""
    factors = net.shape[-1]
    net.add(
        kind, formats, n_in=net.size, n_filt=factors if len(net.shape) > 1 else -1,
        scale_data=net.weights(factors), bias_data=net.weights(factors), **attributes,
    )  # fmt: skip


def relu(net: Net) -> None:
    formats = {"result": net.result(0, signed=False)}
    net.add("Activation", formats, activation="relu", n_in=net.size)


def linear(net: Net) -> None:
    net.add("Activation", {"result": net.result(0)}, activation="linear", n_in=net.size)


def quantiser(net: Net) -> None:
    """A format for every value, some of no bits, or one for all."""
    shape = (1, *net.shape) if net.rng.integers(4) else (1,)
    signed = net.rng.integers(0, 2, shape)
    bits = net.rng.integers(4, 10, shape)
    bits[net.rng.random(shape) < 0.1] = 0 if len(shape) > 1 else 4
    integer = np.where(bits > 0, net.integer + net.rng.integers(-1, 2, shape), 0)
    rounding, overflow = ROUNDING, OVERFLOW
    if net.bit_exact:  # what hls4ml infers formats of
        rounding, overflow = ["TRN", "RND", "RND_CONV"], ["WRAP", "SAT", "SAT_SYM"]
    net.add(
        "FixedPointQuantizer", {"result": net.result(0)},
        mask_kbi=tuple(each.astype(np.int16) for each in (signed, bits, integer)),
        RND=str(net.rng.choice(rounding)), SAT=str(net.rng.choice(overflow)), fusible=None,
        overrides={},
    )  # fmt: skip


def flatten(net: Net) -> None:
    if len(net.shape) > 1:
        net.add("Reshape", {"result": net.fixed(6)}, target_shape=[net.size])
        net.shape = (net.size,)


def matrix(net: Net) -> None:
    columns = int(net.rng.choice([each for each in (1, 2, 3) if net.size % each == 0]))
    net.shape = (net.size // columns, columns)
    net.add("Reshape", {"result": net.fixed(6)}, target_shape=list(net.shape))


LAYERS = {dense: 4, einsum: 3, scale: 1, normalise: 1, relu: 3, linear: 1, quantiser: 3, matrix: 2}
"""Kinds, and how often each is drawn."""


def network(seed: int) -> Net:
    """Two to four layers, one of which multiplies."""
    rng = np.random.default_rng(seed)
    net = Net(rng, (int(rng.integers(2, 6)),), int(rng.integers(2, 6)), rng.integers(4) == 0)
    net.add("InputLayer", {"result": net.result(0)}, input_shape=list(net.shape))
    kinds, odds = list(LAYERS), np.array([*LAYERS.values()]) / sum(LAYERS.values())
    drawn = [kinds[index] for index in rng.choice(len(kinds), rng.integers(1, 4), p=odds)]
    drawn.insert(rng.integers(0, len(drawn) + 1), [dense, einsum][rng.integers(2)])
    if net.bit_exact:
        drawn = [quantiser, *(each for kind in drawn for each in (kind, quantiser))]
    for kind in drawn:
        kind(net)
    return net


def samples(net: Net, count: int) -> np.ndarray:
    """Inputs, (count, size), of all magnitudes up to beyond the input's range."""
    rng = np.random.default_rng(count)
    shape = net.layers[0]["input_shape"]
    return rng.normal(0, 1, (count, *shape)) * 2.0 ** rng.integers(-2, 7, (count, 1))


def converted(net: Net, backend: str, folder, name: str = "net"):
    """hls4ml's ModelGraph."""
    from hls4ml.model import ModelGraph

    settings = {
        "OutputDir": str(folder / name), "ProjectName": name, "Backend": backend,
        "IOType": "io_parallel", "ClockPeriod": None if backend == "Matweave" else 5, "Part": "x",
        "WriterConfig": {"Namespace": name, "WriteWeightsTxt": True, "WriteTar": False,
                         "TBOutputStream": "both", "WriteEmulationConstants": False},
        "HLSConfig": {
            "Model": {"Precision": "fixed<16,6>", "ReuseFactor": 1, "Strategy": "Latency",
                      "BitExact": net.bit_exact},
            "LayerName": net.config,
        },
    }  # fmt: skip
    return ModelGraph.from_layer_list(settings, [dict(each) for each in net.layers])
