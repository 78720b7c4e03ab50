"""A distance beside the Retrains' own: each left out once, any pairwise distance."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from benchmark_adapters.metrics.activation_distance import activation_distance
from benchmark_adapters.metrics.js_divergence import js_divergence
from benchmark_adapters.metrics.retrain_spread import retrain_spread

DRAW = np.random.default_rng(0)
POINTS, POINT = DRAW.normal(size=(5, 3)), DRAW.normal(size=3)


def euclidean(one, other):
    return float(np.linalg.norm(one - other))


def test_it_is_the_mean_of_scipys_distance_matrix():
    found = retrain_spread(euclidean, POINT, list(POINTS))
    among = cdist(POINTS, POINTS)
    assert found.retrains == pytest.approx(tuple(among.sum(1) / 4))
    assert found.model == pytest.approx(cdist([POINT], POINTS).mean())


def test_the_model_in_question_comes_first():
    found = retrain_spread(lambda one, other: one - other, 10.0, [1.0, 2.0, 6.0])
    assert found.model == 7 and found.retrains == (-3, -1.5, 4.5)


@pytest.mark.parametrize("distance", [js_divergence, activation_distance])
def test_a_model_like_the_retrains_is_no_further_away_than_they_are(distance):
    draw = np.random.default_rng(1)
    logits = 3 * draw.normal(size=(400, 6))

    def distribution(noise):
        odds = np.exp(logits + noise * draw.normal(size=logits.shape))
        return odds / odds.sum(1, keepdims=True)

    retrains = [distribution(1.0) for _ in range(5)]
    alike, apart = (retrain_spread(distance, distribution(n), retrains) for n in (1.0, 3.0))
    assert alike.model == pytest.approx(np.mean(alike.retrains), rel=0.1)
    assert apart.model > max(apart.retrains) and apart.retrains == alike.retrains


def test_the_order_of_the_retrains_is_that_of_their_values():
    straight = retrain_spread(euclidean, POINT, list(POINTS))
    reverse = retrain_spread(euclidean, POINT, list(POINTS[::-1]))
    assert reverse.retrains == pytest.approx(straight.retrains[::-1])
    assert reverse.model == pytest.approx(straight.model)


def test_two_retrains_have_no_spread():
    with pytest.raises(ValueError, match="three Retrains of other seeds or more, got 2"):
        retrain_spread(euclidean, POINT, list(POINTS[:2]))
