"""The area is how often a positive is above a negative, and rates that few samples leave open."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from benchmark_adapters.metrics.roc import roc_auc, true_positive_rate

SCORES = st.lists(st.sampled_from([-1.0, 0.0, 0.25, 3.0, 1e9]), min_size=1, max_size=12)


@given(SCORES, SCORES)
def test_it_counts_pairs_ties_as_half_and_is_scikit_learns(positives, negatives):
    one, other = np.array(positives), np.array(negatives)
    pairs = np.heaviside(one[:, None] - other, 0.5)
    labels = np.repeat([1, 0], [len(one), len(other)])
    found = roc_auc(one, other)
    assert found == pytest.approx(pairs.mean())
    assert found == pytest.approx(roc_auc_score(labels, np.concatenate([one, other])))
    assert roc_auc(other, one) == pytest.approx(1 - found)


def test_each_leading_index_has_its_own():
    draw = np.random.default_rng(0)
    one, other = draw.normal(size=(2, 3, 8)), draw.normal(size=(2, 3, 5))
    found = roc_auc(one, other)
    assert found.shape == (2, 3) and found[1, 2] == roc_auc(one[1, 2], other[1, 2])


def test_the_rate_is_read_off_scikit_learns_curve():
    draw = np.random.default_rng(0)
    one, other = draw.normal(1, 1, 300), draw.normal(0, 1, 200)
    labels = np.repeat([1, 0], [300, 200])
    false, true, _ = roc_curve(labels, np.concatenate([one, other]), drop_intermediate=False)
    for rate in (0.005, 0.01, 0.07, 0.5):
        assert true_positive_rate(one, other, rate) == true[false <= rate + 1e-12].max()


def test_so_few_negatives_do_not_resolve_so_small_a_rate():
    assert true_positive_rate(np.ones(5), np.zeros(99), 0.01) is None
    assert true_positive_rate(np.ones(5), np.zeros(100), 0.01) == 1
    assert true_positive_rate(np.ones(5), np.zeros(1000), 0.001) == 1


def test_samples_that_all_tie_are_not_found():
    assert true_positive_rate(np.zeros(5), np.zeros(100), 0.01) == 0
