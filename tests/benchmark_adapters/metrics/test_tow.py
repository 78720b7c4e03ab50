"""ToW: one for Retrain, and each gap costs its own factor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_adapters.metrics.tow import Accuracies, tow

THREE = st.builds(Accuracies, *[st.floats(0, 1)] * 3)


@given(THREE, THREE)
def test_it_is_the_product_of_the_agreements(one, other):
    expected = 1.0
    for a, b in zip(one, other, strict=True):
        expected *= 1 - abs(a - b)
    assert tow(one, other) == pytest.approx(expected)
    assert tow(one, other) == tow(other, one)
    assert 0 <= tow(one, other) <= 1 and tow(one, one) == 1


def test_one_complete_failure_is_a_zero():
    assert tow(Accuracies(1, 1, 0.9), Accuracies(0, 1, 0.9)) == 0
    assert tow(Accuracies(0.1, 0.9, 0.8), Accuracies(0, 1, 0.9)) == pytest.approx(0.9**3)


def test_percents_are_refused():
    with pytest.raises(ValueError, match="fractions"):
        tow(Accuracies(0, 100, 95), Accuracies(0, 1, 1))
