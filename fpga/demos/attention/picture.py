"""Attention maps: which rows of an image each of its rows looks at, head by head.

The engine gives no weights of attention: these are computed from the queries and keys of the golden
model, whose results the engine's were, element by element.
"""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from matweave.sim.golden import transformer as golden
from matweave.sim.transformer import store

from .training import tokens

IMAGES = 4
INK, FAINT = "#1c2733", "#6b7785"


def png(stored, settings, read: list[int]) -> bytes:
    """Of the first images of the sample, each with what it was ``read`` as."""
    model = store.from_arrays(stored)
    shown = min(IMAGES, len(read))
    integers = model.quantised(tokens(stored, stored["images"][:shown]), settings.activation)
    layers, heads = settings.model.layers, settings.model.heads
    figure = Figure(figsize=(1.6 * (1 + layers * heads), 1.35 * shown + 0.8), facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(shown, 1 + layers * heads, squeeze=False)
    for row, x in enumerate(integers):
        image = axes[row, 0]
        image.imshow(stored["images"][row].reshape(8, 8), cmap="Greys", vmin=0, vmax=16)
        image.set_ylabel(f"read as {read[row]}", size=10, color=INK)
        maps = weights(x, model.parameters, golden.for_config(settings))
        for column, each in enumerate(maps, start=1):
            axes[row, column].imshow(each, cmap="viridis", vmin=0)
            if row == 0:
                layer, head = divmod(column - 1, heads)
                axes[row, column].set_title(f"layer {layer}, head {head}", size=9, color=FAINT)
    for each in axes.flat:
        each.set(xticks=[], yticks=[])
    figure.suptitle(
        "Attention of each row of an image (down) to its rows (across)", size=12, color=INK
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def weights(x: np.ndarray, parameters, numbers) -> list[np.ndarray]:
    """Softmax of the engine's logits, (queries, keys), of each layer's heads in turn."""
    seen = {}
    golden.encoder(x, parameters, numbers, seen.__setitem__)
    found = []
    for n, layer in enumerate(parameters.layers):
        q, k = (golden.by_heads(seen[f"{n}.{name}"], numbers.heads) for name in "qk")
        for queries, keys in zip(q, k, strict=True):
            logits = golden.streaming.logits(queries, keys, layer.logit)
            powers = np.exp2((logits - logits.max(axis=1, keepdims=True)) /
                             2.0**numbers.softmax.fraction)  # fmt: skip
            found.append(powers / powers.sum(axis=1, keepdims=True))
    return found
