"""Handwritten digits with weights of 1 to 4 bits through the RTL of one lookup engine.

The network (64 pixels, 64 hidden units, 10 digits; scikit-learn's 1,797 images, 40 % of them held
out) is trained with quantised weights, gradients passing straight through: 1 bit is -1 or 1, 2 to 4
bits are codes less a zero point per unit. Pixels and hidden activations are int8, sums exact, and
scales, one per unit, the host's. One engine, bit-serial, takes every width by a register. Every
product must be the golden model's and every job take the cycles that the model predicts.
"""

import sys
from dataclasses import dataclass

import common
import numpy as np

ENGINE = {
    "kind": "lut", "name": "lut_digits", "a": "int8", "b": "uint4", "zero_points": "channel",
    "limits": {"m": 256, "n": 64, "k": 64},
    "array": {"rows": 4, "columns": 16, "k": 4, "planes": "serial"},
    "output": {"mode": "raw"},
}  # fmt: skip
BITS = (1, 2, 3, 4)
HIDDEN = 64
SEED = 1
LEAST = {1: 0.90, 2: 0.93, 3: 0.95, 4: 0.95}
"""Accuracy on the held-out images, by bits; in float it is 97 %."""


@dataclass(frozen=True)
class Quantised:
    """Rows of weights: integers, a scale and a zero point (or ``None``) per row."""

    codes: np.ndarray
    scales: np.ndarray
    zeros: np.ndarray | None

    @property
    def numbers(self) -> np.ndarray:
        zeros = 0 if self.zeros is None else self.zeros[:, None]
        return (self.codes - zeros) * self.scales[:, None]


def quantise(weights: np.ndarray, bits: int | None) -> Quantised:
    """Rows of ``weights``: 1 bit by sign and mean, more between their ends."""
    if bits == 1:
        return Quantised(np.where(weights < 0, -1, 1), np.abs(weights).mean(axis=1), None)
    top = (1 << bits) - 1
    low, high = np.minimum(weights.min(axis=1), 0), np.maximum(weights.max(axis=1), 0)
    scales = np.maximum(high - low, 1e-9) / top
    zeros = np.rint(-low / scales).astype(np.int64)
    codes = np.rint(weights / scales[:, None]).astype(np.int64) + zeros[:, None]
    return Quantised(np.clip(codes, 0, top), scales, zeros)


class Network:
    """Two layers in float, trained as they are quantised; ``bits``: ``None`` for float."""

    def __init__(self, bits: int | None, rng):
        self.bits = bits
        self.weights = [rng.normal(0, 0.2, (HIDDEN, 64)), rng.normal(0, 0.2, (10, HIDDEN))]
        self.biases = [np.zeros(HIDDEN), np.zeros(10)]

    def used(self) -> list[np.ndarray]:
        if self.bits is None:
            return self.weights
        return [quantise(each, self.bits).numbers for each in self.weights]

    def train(self, images, labels, epochs: int = 600, rate: float = 0.005) -> None:
        """Adam on all images at once."""
        parameters = [*self.weights, *self.biases]
        first, second = ([np.zeros_like(each) for each in parameters] for _ in range(2))
        wanted = np.eye(10)[labels]
        for epoch in range(1, epochs + 1):
            used = self.used()
            inner = images @ used[0].T + self.biases[0]
            hidden = np.maximum(inner, 0)
            logits = hidden @ used[1].T + self.biases[1]
            chances = np.exp(logits - logits.max(axis=1, keepdims=True))
            error = (chances / chances.sum(axis=1, keepdims=True) - wanted) / len(images)
            back = (error @ used[1]) * (inner > 0)
            slopes = [back.T @ images, error.T @ hidden, back.sum(axis=0), error.sum(axis=0)]
            for n, (each, slope) in enumerate(zip(parameters, slopes, strict=True)):
                first[n] += 0.1 * (slope - first[n])
                second[n] += 0.001 * (slope**2 - second[n])
                step = first[n] / (1 - 0.9**epoch)
                size = np.sqrt(second[n] / (1 - 0.999**epoch)) + 1e-8
                each -= rate * np.cos(np.pi / 2 * epoch / epochs) * step / size

    def accuracy(self, images, labels) -> float:
        used = self.used()
        hidden = np.maximum(images @ used[0].T + self.biases[0], 0)
        return float(((hidden @ used[1].T + self.biases[1]).argmax(axis=1) == labels).mean())


def through(engine, network: Network, pixels, step: float) -> tuple[np.ndarray, int, int, int]:
    """Which digits the engine's products make of the images; its cycles; how many products are not
    the golden model's, and how many jobs' cycles not the predicted ones."""
    from matweave.hw.weights import Coding, WeightFormat
    from matweave.sim.golden.gemm import for_config
    from matweave.sim.packed import PackedLayer
    from matweave.sim.perf import predict

    golden = for_config(engine.config)
    coding = Coding.BINARY if network.bits == 1 else Coding.ASYMMETRIC
    format = WeightFormat(network.bits, coding)
    cycles = wrong = unpredicted = 0

    def multiply(job):
        nonlocal cycles, wrong, unpredicted
        result = engine.job(job)
        cycles += result.cycles
        wrong += int((result.c != golden(**job.arguments())).sum())
        unpredicted += result.cycles != predict(engine.config, *job.shape, job.b_format)
        return result.c

    activations, scale = pixels, 1 / 16
    for weights, bias in zip(network.weights, network.biases, strict=True):
        made = quantise(weights, network.bits)
        zeros = None if made.zeros is None else made.zeros[:, None]
        k = weights.shape[1]
        layer = PackedLayer(format, made.codes, k, made.scales[:, None], zeros)
        sums = layer.multiply(engine.config, activations, multiply).rounded() * scale + bias
        activations = np.rint(np.clip(sums / step, 0, 127)).astype(np.int64)
        scale = step
    return sums.argmax(axis=1), cycles, wrong, unpredicted


def measure(engine, bits: int, data) -> dict:
    images, labels = data.train_images / 16, data.train_labels
    network = Network(bits, np.random.default_rng(SEED))
    network.train(images, labels)
    hidden = images @ network.used()[0].T + network.biases[0]
    found, cycles, wrong, unpredicted = through(engine, network, data.images, hidden.max() / 127)
    peak = engine.config.geometry.macs / bits
    macs = len(found) * sum(each.size for each in network.weights)
    return common.row(
        {"bits": bits, "weights": "binary" if bits == 1 else f"uint{bits}"},
        accuracy=round(float((found == data.labels).mean()), 4),
        in_float=round(network.accuracy(data.images / 16, data.labels), 4),
        images=len(found),
        cycles=cycles,
        macs_per_cycle=peak,
        utilisation=macs / (peak * cycles),
        wrong=wrong,
        unpredicted=unpredicted,
    )


def main() -> int:
    arguments = common.parser(__doc__).parse_args()
    from matweave.fpga.demos.digits.network import digits
    from matweave.hw import config
    from matweave.sim.native import Engine

    data = digits()
    plain = Network(None, np.random.default_rng(SEED))
    plain.train(data.train_images / 16, data.train_labels)
    print(f"lut_digits: in float {plain.accuracy(data.images / 16, data.labels):.4f}",
          file=sys.stderr)  # fmt: skip
    with Engine(config.from_tables(ENGINE)) as engine:
        rows = [measure(engine, bits, data) for bits in BITS]
    bars = [common.Bar(f"accuracy, {row['config']['bits']} bits", row["accuracy"], ">=",
                       LEAST[row["config"]["bits"]]) for row in rows]  # fmt: skip
    bars.append(common.Bar("products that differ", sum(row["wrong"] for row in rows), "<=", 0))
    late = sum(row["unpredicted"] for row in rows)
    bars.append(common.Bar("jobs whose cycles differ from the model's", late, "<=", 0))
    return common.report("lut_digits", rows, bars, as_json=arguments.json)


if __name__ == "__main__":
    common.run(main)
