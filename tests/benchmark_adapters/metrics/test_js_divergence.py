"""Jensen-Shannon divergence against SciPy's distance, and its invariants, zeros included."""

import math

import numpy as np
import pytest
from drawn_distributions import distribution_pairs
from hypothesis import given
from scipy.spatial.distance import jensenshannon

from benchmark_adapters.metrics.js_divergence import js_divergence


@given(distribution_pairs())
def test_it_is_the_square_of_scipys_distance(pair):
    one, other = pair
    for base in (2.0, math.e):
        # Rounding leaves SciPy the root of a negative number where both are the same.
        expected = np.nan_to_num(jensenshannon(one, other, base=base, axis=1) ** 2).mean()
        assert js_divergence(one, other, base=base) == pytest.approx(expected, abs=1e-12)


@given(distribution_pairs())
def test_it_is_symmetric_bounded_and_zero_for_equals(pair):
    one, other = pair
    before = one.copy(), other.copy()
    assert js_divergence(one, other) == js_divergence(other, one)
    assert 0 <= js_divergence(one, other) <= 1
    assert js_divergence(one, other, base=math.e) <= math.log(2)
    assert js_divergence(one, one) == pytest.approx(0, abs=1e-15)
    assert np.array_equal(one, before[0]) and np.array_equal(other, before[1])


def test_disjoint_certainties_are_one_bit_apart():
    assert js_divergence([[1.0, 0.0]], [[0.0, 1.0]]) == 1
    assert js_divergence([[1.0, 0.0]], [[0.0, 1.0]], base=math.e) == pytest.approx(math.log(2))


def test_the_smallest_doubles_do_not_overflow():
    assert js_divergence([[1.0, 5e-324]], [[1.0, 0.0]]) == 0


def test_it_sums_over_classes_and_averages_over_images():
    # By hand: p = (1, 0), q = (1/2, 1/2), m = (3/4, 1/4).
    bits = (math.log2(4 / 3) + 0.5 * math.log2(2 / 3) + 0.5 * math.log2(2)) / 2
    assert js_divergence([[1.0, 0.0]], [[0.5, 0.5]]) == pytest.approx(bits)
    padded = js_divergence([[1.0, 0, 0, 0]], [[0.5, 0.5, 0, 0]])
    assert padded == pytest.approx(bits)  # classes that neither predicts change nothing
    with_an_equal = js_divergence([[1.0, 0.0], [0.3, 0.7]], [[0.5, 0.5], [0.3, 0.7]])
    assert with_an_equal == pytest.approx(bits / 2)


@pytest.mark.parametrize("base", [1.0, 0.5, -2.0, math.nan])
def test_a_base_that_makes_no_sense_is_refused(base):
    with pytest.raises(ValueError, match="base must be above 1"):
        js_divergence([[1.0, 0.0]], [[1.0, 0.0]], base=base)
