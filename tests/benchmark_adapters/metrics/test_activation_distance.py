"""Activation distance against NumPy's norm, and its invariants."""

import math

import numpy as np
import pytest
from drawn_distributions import distribution_pairs
from hypothesis import given

from benchmark_adapters.metrics.activation_distance import activation_distance


@given(distribution_pairs())
def test_it_is_the_mean_norm_of_the_difference(pair):
    one, other = pair
    for norm, order, bound in (("l2", 2, math.sqrt(2)), ("l1", 1, 2.0)):
        ours = activation_distance(one, other, norm=norm)
        assert ours == pytest.approx(np.linalg.norm(one - other, order, axis=1).mean())
        assert 0 <= ours <= bound * (1 + 1e-12)
        assert ours == activation_distance(other, one, norm=norm)
        assert activation_distance(one, one, norm=norm) == 0


@given(distribution_pairs())
def test_the_order_of_images_and_of_classes_does_not_matter(pair):
    one, other = pair
    mirrored = activation_distance(one[::-1, ::-1], other[::-1, ::-1])
    assert mirrored == pytest.approx(activation_distance(one, other), rel=1e-12)


def test_opposite_certainties_reach_the_bounds():
    one, other = [[1.0, 0.0]], [[0.0, 1.0]]
    assert activation_distance(one, other) == pytest.approx(math.sqrt(2))
    assert activation_distance(one, other, norm="l1") == 2


def test_another_norm_is_refused():
    with pytest.raises(ValueError, match="'l2' or 'l1', got 'max'"):
        activation_distance([[1.0, 0.0]], [[1.0, 0.0]], norm="max")
