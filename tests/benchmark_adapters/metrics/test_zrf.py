"""Zero retrain forgetting: one for the untrained network itself, zero for its opposite."""

import numpy as np
import pytest
from drawn_distributions import distribution_pairs
from hypothesis import given
from scipy.spatial.distance import jensenshannon

from benchmark_adapters.metrics.zrf import zrf


@given(distribution_pairs())
def test_it_is_one_minus_scipys_divergence_and_a_fraction(pair):
    one, other = pair
    divergence = np.nan_to_num(jensenshannon(one, other, base=2, axis=1) ** 2).mean()
    assert zrf(one, other) == pytest.approx(1 - divergence, abs=1e-12)
    assert 0 <= zrf(one, other) <= 1
    assert zrf(one, one) == pytest.approx(1, abs=1e-15)


def test_nothing_in_common_is_zero():
    assert zrf([[1.0, 0.0]], [[0.0, 1.0]]) == 0
