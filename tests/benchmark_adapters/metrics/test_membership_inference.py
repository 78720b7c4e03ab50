"""The loss attack: chance for equal losses, certainty for separate ones, and what it is made of."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score

from benchmark_adapters.metrics.membership_inference import loss_membership_inference


def drawn(count, centre=0.0, seed=0):
    return np.random.default_rng(seed).normal(centre, 1.0, count)


def test_equal_distributions_give_chance():
    results = [
        loss_membership_inference(drawn(500, seed=s), drawn(500, seed=100 + s)).accuracy
        for s in range(8)
    ]
    assert np.mean(results) == pytest.approx(0.5, abs=0.02)


def test_separate_distributions_are_told_apart_completely():
    result = loss_membership_inference(drawn(200), drawn(200, centre=50))
    assert result.accuracy == 1.0 and result.auc == 1.0 and result.deviation == 0.0


def test_it_is_scikit_learns_cross_validation():
    members, others = drawn(120), drawn(120, 0.7, 1)
    ours = loss_membership_inference(members, others, seed=3)
    shuffle = np.random.default_rng(3)
    members, others = shuffle.choice(members, 120, False), shuffle.choice(others, 120, False)
    x, y = np.concatenate([members, others])[:, None], np.repeat([1, 0], 120)
    folds = StratifiedKFold(10, shuffle=True, random_state=3)
    scores = cross_val_score(LogisticRegression(), x, y, cv=folds)
    assert ours.accuracy == pytest.approx(scores.mean())
    assert ours.deviation == pytest.approx(scores.std())


def test_swapping_the_sides_changes_nothing():
    one = loss_membership_inference(drawn(300), drawn(300, 1.0, 1))
    other = loss_membership_inference(drawn(300, 1.0, 1), drawn(300))
    assert one.accuracy == pytest.approx(other.accuracy, abs=0.03)


def test_the_larger_side_is_sampled_down():
    result = loss_membership_inference(drawn(40), drawn(4000, seed=1))
    assert result.accuracy < 0.8  # unbalanced, always saying "other" would score 0.99


def test_huge_losses_are_clipped_and_inputs_stay():
    members = np.array([1e30] * 20 + [0.1] * 20)
    before = members.copy()
    result = loss_membership_inference(members, drawn(40))
    assert 0 <= result.accuracy <= 1
    assert np.array_equal(members, before)


def test_too_few_losses_are_refused():
    with pytest.raises(ValueError, match="10 losses on each side, got 4"):
        loss_membership_inference(drawn(4), drawn(100))
