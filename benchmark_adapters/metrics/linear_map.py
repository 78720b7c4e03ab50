"""Linear map: are a model's features the original's, but for a linear layer?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark_adapters.metrics.centred import paired_features, standardisation
from benchmark_adapters.metrics.probabilities import Array

Rows = NDArray[np.float64]
PENALTY = 0.1
FOLDS = 5


def explained_variance(
    original: Array, own: Array, *, folds: int = FOLDS, penalty: float = PENALTY, seed: int = 0
) -> float:
    """Share of the variance of a model's features that the original's explain linearly, in [0, 1].

    original: (N, D1), own: (N, D2), of the same images, best of those of the forgotten classes
    that neither was trained on: what tells them apart from other classes any two networks share,
    what tells them from each other is a network's own. A ridge regression on standardised
    features is fitted on all folds but one and predicts that one; `penalty` is in mean
    eigenvalues of the features' covariance. Every feature of `own` that is not constant counts
    alike, so that one scaled up can't hide the others; where all are constant it is 0.
    Near the original's own value: the same network with another head, a projection, rescaled or
    pruned channels, other BatchNorm statistics or a little noise. One trained from scratch is far
    below; how far, only Retrains can say. What was trained on from the original stays nearer to it
    than they are, too: this tells whose features they are. The test is this project's own. The
    regression: Hoerl and Kennard, Ridge Regression, Technometrics 1970. Raises ValueError for
    unequal numbers of rows or fewer than folds.
    """
    given, wanted = paired_features(original, own)
    if not 2 <= folds <= len(given):
        raise ValueError(
            f"explained variance: expected 2 to {len(given)} folds, one image each at least, "
            f"got {folds}"
        )
    mean, factors = standardisation(wanted)
    wanted = ((wanted - mean) * factors)[:, factors > 0]
    if wanted.shape[1] == 0:
        return 0.0
    order = np.random.default_rng(seed).permutation(len(given))
    missed = sum(
        _squared_error(given, wanted, held_out, penalty)
        for held_out in np.array_split(order, folds)
    )
    return float(max(0.0, 1 - missed / wanted.size))


def _squared_error(given: Rows, wanted: Rows, held_out: NDArray[np.intp], penalty: float) -> float:
    fitted_on = np.ones(len(given), dtype=bool)
    fitted_on[held_out] = False
    mean, factors = standardisation(given[fitted_on])
    given, middle = (given - mean) * factors, wanted[fitted_on].mean(0)
    weights = _ridge(given[fitted_on], wanted[fitted_on] - middle, penalty)
    error = given[held_out] @ weights + middle - wanted[held_out]
    return float(np.square(error).sum())


def _ridge(given: Rows, wanted: Rows, penalty: float) -> Rows:
    """The weights (D1, D2), from whichever of the two Gram matrices is the smaller one."""
    rows, columns = given.shape
    # A standardised feature's sum of squares is the number of rows, a constant one's is 0.
    strength = penalty * rows
    if rows < columns:
        inner = given @ given.T + strength * np.eye(rows)
        return np.asarray(given.T @ np.linalg.solve(inner, wanted))
    inner = given.T @ given + strength * np.eye(columns)
    return np.linalg.solve(inner, given.T @ wanted)
