"""SalUn's summary, by its published arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_adapters.metrics.average_gap import SalunScores, average_gap, unlearning_accuracy

FOUR = st.builds(SalunScores, *[st.floats(0, 1)] * 4)


@given(FOUR, FOUR)
def test_it_is_the_mean_absolute_difference(one, other):
    expected = np.abs(np.subtract(one, other)).mean()
    assert average_gap(one, other) == pytest.approx(expected)
    assert average_gap(one, other) == average_gap(other, one)
    assert 0 <= average_gap(one, other) <= 1 and average_gap(one, one) == 0


def test_it_is_the_gap_of_a_table_in_percent():
    retrain, method = (0.0524, 1.0, 0.9426, 0.1288), (0.0761, 0.9967, 0.9283, 0.3736)
    gaps = [2.37, 0.33, 1.43, 24.48]
    assert 100 * average_gap(SalunScores(*method), SalunScores(*retrain)) == pytest.approx(
        sum(gaps) / 4
    )


def test_unlearning_accuracy_is_what_is_wrong_on_the_forget_set():
    assert unlearning_accuracy(0.25) == 0.75


def test_percents_are_refused():
    with pytest.raises(ValueError, match="fractions"):
        average_gap(SalunScores(5, 100, 94, 12), SalunScores(0, 1, 1, 0))
