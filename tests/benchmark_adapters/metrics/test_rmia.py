"""RMIA: chance for a Retrain, certainty for what was memorised, and pair by pair as published."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmark_adapters.metrics.rmia import memorisation, rmia

FORGET, UNSEEN, MODELS = 90, 150, 5


def confidences(draw, easy, boost=0.0):
    """Of one model: near each sample's own easiness, higher by `boost` log odds."""
    return 1 / (1 + np.exp(-(easy + boost + draw.normal(0, 0.5, easy.shape))))


def problem(seed=0, boost=0.0, unseen=UNSEEN):
    """Confidences of the audited model, of five Retrains, and of originals, two log odds higher."""
    draw = np.random.default_rng(seed)
    easy = [draw.normal(0, 1.5, count) for count in (FORGET, unseen)]
    model = [confidences(draw, easy[0], boost), confidences(draw, easy[1])]
    retrains = [[confidences(draw, each) for _ in range(MODELS)] for each in easy]
    originals = [confidences(draw, easy[0], 2.0) for _ in range(3)]
    return (*model, *retrains), originals


def pair_by_pair(forget, unseen, retrained_forget, retrained_unseen, slope):
    """Likelihood ratios of every pair, as the source defines them with gamma = 1."""

    def ratio(own, without):
        out = np.mean(without)
        return own / ((1 + slope) / 2 * out + (1 - slope) / 2)

    population = [ratio(*each) for each in zip(unseen, np.transpose(retrained_unseen), strict=True)]
    return [
        np.mean([np.heaviside(ratio(own, without) / z - 1, 0.5) for z in population])
        for own, without in zip(forget, np.transpose(retrained_forget), strict=True)
    ]


def test_scores_are_those_of_every_pair():
    arrays, _ = problem(boost=1.0)
    found = rmia(*arrays)
    expected = pair_by_pair(*arrays, found.slope)
    assert found.slope == 0.3
    np.testing.assert_allclose(found.forget_scores, expected)
    labels = np.repeat([1, 0], [FORGET, UNSEEN])
    both = np.concatenate([found.forget_scores, found.unseen_scores])
    assert found.auc == pytest.approx(roc_auc_score(labels, both))


def test_originals_tell_the_slope():
    arrays, originals = problem()
    found = rmia(*arrays, originals)
    without, known = np.mean(arrays[2], 0), np.mean(originals, 0)
    fitted = np.linalg.lstsq((1 - without)[:, None], 1 - known, rcond=None)[0][0]
    assert found.slope == pytest.approx(fitted) and 0.1 < fitted < 0.9
    np.testing.assert_allclose(found.forget_scores, pair_by_pair(*arrays, fitted))


@pytest.mark.parametrize("with_originals", [False, True])
def test_a_retrain_is_at_chance_and_an_original_is_not(with_originals):
    aucs = {}
    for boost in (0.0, 2.0):
        problems = (problem(seed, boost) for seed in range(20))
        found = [rmia(*arrays, known if with_originals else None).auc for arrays, known in problems]
        aucs[boost] = np.mean(found)
    assert aucs[0] == pytest.approx(0.5, abs=0.03) and aucs[2] > 0.8


def test_the_most_memorised_third_is_found_most():
    arrays, originals = problem(boost=2.0)
    found = rmia(*arrays, originals)
    order = np.argsort(memorisation(originals, arrays[2]))
    for third, auc in zip(np.split(order, 3), found.strata_aucs, strict=True):
        scores = np.concatenate([found.forget_scores[third], found.unseen_scores])
        assert auc == pytest.approx(roc_auc_score(np.repeat([1, 0], [30, UNSEEN]), scores))
    assert found.strata_aucs[2] > found.strata_aucs[0]
    assert rmia(*arrays).strata_aucs == ()


def test_memorisation_is_the_difference_of_the_means():
    assert memorisation([[0.9, 0.5], [0.7, 0.5]], [[0.2, 0.5]]) == pytest.approx([0.6, 0])


def test_rates_that_few_unseen_samples_leave_open_are_none():
    few, more, most = (rmia(*problem(0, 2.0, unseen)[0]) for unseen in (99, 100, 1000))
    assert few.tpr_at_1_percent is None and few.tpr_at_01_percent is None
    assert more.tpr_at_1_percent is not None and more.tpr_at_01_percent is None
    assert 0 <= most.tpr_at_01_percent <= most.tpr_at_1_percent <= 1
    above = np.sort(most.unseen_scores)[-11]
    assert most.tpr_at_1_percent == np.mean(most.forget_scores > above)


def test_the_order_of_samples_and_of_models_changes_nothing():
    (forget, unseen, gone, other), originals = problem(boost=1.0)
    straight = rmia(forget, unseen, gone, other, originals)
    turned = rmia(
        forget[::-1],
        unseen,
        np.asarray(gone)[::-1, ::-1],
        other[::-1],
        np.asarray(originals)[:, ::-1],
    )
    np.testing.assert_allclose(turned.forget_scores[::-1], straight.forget_scores)
    assert turned.strata_aucs == pytest.approx(straight.strata_aucs)


def test_certainty_everywhere_is_chance():
    ones = np.ones(20)
    found = rmia(ones, ones, [ones], [ones], [ones])
    assert (found.auc, found.slope) == (0.5, 0.3)
    assert rmia(0 * ones, ones, [ones], [ones]).auc == 0
    assert rmia(ones, ones, [0 * ones], [0 * ones], [0 * ones]).slope == 1


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (0, [1.5], "forget confidences: .* got 1.5 to 1.5"),
        (2, [[0.5, 0.5]], "Retrains' forget confidences: .* of 1 samples, got .* of 2"),
        (3, [0.5], "Retrains' unseen confidences: expected a non-empty array of 2 dimensions"),
    ],
)
def test_what_does_not_fit_is_refused(at, value, message):
    arrays = [[0.5], [0.5], [[0.5]], [[0.5]]]
    arrays[at] = value
    with pytest.raises(ValueError, match=message):
        rmia(*arrays)
