"""What metrics accept, and what they say about the rest."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from benchmark_adapters.metrics.probabilities import (
    fractions,
    paired_distributions,
    probabilities,
    true_class_confidence,
)

LOGITS = np.random.default_rng(0).normal(0, 30, (20, 5))


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor, np.ndarray.tolist])
def test_softmax_is_scipys_for_every_kind_of_array(kind):
    np.testing.assert_allclose(probabilities(kind(LOGITS)), softmax(LOGITS, 1), rtol=1e-12)


def test_confidence_is_the_probability_of_the_own_label():
    labels = np.arange(20) % 5
    expected = softmax(LOGITS, 1)[np.arange(20), labels]
    np.testing.assert_allclose(true_class_confidence(LOGITS, labels), expected, rtol=1e-12)


def test_inputs_are_copied_not_changed():
    logits = torch.tensor(LOGITS, requires_grad=True)
    probabilities(logits).zero_()
    fixed = LOGITS.copy()
    fixed.flags.writeable = False
    probabilities(fixed).zero_()
    assert np.array_equal(logits.detach(), LOGITS) and np.array_equal(fixed, LOGITS)


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        ([[0.5, 0.5]], [[1.0, 0.0, 0.0]], r"\(1, 2\) and \(1, 3\)"),
        ([[0.5, 0.5]], [[2.0, -1.0]], "second probabilities: .* minimum of -1"),
        ([[0.5, 0.6]], [[0.5, 0.5]], "sums off by 0.1; for logits use probabilities"),
        ([0.5, 0.5], [[0.5, 0.5]], r"of 2 dimensions, got shape \(2,\)"),
        ([[np.nan, 1.0]], [[0.5, 0.5]], "1 values are not finite"),
        (np.zeros((0, 3)), np.zeros((0, 3)), "non-empty"),
    ],
)
def test_what_is_no_pair_of_distributions_is_refused(one, other, message):
    with pytest.raises(ValueError, match=message):
        paired_distributions(one, other)


def test_float32_softmax_over_many_classes_is_accepted():
    logits = torch.randn(4, 10_000, generator=torch.Generator().manual_seed(0))
    paired_distributions(logits.softmax(1), logits.softmax(1))


def test_labels_must_be_one_a_row():
    with pytest.raises(ValueError, match="expected 20 labels, one a row, got 3"):
        true_class_confidence(LOGITS, [0, 1, 2])


def test_percents_are_refused_where_fractions_are_meant():
    with pytest.raises(ValueError, match=r"fractions in \[0, 1\], got \[99.0, 0.5\]"):
        fractions([99, 0.5])
