"""How good scores are: accuracy, confusion, ROC curves and the area under them."""

import numpy as np


def accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Share of samples, (N, classes), whose highest score (the first of equals) is the label's."""
    return float((scores.argmax(axis=1) == labels).mean())


def confusion(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Shares, (classes, classes): row true, column predicted; rows sum to 1."""
    count = np.zeros((scores.shape[1],) * 2)
    np.add.at(count, (labels, scores.argmax(axis=1)), 1)
    return count / np.maximum(count.sum(axis=1, keepdims=True), 1)


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Softmax of logits."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def roc(score: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the false and of the true that lie at or above each threshold, from none to all;
    equal scores are one threshold."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    true = true[order].astype(bool)
    right, wrong = np.cumsum(true)[last], np.cumsum(~true)[last]
    return np.append(0, wrong / max(wrong[-1], 1)), np.append(0, right / max(right[-1], 1))


def auc(score: np.ndarray, true: np.ndarray) -> float:
    """Area under :func:`roc`."""
    return float(np.trapezoid(*roc(score, true)[::-1]))


def summary(scores: np.ndarray, labels: np.ndarray, classes: tuple[str, ...]) -> dict:
    """Accuracy, and of each class against the others the area under its probability's curve."""
    share = probabilities(scores)
    return {
        "accuracy": round(accuracy(scores, labels), 4),
        "auc": {
            name: round(auc(share[:, label], labels == label), 4)
            for label, name in enumerate(classes)
        },
    }
