"""Many small logistic regressions on one feature at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
MAX_STEPS = 200
TOLERANCE = 1e-8


def one_feature_regressions(
    values: _Floats, positive: NDArray[np.bool_], taught: NDArray[np.bool_]
) -> tuple[_Floats, _Floats]:
    """Slopes and intercepts, (D, F) each: the log odds of being positive are linear in a value.

    values: (D, N), a feature of N samples in D draws. positive: (N,), which samples are. taught:
    (F, N), which of them each of F regressions learns from. The minima of slope ** 2 / 2 and the
    summed cross-entropy (C = 1, the intercept free), to `TOLERANCE` in the log odds: Newton's
    method for all D * F together, a step that leads upwards being halved.
    """
    # The intercept is free, so that shifting changes no answer; steps become well scaled.
    centre = values.mean(-1, keepdims=True)
    x, y = (values - centre)[:, None, :], positive.astype(np.float64)
    best, step = np.zeros((2, 2, len(values), len(taught)))
    lowest = np.full(best.shape[1:], np.inf)
    reach = np.stack([np.abs(x).max(-1), np.ones_like(centre)])
    for _ in range(MAX_STEPS):
        tried = best + step
        objective, newton = _at(tried, x, y, taught)
        # Beyond rounding: at the minimum the objective is as often a little higher as lower.
        worse = objective > lowest * (1 + 1e-12)
        best, lowest = np.where(worse, best, tried), np.where(worse, lowest, objective)
        step = np.where(worse, step / 2, newton)
        if np.all(np.abs(step) * reach < TOLERANCE):
            break
    return best[0], best[1] - best[0] * centre


def _at(
    line: _Floats, x: _Floats, y: _Floats, taught: NDArray[np.bool_]
) -> tuple[_Floats, _Floats]:
    """The objective at a slope and an intercept (2, D, F), and Newton's step from there."""
    odds = x * line[0][..., None] + line[1][..., None]
    small = np.exp(-np.abs(odds))
    # softplus(odds) - y * odds, of which no term overflows.
    losses = np.maximum(odds, 0) + np.log1p(small) - y * odds
    guessed = np.where(odds < 0, small, 1) / (1 + small)
    off, spread = (guessed - y) * taught, guessed * (1 - guessed) * taught
    down = -np.stack([(off * x).sum(-1) + line[0], off.sum(-1)])
    slopes, both = (spread * x * x).sum(-1) + 1, (spread * x).sum(-1)
    # So little that no answer shows it, where every sample is certain and the curve is flat.
    shifts = spread.sum(-1) + 1e-12
    step = np.stack([shifts * down[0] - both * down[1], slopes * down[1] - both * down[0]])
    return (losses * taught).sum(-1) + line[0] ** 2 / 2, step / (slopes * shifts - both**2)
