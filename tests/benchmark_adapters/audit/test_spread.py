"""The limit is Student's for one more draw, and holds what it says in draws."""

import math

import numpy as np
import pytest

from benchmark_adapters.audit.spread import LEVEL, Spread, limit, spread_of


def test_five_retrains_have_the_limit_of_the_t_table():
    # t(.995, 4) = 4.6041, times sqrt(6 / 5).
    assert limit(5) == pytest.approx(4.6041 * math.sqrt(1.2), abs=1e-3)
    assert limit(2) > limit(5) > limit(100) > 2.5758


@pytest.mark.parametrize("retrains", [3, 5, 10])
def test_one_more_draw_exceeds_it_as_often_as_the_level_says(retrains):
    draws = np.random.default_rng(0).normal(3, 2, (4_000, retrains + 1))
    distances = [Spread(tuple(row[:-1]), "plain").distance(row[-1]) for row in draws]
    exceeded = np.mean(np.abs(distances) > limit(retrains))
    assert abs(exceeded - LEVEL) < 3 * math.sqrt(LEVEL / len(draws))


@pytest.mark.parametrize("samples", [64, 128, 512])
def test_of_few_samples_too_one_more_retrain_exceeds_it_no_more_often(samples):
    """One in a thousand unseen samples is taken for a member, as by RMIA at 0.1 % FPR."""
    shares = np.random.default_rng(0).binomial(samples, 0.001, (4_000, 6)) / samples

    def exceeded(counted):
        drawn = [Spread(tuple(row[:-1]), samples=counted).distance(row[-1]) for row in shares]
        return np.mean(np.abs(drawn) > limit(5))

    assert exceeded(0) > 2 * LEVEL
    assert exceeded(samples) < LEVEL


def test_half_a_sample_is_told_from_none_and_from_all_alike_and_leaves_a_wider_spread_alone():
    none, every = Spread((0.0,) * 5, samples=512), Spread((1.0,) * 5, samples=512)
    assert none.distance(0.5 / 512) == pytest.approx(1)
    assert every.distance(1 - 0.5 / 512) == pytest.approx(-1)
    wide = (0.01, 0.05, 0.02)
    assert Spread(wide, samples=512).distance(0.1) == Spread(wide).distance(0.1)


def test_fractions_are_compared_as_log_odds_and_their_mean_is_of_the_values():
    spread = Spread((0.6, 0.7, 0.8))
    assert spread.mean == pytest.approx(0.7) and spread.deviation == pytest.approx(0.1)
    scaled = [math.log((value + 0.005) / (1 - value + 0.005)) for value in (0.6, 0.7, 0.8, 0.95)]
    expected = (scaled[3] - np.mean(scaled[:3])) / np.std(scaled[:3], ddof=1)
    assert spread.distance(0.95) == pytest.approx(expected)
    assert spread.distance(0.4) == pytest.approx(Spread((0.4, 0.3, 0.2)).distance(0.6) * -1)


def test_bounds_have_a_distance_and_retrains_that_agree_do_not_make_it_infinite():
    for value in (0.0, 1.0):
        assert math.isfinite(Spread((0.0, 0.0, 0.0)).distance(value))
    assert Spread((0.5, 0.5), "plain").distance(0.52) == pytest.approx(2)
    assert Spread((0.0, 0.0, 0.0)).distance(0.0) == 0


def test_a_missing_value_leaves_no_spread_and_one_retrain_none_either():
    assert spread_of([0.1, None, 0.3], "plain") is None
    assert spread_of([0.1], "plain") is None
    assert spread_of([0.1, 0.3], "plain") == Spread((0.1, 0.3), "plain")
    with pytest.raises(ValueError, match="two Retrains at least, got 1"):
        limit(1)
