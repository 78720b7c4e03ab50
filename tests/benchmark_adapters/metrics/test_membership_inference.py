"""The loss attack: chance for equal losses, certainty for separate ones, and what it is made of."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict, cross_val_score

from benchmark_adapters.metrics import membership_inference
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


@pytest.mark.parametrize("size", [10, 36, 37])
def test_constant_losses_give_exactly_chance(size):
    result = loss_membership_inference(np.full(size, 0.3), np.full(3 * size, 0.3))
    assert (result.accuracy, result.deviation, result.auc) == (0.5, 0, 0.5)


def test_each_draw_is_scikit_learns_cross_validation():
    members, others = drawn(57), drawn(120, 0.7, 1)
    ours = loss_membership_inference(members, others, seed=3, draws=4)
    shuffle = np.random.default_rng(3)
    folds = PredefinedSplit(np.tile(np.arange(57) % 10, 2))
    y, accuracies, areas = np.repeat([1, 0], 57), [], []
    for _ in range(4):
        x = np.concatenate([shuffle.permutation(side)[:57] for side in (members, others)])[:, None]
        guessed = cross_val_predict(LogisticRegression(tol=1e-8), x, y, cv=folds)
        accuracies.append((guessed == y).mean())
        areas.append(cross_val_score(
            LogisticRegression(tol=1e-8), x, y, cv=folds, scoring="roc_auc"
        ).mean())  # fmt: skip
    assert ours.accuracy == pytest.approx(np.mean(accuracies))
    assert ours.deviation == pytest.approx(np.std(accuracies)) and ours.deviation > 0
    assert ours.auc == pytest.approx(np.mean(areas))


def test_the_mean_of_the_draws_varies_less_than_one_draw():
    members, others = drawn(36), drawn(108, seed=1)
    spreads = [
        np.std([
            loss_membership_inference(members, others, seed=seed, draws=draws).accuracy
            for seed in range(20)
        ])
        for draws in (1, 20)
    ]  # fmt: skip
    assert spreads[1] < spreads[0] / 3


def test_equal_distributions_of_few_samples_are_at_chance_without_a_bias():
    found = [
        loss_membership_inference(drawn(36, seed=s), drawn(108, seed=1000 + s)) for s in range(60)
    ]
    assert np.mean([each.accuracy for each in found]) == pytest.approx(0.5, abs=0.012)
    assert np.mean([each.auc for each in found]) == pytest.approx(0.5, abs=0.02)


def test_how_many_draws_are_held_at_once_changes_nothing(monkeypatch):
    members, others = drawn(36), drawn(108, seed=1)
    together = loss_membership_inference(members, others)
    monkeypatch.setattr(membership_inference, "_AT_ONCE", 3 * 2 * 36 * 10)
    assert loss_membership_inference(members, others) == together


def test_swapping_the_sides_changes_nothing():
    one = loss_membership_inference(drawn(300), drawn(300, 1.0, 1))
    other = loss_membership_inference(drawn(300, 1.0, 1), drawn(300))
    assert one.accuracy == pytest.approx(other.accuracy, abs=0.01)


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
