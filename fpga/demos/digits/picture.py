"""The result as one picture: images with what was read, every mistake, the confusion matrix."""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

RIGHT, WRONG, INK, FAINT = "#1b7f5c", "#c8371f", "#1c2733", "#6b7785"
COLUMNS = 14
"""Images per row."""
ROWS = 4
"""Rows of images as they come; below them as many rows as the mistakes need."""
MOST_MISTAKES = 3 * COLUMNS


def png(
    images: np.ndarray, labels: np.ndarray, predictions: np.ndarray, title: str, subtitle: str
) -> bytes:
    """The picture of ``images`` (one row of 64 pixels each) and how they were read."""
    wrong = np.flatnonzero(predictions != labels)
    shown_wrong = wrong[:MOST_MISTAKES]
    mistake_rows = -(-len(shown_wrong) // COLUMNS)
    figure = Figure(figsize=(13, 6.2), facecolor="white", layout="none")
    FigureCanvasAgg(figure)
    figure.text(0.03, 0.945, title, size=17, weight="bold", color=INK, va="center")
    figure.text(0.03, 0.893, subtitle, size=11, color=FAINT, va="center")
    _confusion(figure.add_axes((0.045, 0.095, 0.345, 0.70)), labels, predictions)

    left, width, height = 0.435, 0.55, 0.785 / (ROWS + mistake_rows + 0.55)
    step, top = width / COLUMNS, 0.795
    _heading(figure, left, top, f"the first {ROWS * COLUMNS}, and what the engine read")
    for place, index in enumerate(range(min(len(images), ROWS * COLUMNS))):
        row, column = divmod(place, COLUMNS)
        box = (left + column * step, top - (row + 1) * height, step, height)
        _digit(figure, box, images[index], labels[index], predictions[index])
    if mistake_rows:
        top -= (ROWS + 0.55) * height
        some = "" if len(shown_wrong) == len(wrong) else f", {len(shown_wrong)} shown"
        _heading(figure, left, top, f"all {len(wrong)} misread{some}: true digit → read as")
    for place, index in enumerate(shown_wrong):
        row, column = divmod(place, COLUMNS)
        box = (left + column * step, top - (row + 1) * height, step, height)
        _digit(figure, box, images[index], labels[index], predictions[index])
    buffer = io.BytesIO()
    # Without the version of matplotlib, so that the same result is the same file.
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()


def _heading(figure, x: float, y: float, text: str) -> None:
    figure.text(x + 0.004, y + 0.012, text, size=11, color=INK, va="bottom")


def _digit(figure, box, image, label: int, prediction: int) -> None:
    x, y, width, height = box
    axes = figure.add_axes((x + 0.10 * width, y + 0.26 * height, 0.80 * width, 0.70 * height))
    axes.imshow(image.reshape(8, 8), cmap="Greys", vmin=0, vmax=16, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    wrong = label != prediction
    for spine in axes.spines.values():
        spine.set(color=WRONG if wrong else "#cdd5dc", linewidth=1.3 if wrong else 0.8)
    figure.text(
        x + width / 2,
        y + 0.14 * height,
        f"{label} → {prediction}" if wrong else str(prediction),
        size=9.5,
        weight="bold",
        color=WRONG if wrong else RIGHT,
        ha="center",
        va="center",
    )


def _confusion(axes, labels: np.ndarray, predictions: np.ndarray) -> None:
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels, predictions), 1)
    colours = np.ones((10, 10, 3))
    for row, column in zip(*np.nonzero(counts), strict=True):
        base = np.array([0.106, 0.498, 0.361] if row == column else [0.784, 0.216, 0.122])
        strength = counts[row, column] / counts.max() if row == column else 0.45
        colours[row, column] = 1 - (1 - base) * (0.15 + 0.75 * strength)
    axes.imshow(colours, aspect="auto")
    for row, column in zip(*np.nonzero(counts), strict=True):
        dark = row == column and counts[row, column] > 0.5 * counts.max()
        axes.text(
            column,
            row,
            str(counts[row, column]),
            ha="center",
            va="center",
            size=10,
            color="white" if dark else INK,
        )
    axes.set_xticks(range(10), range(10))
    axes.set_yticks(range(10), range(10))
    axes.set_xticks(np.arange(-0.5, 10), minor=True)
    axes.set_yticks(np.arange(-0.5, 10), minor=True)
    axes.grid(which="minor", color="#e3e8ec", linewidth=0.8)
    axes.tick_params(which="both", length=0, labelsize=10, labelcolor=INK)
    axes.set_xlabel("read as", size=11, color=INK)
    axes.set_ylabel("true digit", size=11, color=INK)
    for spine in axes.spines.values():
        spine.set_color("#cdd5dc")
