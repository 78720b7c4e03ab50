"""Linear CKA against the alignment of two kernels, and what must not change it."""

import numpy as np
import pytest
import torch

from benchmark_adapters.metrics.linear_cka import linear_cka

DRAW = np.random.default_rng(0)
ONE = DRAW.normal(1, 2, (60, 7))
OTHER = np.hstack([ONE[:, :4] @ DRAW.normal(size=(4, 3)), DRAW.normal(3, 1, (60, 6))])


def by_kernels(one, other):
    """Hilbert-Schmidt independence of the two N x N kernels, normalised."""
    centre = np.eye(len(one)) - 1 / len(one)

    def hsic(first, second):
        return np.trace(first @ centre @ second @ centre)

    first, second = one @ one.T, other @ other.T
    return hsic(first, second) / np.sqrt(hsic(first, first) * hsic(second, second))


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor, lambda rows: rows.tolist()])
def test_it_is_the_alignment_of_the_centred_kernels(kind):
    found = linear_cka(kind(ONE), kind(OTHER))
    assert found == pytest.approx(by_kernels(ONE, OTHER), rel=1e-9)
    assert 0.2 < found < 0.95


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x @ np.linalg.qr(np.random.default_rng(1).normal(size=(7, 7)))[0],
        lambda x: 1e150 * x,
        lambda x: 1e-150 * x,
        lambda x: x + 40,
        lambda x: x[:, ::-1],
        lambda x: np.hstack([x, np.full((60, 2), 5.0)]),
    ],
)
def test_rotation_one_factor_shift_order_and_constant_features_change_nothing(change):
    assert linear_cka(change(ONE), OTHER) == pytest.approx(linear_cka(ONE, OTHER), rel=1e-6)
    assert linear_cka(change(ONE), ONE) == pytest.approx(1)


def test_it_is_symmetric_one_with_itself_and_low_for_what_has_nothing_in_common():
    assert linear_cka(ONE, OTHER) == pytest.approx(linear_cka(OTHER, ONE))
    assert linear_cka(ONE, ONE) == pytest.approx(1) and linear_cka(ONE, ONE) <= 1
    many = np.random.default_rng(2).normal(size=(2, 5000, 3))
    assert linear_cka(*many) < 0.01


@pytest.mark.parametrize("constant", [0.0, 3.7, 1e6])
def test_a_collapsed_side_is_like_none(constant):
    rounded = np.full((60, 5), constant) * (1 + 1e-7 * DRAW.uniform(-1, 1, (60, 5)))
    assert linear_cka(rounded, ONE) == linear_cka(ONE, rounded) == 0
    assert linear_cka(rounded, rounded) == 0


def test_other_images_and_no_images_are_refused():
    with pytest.raises(ValueError, match=r"features of the same images.*\(60, 7\) and \(59, 9\)"):
        linear_cka(ONE, OTHER[:59])
    with pytest.raises(ValueError, match="N of 2 or more"):
        linear_cka(ONE[:1], OTHER[:1])
    with pytest.raises(ValueError, match="first features: expected a non-empty array"):
        linear_cka([], OTHER)
