"""One-constant recovery: how much of the forgotten classes does one added number bring back?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark_adapters.metrics.probabilities import Array, as_float64, as_labels
from benchmark_adapters.metrics.roc import roc_auc


@dataclass(frozen=True)
class OneConstant:
    """What the forgotten logits still know; Retrain's values are the ideal.

    forget_accuracy: on images of the forgotten classes, with the constant added, each to be given
    its own class. auc: how often the largest forgotten logit stands out further above the other
    logits in such an image than in another one; no constant changes it. constant: that number.
    """

    forget_accuracy: float
    auc: float
    constant: float


def one_constant_recovery(
    logits: Array, labels: Array, forget_classes: Sequence[int]
) -> OneConstant:
    """Add one constant to all forgotten logits, so that these classes are predicted again.

    logits: (M, K) of a test set, labels: (M,), int, images of forgotten and of other classes. With
    the constant, the forgotten classes together are predicted as often as they occur, which whoever
    knows their share can do. It is exact: halfway between two margins (largest forgotten logit
    minus largest other one). Where several images share the margin at which to cut, no constant
    gives that number; as many of them as are missing count as predicted, on average over which: a
    logit of 1e30 less, of which rounding left nothing, gives the classes' share, and an AUC of 0.5.
    No paper's: Spotter (arXiv 2506.01318) brings a class back with five images, this with none.
    Raises ValueError without images, or logits, of either side.
    """
    scores = as_float64(logits, "logits", 2).numpy()
    own = as_labels(labels, "labels", len(scores)).numpy()
    classes = sorted(set(forget_classes))
    forgotten = np.isin(own, classes)
    _check(scores.shape[1], classes, forgotten)
    inside = np.isin(np.arange(scores.shape[1]), classes)
    margins = scores[:, inside].max(1) - scores[:, ~inside].max(1)
    constant, predicted = _cut(margins, int(forgotten.sum()))
    right = np.asarray(classes)[scores[:, inside].argmax(1)] == own
    return OneConstant(
        float((predicted * right)[forgotten].mean()),
        float(roc_auc(margins[forgotten], margins[~forgotten])),
        constant,
    )


def _cut(margins: NDArray[np.float64], count: int) -> tuple[float, NDArray[np.float64]]:
    """The constant that lifts `count` margins above 0; how far each is, 1, 0 or a tie's share."""
    lowest, next_one = np.sort(margins)[::-1][count - 1 : count + 1]
    above, tied = margins > lowest, margins == lowest
    share = (count - above.sum()) / tied.sum()
    return -float(lowest + next_one) / 2, above + share * tied


def _check(outputs: int, classes: Sequence[int], forgotten: NDArray[np.bool_]) -> None:
    known = bool(classes) and classes[0] >= 0 and classes[-1] < outputs and len(classes) < outputs
    if not known or forgotten.all() or not forgotten.any():
        raise ValueError(
            f"one-constant recovery: expected images of the forgotten classes {list(classes)} and "
            f"of others, and some but not all of {outputs} logits, got {int(forgotten.sum())} and "
            f"{int((~forgotten).sum())} images"
        )
