"""Information about membership: known amounts, the bound by hand, and what must not change it."""

import math

import numpy as np
import pytest
import torch

from benchmark_adapters.metrics.mutual_information import (
    Critic,
    _bits,
    membership_information,
)

PATIENT = Critic(steps=300, weight_decay=1e-3)


def sides(distance, *, count=400, dims=5, seed=0):
    draw = np.random.default_rng(seed)
    forget, retain = draw.normal(size=(count, dims)), draw.normal(size=(2 * count, dims))
    forget[:, 0] += distance
    return forget, retain


def known_bits(distance):
    """1 minus the mean entropy of the membership of two normal distributions this far apart."""
    x = np.linspace(-12, 12 + distance, 20_001)
    one, other = (np.exp(-((x - at) ** 2) / 2) / math.sqrt(2 * math.pi) for at in (0, distance))
    mixed = (one + other) / 2
    share = np.clip(one / (one + other), 1e-300, 1 - 1e-16)
    entropy = -share * np.log2(share) - (1 - share) * np.log2(1 - share)
    return 1 - float((mixed * entropy).sum() * (x[1] - x[0]))


@pytest.mark.parametrize("distance", [1.0, 2.0, 4.0])
def test_it_is_a_lower_bound_near_to_the_information_that_there_is(distance):
    found = membership_information(*sides(distance, count=3000), critic=PATIENT)
    known = known_bits(distance)
    assert known - 0.04 < found < known + 0.01


def test_none_is_found_where_there_is_none_and_nearly_a_bit_where_all_is_told():
    assert membership_information(*sides(0.0)) == 0
    assert membership_information(*sides(50.0), critic=PATIENT) > 0.99
    assert membership_information(np.ones((9, 3)), np.ones((20, 3))) < 1e-3
    amounts = [membership_information(*sides(distance)) for distance in (0.0, 1.0, 2.0, 4.0)]
    assert amounts == sorted(amounts)


def test_the_bound_is_that_of_all_pairs_of_features_and_answers():
    """InfoNCE over a batch with as many forget as retain rows, written as its source has it."""
    draw = torch.Generator().manual_seed(0)
    weights = [torch.randn(shape, generator=draw) for shape in ((3, 4), (4,), (4,), (1,))]
    both = [torch.randn(6, 3, generator=draw) for _ in range(2)]
    first, bias, second, shift = weights
    rows = torch.cat(both)
    answers = torch.arange(12) < 6
    scores = (torch.relu(rows @ first + bias) @ second + shift)[:, None] * answers[None].float()
    own = scores.gather(1, torch.arange(12)[:, None]).squeeze(1)
    expected = (own - scores.exp().mean(1).log()).mean() / math.log(2)
    assert float(_bits(weights, both)) == pytest.approx(float(expected), rel=1e-5)


def test_scale_and_shift_change_next_to_nothing():
    forget, retain = sides(2.0)
    scales = np.array([1000, 1, 1e-3, 2, 7])
    found = membership_information(forget * scales - 7, retain * scales - 7)
    assert found == pytest.approx(membership_information(forget, retain), abs=1e-4)


def test_more_rows_of_one_side_weigh_no_more():
    forget, retain = sides(2.0)
    few = membership_information(forget, retain[:400])
    assert membership_information(forget, retain) == pytest.approx(few, abs=0.05)


def test_the_seed_draws_and_the_global_random_state_stays():
    before = torch.get_rng_state()
    found = [membership_information(*sides(1.0), seed=seed) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2] == pytest.approx(found[0], abs=0.05)
    assert torch.equal(torch.get_rng_state(), before)


def test_other_shapes_and_few_rows_are_refused():
    forget, retain = sides(1.0)
    with pytest.raises(ValueError, match=r"got \(400, 5\) and \(800, 4\)"):
        membership_information(forget, retain[:, :4])
    with pytest.raises(ValueError, match=r"4 rows or more, got \(3, 5\)"):
        membership_information(forget[:3], retain)
