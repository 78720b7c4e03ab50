"""KLOM: a divergence of histograms, and from how many models on it tells anything."""

import math

import numpy as np
import pytest
from scipy.special import expit, softmax
from scipy.stats import entropy

from benchmark_adapters.metrics import klom as klom_file
from benchmark_adapters.metrics.klom import LEAST_MODELS, klom, logit_margins

DRAW = np.random.default_rng(0)


def margins(models=20, samples=30, shift=0.0, draw=DRAW):
    return draw.normal(shift, 1, (models, samples))


def by_numpy(ours, theirs):
    """One sample after the other, with NumPy's histogram and SciPy's relative entropy."""
    found = []
    for one, other in zip(np.clip(ours, -100, 100).T, np.clip(theirs, -100, 100).T, strict=True):
        edges = np.histogram_bin_edges(np.concatenate([one, other]), 20)
        p, q = (np.histogram(side, edges)[0] / len(side) for side in (one, other))
        used = p > 0
        found.append((p[used] * np.log(p[used] / np.maximum(q[used], 1e-5))).sum())
        if np.all(q[used] > 0):
            assert found[-1] == pytest.approx(entropy(p, q))
    return np.array(found)


@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_it_is_numpys_histograms_sample_by_sample(scale):
    ours, theirs = scale * margins(25, shift=1.0), scale * margins(40)
    found = klom(ours, theirs)
    expected = by_numpy(ours, theirs)
    np.testing.assert_allclose(found.per_sample, expected, atol=1e-9)
    assert found.p95 == pytest.approx(np.percentile(expected, 95))
    assert found.mean == pytest.approx(expected.mean())


def test_the_same_models_in_another_order_are_at_zero_and_a_shift_or_scale_changes_nothing():
    ours, theirs = margins(), margins()
    assert klom(ours, ours[::-1]).p95 == klom(theirs, theirs).mean == 0
    moved = klom(4 * ours + 8, 4 * theirs + 8)
    np.testing.assert_allclose(moved.per_sample, klom(ours, theirs).per_sample, atol=1e-9)


def test_models_that_agree_are_at_zero_and_models_that_never_meet_at_the_most():
    same = np.full((12, 2), 3.0)
    assert klom(same, same).p95 == 0
    # All in one bin of theirs that is empty: log 1 / 1e-5.
    assert klom(same + 5, same).per_sample == pytest.approx([math.log(1e5)] * 2)
    # Beyond the clip there is no difference.
    assert klom(same + 1e3, same + 2e3).p95 == 0


def test_margins_are_the_log_odds_of_the_own_class():
    logits, labels = DRAW.normal(0, 3, (20, 4)), np.arange(20) % 4
    found = logit_margins(logits, labels)
    np.testing.assert_allclose(expit(found), softmax(logits, 1)[np.arange(20), labels])
    np.testing.assert_allclose(logit_margins(logits + 9, labels), found)
    assert logit_margins([[900.0, -900.0]], [0]) == 1800


def power(models, monkeypatch):
    """How often a sample that is three deviations off is above 95 % of those that are not."""
    monkeypatch.setattr(klom_file, "LEAST_MODELS", 1)
    draw = np.random.default_rng(1)
    without, off = (
        klom(margins(models, 6000, shift, draw), margins(models, 6000, 0, draw)) for shift in (0, 3)
    )
    return np.mean(off.per_sample > without.p95)


def test_from_the_least_number_of_models_on_it_has_power_and_below_it_has_not(monkeypatch):
    few, enough = (power(models, monkeypatch) for models in (LEAST_MODELS - 1, LEAST_MODELS))
    assert few < 0.8 < enough
    assert power(5, monkeypatch) < 0.2


def test_too_few_models_and_other_samples_are_refused():
    with pytest.raises(ValueError, match=r"from 10 models a side or more, got \(5, 30\)"):
        klom(margins(5), margins())
    with pytest.raises(ValueError, match="margins of the same samples"):
        klom(margins(samples=3), margins(samples=4))
