"""CODEC is near 0 for what is independent and near 1 for what decides; FOCI selects by it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmark_adapters.baselines import codec as module
from benchmark_adapters.baselines.codec import codec, foci

SEEDS = st.integers(0, 30)


def draw(seed):
    return torch.Generator().manual_seed(seed)


def uniform(seed, columns, count=500):
    return torch.rand(count, columns, generator=draw(seed))


def plain_codec(target, values, given=None):
    """The published sums, one sample after another; without ties."""
    count = len(target)

    def nearest(points, i):
        apart = ((points - points[i]) ** 2).sum(1)
        apart[i] = torch.inf
        return int(apart.argmin())

    rank = [int((target <= each).sum()) for each in target]
    above = [int((target >= each).sum()) for each in target]
    points = values if given is None else torch.cat([given, values], 1)
    found = [min(rank[i], rank[nearest(points, i)]) for i in range(count)]
    if given is None:
        over = sum(count * near - of**2 for near, of in zip(found, above, strict=True))
        return over / sum(of * (count - of) for of in above)
    before = [min(rank[i], rank[nearest(given, i)]) for i in range(count)]
    return (sum(found) - sum(before)) / (sum(rank) - sum(before))


@given(SEEDS, st.booleans())
def test_it_is_the_published_sums(seed, conditional):
    values = uniform(seed, 3, count=30).double()
    known = values[:, :1] if conditional else None
    target = values.sum(1)
    expected = plain_codec(target, values[:, 1:2], known)
    found = codec(target, values[:, 1:2], known, generator=draw(0))
    assert found == pytest.approx(expected, abs=1e-12)


@given(SEEDS)
def test_independence_is_near_0_and_a_function_near_1(seed):
    values = uniform(seed, 3)
    assert abs(codec(values[:, 0], values[:, 1:], generator=draw(1))) < 0.2
    assert codec((6 * values[:, 0]).sin(), values[:, :1], generator=draw(1)) > 0.9
    # Modulo 1, one summand alone tells nothing, and both together all.
    both = (values[:, 0] + values[:, 1]) % 1
    assert abs(codec(both, values[:, :1], generator=draw(1))) < 0.2
    assert codec(both, values[:, :1], values[:, 1:2], generator=draw(1)) > 0.7


@given(SEEDS)
def test_ties_are_broken_at_random_so_that_a_constant_decides_nothing(seed):
    values = uniform(seed, 1)
    assert abs(codec(values[:, 0], torch.zeros(500, 1), generator=draw(seed))) < 0.2


def test_a_constant_target_is_decided_by_nothing():
    values = uniform(0, 2)
    assert codec(torch.ones(500), values, generator=draw(0)) == 0
    assert foci(values, torch.ones(500), limit=2, generator=draw(0)) == []


@given(SEEDS)
def test_what_decides_is_selected_first_and_noise_is_left(seed):
    values = uniform(seed, 8, count=300)
    target = 4 * values[:, 5] + values[:, 2]
    chosen = foci(values, target, limit=2, generator=draw(0))
    assert chosen == [5, 2]
    assert foci(values, target, limit=1, generator=draw(0)) == [5]
    assert foci(values, target, limit=0, generator=draw(0)) == []


def test_columns_in_parts_are_the_same(monkeypatch):
    values = uniform(3, 6, count=100)
    target = values[:, 1] * values[:, 4]
    whole = foci(values, target, limit=3, generator=draw(0))
    monkeypatch.setattr(module, "CHUNK", 2 * 100**2)
    assert foci(values, target, limit=3, generator=draw(0)) == whole
