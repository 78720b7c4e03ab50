"""The paper's membership inference: can losses tell the forget set from unseen data?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOSS_LIMIT = 100.0
FOLDS = 10


@dataclass(frozen=True)
class MembershipInference:
    """accuracy: mean over the folds, 0.5 is ideal. deviation: between folds. auc: pooled."""

    accuracy: float
    deviation: float
    auc: float


def loss_membership_inference(
    member_losses: NDArray[np.floating],
    other_losses: NDArray[np.floating],
    *,
    seed: int = 0,
    folds: int = FOLDS,
) -> MembershipInference:
    """Logistic regression on the loss, balanced, stratified ten-fold (paper, section 4, table 4).

    member_losses: (N,) cross-entropy on the forget set. other_losses: (M,) on unseen data of the
    same classes. The larger side is sampled down; losses are clipped to +-100 (Kurmanji et al.).
    Raises ValueError if a side has fewer samples than there are folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    size = min(len(member_losses), len(other_losses))
    if size < folds:
        raise ValueError(f"{folds} folds need {folds} losses on each side, got {size}")
    losses, members = _balanced(member_losses, other_losses, size, seed)
    splits = StratifiedKFold(folds, shuffle=True, random_state=seed)
    guessed = cross_val_predict(
        LogisticRegression(), losses, members, cv=splits, method="predict_proba"
    )[:, 1]
    right = [
        float(np.mean((guessed[test] > 0.5) == members[test]))
        for _, test in splits.split(losses, members)
    ]
    auc = float(roc_auc_score(members, guessed))
    return MembershipInference(float(np.mean(right)), float(np.std(right)), auc)


def _balanced(
    member_losses: NDArray[np.floating], other_losses: NDArray[np.floating], size: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    draw = np.random.default_rng(seed)
    sides = [
        np.clip(draw.choice(np.asarray(side, dtype=np.float64), size, replace=False), *_LIMITS)
        for side in (member_losses, other_losses)
    ]
    return np.concatenate(sides)[:, None], np.repeat([1, 0], size)


_LIMITS = (-LOSS_LIMIT, LOSS_LIMIT)
