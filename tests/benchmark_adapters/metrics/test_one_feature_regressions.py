"""The small regressions are scikit-learn's, each on the samples that it learns from."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from benchmark_adapters.metrics.one_feature_regressions import one_feature_regressions

DRAW = np.random.default_rng(0)
POSITIVE = np.arange(40) < 20
TAUGHT = np.arange(40) % 4 != np.arange(4)[:, None]
VALUES = {
    "overlapping": DRAW.normal(0, 1, (3, 40)) + 0.8 * POSITIVE,
    "far apart": DRAW.normal(0, 1, (3, 40)) - 90 * POSITIVE,
    "of long tails": np.exp(DRAW.normal(0, 2, (3, 40))).clip(0, 100),
    "clipped": np.where(DRAW.uniform(size=(3, 40)) < 0.5, 100.0, 1e-6) + 0 * POSITIVE,
    "tiny": 1e-7 * DRAW.exponential(size=(3, 40)),
}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_they_are_scikit_learns(values):
    slopes, intercepts = one_feature_regressions(values, POSITIVE, TAUGHT)
    assert slopes.shape == intercepts.shape == (3, 4)
    for draw, x in enumerate(values):
        for fold, taught in enumerate(TAUGHT):
            fitted = LogisticRegression(tol=1e-10, max_iter=10_000, solver="newton-cholesky")
            fitted.fit(x[taught, None], POSITIVE[taught])
            theirs = fitted.decision_function(x[:, None])
            ours = slopes[draw, fold] * x + intercepts[draw, fold]
            np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=1e-4)


def test_the_gradient_is_zero_whatever_the_scale():
    x = VALUES["of long tails"]
    slopes, intercepts = one_feature_regressions(x, POSITIVE, TAUGHT)
    odds = slopes[..., None] * x[:, None] + intercepts[..., None]
    off = (1 / (1 + np.exp(-odds)) - POSITIVE) * TAUGHT
    np.testing.assert_allclose(off.sum(-1), 0, atol=1e-6)
    np.testing.assert_allclose((off * x[:, None]).sum(-1) + slopes, 0, atol=1e-5)


def test_shifting_the_values_moves_the_intercept_alone():
    x = VALUES["overlapping"]
    slopes, intercepts = one_feature_regressions(x, POSITIVE, TAUGHT)
    moved, after = one_feature_regressions(x + 50, POSITIVE, TAUGHT)
    np.testing.assert_allclose(moved, slopes, rtol=1e-6)
    np.testing.assert_allclose(after, intercepts - 50 * slopes, rtol=1e-6, atol=1e-6)


def test_other_samples_than_those_taught_change_nothing():
    x = VALUES["overlapping"].copy()
    before = one_feature_regressions(x, POSITIVE, TAUGHT)
    x[:, ~TAUGHT[0]] += 7
    after = one_feature_regressions(x, POSITIVE, TAUGHT)
    np.testing.assert_allclose(after[0][:, 0], before[0][:, 0], rtol=1e-6)
    assert not np.allclose(after[0][:, 1], before[0][:, 1], rtol=1e-3)
