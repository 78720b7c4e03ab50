"""The paper's membership inference: can losses tell the forget set from unseen data?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark_adapters.metrics.one_feature_regressions import one_feature_regressions
from benchmark_adapters.metrics.roc import roc_auc

LOSS_LIMIT = 100.0
FOLDS = 10
DRAWS = 20
# Log odds that are this near to zero are a guess of one half.
UNDECIDED = 1e-6
# Samples times regressions that are held in memory at once.
_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class MembershipInference:
    """accuracy, auc: means over the draws, 0.5 is ideal. deviation: of the draws' accuracies."""

    accuracy: float
    deviation: float
    auc: float


def loss_membership_inference(
    member_losses: NDArray[np.floating],
    other_losses: NDArray[np.floating],
    *,
    seed: int = 0,
    folds: int = FOLDS,
    draws: int = DRAWS,
) -> MembershipInference:
    """Logistic regression on the loss, balanced, stratified ten-fold (paper, section 4, table 4).

    member_losses: (N,) cross-entropy on the forget set. other_losses: (M,) on unseen data of the
    same classes. Losses are clipped to +-100 (Kurmanji et al.). Accuracy and AUC are those of the
    guesses about left-out samples, averaged over `draws`: each samples the larger side down and
    cuts the folds anew, since of some dozens of samples a single one is off by hundredths. A fold
    holds as many of one side as of the other, and a guess of one half counts half, so that
    constant losses give 0.5. Raises ValueError if a side has fewer samples than there are folds.
    """
    size = min(len(member_losses), len(other_losses))
    if size < folds:
        raise ValueError(f"{folds} folds need {folds} losses on each side, got {size}")
    sides = [np.asarray(side, np.float64) for side in (member_losses, other_losses)]
    sides = [np.clip(side, -LOSS_LIMIT, LOSS_LIMIT) for side in sides]
    draw = np.random.default_rng(seed)
    at_once = max(1, _AT_ONCE // (2 * size * folds))
    parts = (range(draws)[first : first + at_once] for first in range(0, draws, at_once))
    odds = np.concatenate(
        [
            _odds_of_membership(np.stack([_drawn(sides, size, draw) for _ in part]), folds)
            for part in parts
        ]
    )
    members, others = odds[:, :size], odds[:, size:]
    right = (np.heaviside(members, 0.5).mean(-1) + np.heaviside(-others, 0.5).mean(-1)) / 2
    # Fold by fold: odds of different regressions pooled put equal distributions below 0.5.
    areas = [roc_auc(members[:, fold::folds], others[:, fold::folds]) for fold in range(folds)]
    return MembershipInference(float(right.mean()), float(right.std()), float(np.mean(areas)))


def _drawn(
    sides: list[NDArray[np.float64]], size: int, draw: np.random.Generator
) -> NDArray[np.float64]:
    """As many of each side, members first, both in a random order: (2 * size,)."""
    return np.concatenate([draw.permutation(side)[:size] for side in sides])


def _odds_of_membership(losses: NDArray[np.float64], folds: int) -> NDArray[np.float64]:
    """Log odds of each sample (D, 2 * size), from the regression of the folds that it is not in."""
    size = losses.shape[1] // 2
    fold_of = np.tile(np.arange(size) % folds, 2)
    slope, intercept = one_feature_regressions(
        losses, np.arange(2 * size) < size, fold_of != np.arange(folds)[:, None]
    )
    odds = losses * slope[:, fold_of] + intercept[:, fold_of]
    return np.where(np.abs(odds) < UNDECIDED, 0.0, odds)
