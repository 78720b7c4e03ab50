"""Who is an impostor: what the original's features explain as they explain a control's."""

import pytest

from benchmark_adapters.audit.case_audit import TestResult
from benchmark_adapters.audit.impostor import impostors

CONTROLS = {"bias_mask", "bn_drift"}


def shares(name, **values):
    return TestResult(name, name, "features", "", "log-odds", {"original": 0.98, **values})


SHARES = [
    shares("linear_map", bias_mask=0.98, bn_drift=0.7, mine=0.97, tuned=0.9, padded=0.4),
    shares("linear_map_settled", bias_mask=0.97, bn_drift=0.975, mine=0.9, tuned=0.96, padded=0.4),
    shares("answers_map", bias_mask=0.999, bn_drift=0.9, mine=0.9, tuned=0.98, padded=0.999),
    shares("answers_map_settled", bias_mask=0.999, bn_drift=0.998, mine=0.9, tuned=0.9, padded=0.9),
]


def test_the_larger_share_reaching_the_lowest_control_makes_one():
    found = impostors(SHARES, CONTROLS)
    # bn_drift's .975 is the lowest control; .97 stays below it.
    assert set(found) == {*CONTROLS, "padded"}
    assert set(impostors(SHARES[:2], {"bn_drift"})) == {*CONTROLS}


def test_the_sentence_says_of_what_and_how_much():
    found = impostors(SHARES, CONTROLS)
    assert found["padded"] == (
        "cannot be told from a control: the original's features explain 99.9% of its answers to "
        "forgotten images linearly, and of a control's 99.8%; it has not forgotten "
        "the class"
    )
    assert "98.0% of its features of forgotten images" in found["bias_mask"]


def test_a_control_that_changed_the_features_makes_no_impostor_of_others():
    damaged = [shares("linear_map", noise_mask=0.6, mine=0.9, close=0.96)]
    assert set(impostors(damaged, {"noise_mask"})) == {"close"}
    assert impostors(damaged, set()) == {}


@pytest.mark.parametrize("value", [None, 1.0])
def test_the_original_is_none_and_a_missing_share_none_either(value):
    tests = [shares("linear_map", mine=value, bias_mask=0.98)]
    assert set(impostors(tests, {"bias_mask"})) == {"bias_mask"} | ({"mine"} if value else set())
