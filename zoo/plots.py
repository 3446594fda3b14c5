"""ROC curves and confusion matrices as a PNG. Needs matplotlib (``matweave[demo]``)."""

import io
from collections.abc import Mapping

import numpy as np

from . import metrics

COLOURS = 48
"""Of a picture."""


def png(title: str, scores: Mapping[str, np.ndarray], labels: np.ndarray, classes) -> bytes:
    """One row: ROC curves of every class for each set of scores, the first of them (float) dashed;
    then the confusion matrix of each."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * (1 + len(scores)), 4.6), layout="constrained")
    figure.suptitle(title)
    curves, *matrices = figure.subplots(1, 1 + len(scores))
    _curves(curves, scores, labels, classes)
    for axes, (name, each) in zip(matrices, scores.items(), strict=True):
        _confusion(axes, name, each, labels, classes)
    return _small(figure)


def _small(figure) -> bytes:
    """A PNG of few colours: a third of the size of one with all."""
    from PIL import Image

    drawn, file = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=90)
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(file, "png", optimize=True)
    return file.getvalue()


def _curves(axes, scores, labels, classes) -> None:
    for place, (name, each) in enumerate(scores.items()):
        share = metrics.probabilities(each)
        for label, kind in enumerate(classes):
            wrong, right = metrics.roc(share[:, label], labels == label)
            area = metrics.auc(share[:, label], labels == label)
            axes.plot(right, np.maximum(wrong, 1e-4), color=f"C{label}", lw=1.2,
                      ls="-" if place else "--", label=f"{kind}, {name}: {area:.3f}")  # fmt: skip
    axes.set(xlabel="signal efficiency", ylabel="background efficiency", yscale="log",
             xlim=(0, 1), ylim=(1e-3, 1))  # fmt: skip
    axes.legend(fontsize=7, title="area under the curve", title_fontsize=7)
    axes.grid(alpha=0.3)


def _confusion(axes, name, scores, labels, classes) -> None:
    shares = metrics.confusion(scores, labels)
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    for (row, column), share in np.ndenumerate(shares):
        axes.text(column, row, f"{share:.2f}", ha="center", va="center",
                  color="white" if share > 0.5 else "black")  # fmt: skip
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes)
    axes.set_yticks(ticks, classes)
    accuracy = metrics.accuracy(scores, labels)
    axes.set(xlabel="predicted", ylabel="true", title=f"{name}: accuracy {accuracy:.1%}")
