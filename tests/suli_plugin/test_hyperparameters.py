"""Hyper-parameters of a wrong type or range are refused with their name."""

import math

import pytest

from benchmark_adapters.baselines.retrain import Retrain
from suli_plugin import SU, SULI


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SULI(lr="fast"), TypeError, r"suli\.lr must be float, got 'fast' of type str"),
        (lambda: SULI(lr=-1.0), ValueError, r"suli\.lr must be at least 0"),
        (lambda: SULI(lr=math.nan), ValueError, r"suli\.lr must be at least 0"),
        (lambda: SULI(epsilon=1.0), ValueError, r"epsilon must be at least 0 and below 1"),
        (lambda: SULI(temperature=0.0), ValueError, "temperature must be above 0"),
        (lambda: SULI(sweeps=1.5), TypeError, r"sweeps must be int"),
        (lambda: SULI(sweeps=True), TypeError, r"sweeps must be int"),
        (lambda: SULI(n_layers=0), ValueError, r"n_layers must be at least 1"),
        (lambda: SULI(n_layers="two"), TypeError, r"n_layers must be int"),
        (lambda: SULI(teacher="bad"), ValueError, r"teacher must be one of 'current', 'original'"),
        (lambda: SULI(batch_norm="off"), ValueError, "batch_norm must be one of"),
        (lambda: SULI(roll_back=1), TypeError, "roll_back must be bool"),
        (lambda: SU(batch_size=0), ValueError, r"su\.batch_size must be at least 1"),
        (lambda: Retrain(momentum=1.0), ValueError, r"retrain\.momentum"),
    ],
)
def test_a_wrong_value_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_whole_number_is_taken_where_a_float_is_declared():
    assert SULI(lr=0) == SULI(lr=0.0) and type(SULI(lr=0).lr) is float


def test_equality_repr_and_hash_come_with_the_fields():
    assert SULI(lr=0.5) == SULI(lr=0.5) != SULI(lr=0.25)
    assert "lr=0.5" in repr(SULI(lr=0.5))
    assert len({SULI(), SULI(), SU()}) == 2


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(
        ValueError, match=r"suli has no preset 'best'; its presets: official, paper"
    ):
        SULI.preset("best", "class-wise")
