"""MIA-efficacy: does an attacker who knows members and others call the forget set unseen?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark_adapters.metrics.probabilities import Array, as_float64


def mia_efficacy(
    forget: Array, retain: Array, unseen: Array, *, limit: int | None = 2_000, seed: int = 0
) -> float:
    """Fraction of the forget set that the attacker calls non-member, in [0, 1].

    forget, retain, unseen: true-class confidences (N,), (M,), (L,) in [0, 1]; the attacker, an
    SVC (RBF kernel, C = 3, gamma 1 for one feature), learns retain (member) against unseen. In
    class-wise unlearning `unseen` holds retained classes only. Jia et al., Model Sparsity Can
    Simplify Machine Unlearning, NeurIPS 2023; Fan et al., SalUn, ICLR 2024.
    Compare with Retrain's; neither 0 nor 1 is the ideal.

    limit: samples a side at most. The source takes all (None), half a minute for 10,000 a side;
    it takes the retain set's first ones, which are sorted in some data sets: here both sides are
    drawn with `seed`. Raises ValueError for empty sides and values outside [0, 1].
    """
    from sklearn.svm import SVC

    sides = [
        _confidences(values, name) for values, name in ((retain, "retain"), (unseen, "unseen"))
    ]
    size = min(len(sides[0]), len(sides[1]))
    size = size if limit is None else min(size, limit)
    draw = np.random.default_rng(seed)
    known = np.concatenate([draw.choice(side, size, replace=False) for side in sides])
    # Nothing of it is random; without a number it would still draw one from the caller's generator.
    attacker = SVC(kernel="rbf", C=3.0, gamma="auto", random_state=0)
    attacker.fit(known[:, None], np.repeat([1, 0], size))
    return float(np.mean(attacker.predict(_confidences(forget, "forget")[:, None]) == 0))


def entropy_membership(forget: Array, retain: Array, unseen: Array) -> float:
    """Fraction of the forget set that an attacker on entropies calls MEMBER, in [0, 1].

    forget, retain, unseen: entropies of the predicted distributions, (N,), (M,), (L,), >= 0. The
    attacker is a logistic regression of balanced class weights that learns retain (member)
    against unseen. Golatkar et al., Eternal Sunshine, CVPR 2020; Chundawat et al., AAAI 2023;
    Foster et al., SSD, AAAI 2024. The opposite side of `mia_efficacy`: compare with Retrain's.
    """
    from sklearn.linear_model import LogisticRegression

    member, other = (as_float64(v, "entropies", 1).numpy() for v in (retain, unseen))
    known = np.concatenate([member, other])[:, None]
    attacker = LogisticRegression(class_weight="balanced")
    attacker.fit(known, np.repeat([1, 0], [len(member), len(other)]))
    return float(attacker.predict(as_float64(forget, "entropies", 1).numpy()[:, None]).mean())


def _confidences(values: Array, name: str) -> NDArray[np.float64]:
    known: NDArray[np.float64] = as_float64(values, f"{name} confidences", 1).numpy()
    if known.min() < 0 or known.max() > 1:
        raise ValueError(
            f"{name} confidences: expected probabilities in [0, 1], "
            f"got {known.min():.3g} to {known.max():.3g}; use true_class_confidence()"
        )
    return known
