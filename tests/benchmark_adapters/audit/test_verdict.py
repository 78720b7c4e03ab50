"""The verdict of a whole audit: what it takes to be called like Retrain."""

import pytest

from benchmark_adapters.audit.case_audit import (
    LIKE,
    NO_POWER,
    NO_RETRAINS,
    OVER,
    UNDER,
    CaseAudit,
    TestResult,
)
from benchmark_adapters.audit.verdict import verdict_of


def result(name, model, control=UNDER, *, power=True, kind="outputs"):
    verdicts = {"model": model, "retrain_held_out": LIKE, "mask": control}
    values = dict.fromkeys(verdicts, 0.5)
    return TestResult(name, f"the {name}", kind, "what it asks", "plain", values, mean=0.9,
                      deviation=0.01, verdicts=verdicts,
                      no_power="" if power else "it tells nothing")  # fmt: skip


def audit(*tests, limit=5.0, impostors=()):
    roles = {"model": "method", "retrain_held_out": "held out", "mask": "control"}
    told = dict.fromkeys(impostors, "cannot be told from a control")
    return CaseAudit("class-wise", (3,), 0, tests, roles, limit, impostors=told)


def test_like_retrain_in_all_tests_with_power():
    found = verdict_of(audit(result("one", LIKE), result("two", NO_POWER, power=False)), "model")
    assert found.outcome == "like Retrain"
    assert found.sentence == (
        "it is like Retrain in the one test with power, and every control can be told from it"
    )


def test_one_test_that_differs_is_enough_and_its_side_is_said():
    tests = (result("one", LIKE), result("two", UNDER), result("three", OVER))
    found = verdict_of(audit(*tests), "model", "the model")
    assert found.outcome == "differs"
    assert found.sentence == (
        "the model differs from Retrain in 2 of 3 tests with power: under-forgotten (the two), "
        "over-forgotten (the three)"
    )


def test_of_many_questions_one_alone_decides_nothing():
    many = [result(name, LIKE) for name in "abcde"]
    doubtful = verdict_of(audit(*many, result("f", UNDER), result("f_settled", UNDER)), "model")
    assert doubtful.outcome == "cannot tell"
    assert doubtful.sentence.startswith("cannot tell: it differs from Retrain in 2 of 7 tests")
    assert verdict_of(audit(*many, result("f", UNDER), result("g", OVER)), "model").outcome == (
        "differs"
    )
    assert verdict_of(audit(*many[1:], result("f", UNDER)), "model").outcome == "differs"


def test_what_a_control_passes_too_tells_nothing():
    blind = (result("one", LIKE, LIKE), result("two", LIKE, LIKE))
    found = verdict_of(audit(*blind), "model")
    assert found.outcome == "cannot tell"
    assert "in all 2 tests with power, and so are controls, which forgot nothing: mask" in (
        found.sentence
    )
    assert verdict_of(audit(*blind, result("three", LIKE)), "model").outcome == "like Retrain"
    # It is told from the model otherwise.
    assert verdict_of(audit(*blind, impostors=["mask"]), "model").outcome == "like Retrain"


def test_who_is_less_accurate_is_not_like_retrain_and_the_cost_is_not_counted():
    cost = result("accuracy", OVER, kind="cost")
    dear = audit(result("one", LIKE), result("two", LIKE), cost)
    found = verdict_of(dear, "model")
    assert dear.counted("model") == (2, 2) and found.outcome == "differs"
    assert found.sentence == (
        "it is like Retrain in all 2 tests with power, but less accurate than one: the accuracy "
        "0.500, Retrains 0.900 ± 0.010"
    )
    many = [result(name, LIKE) for name in "abcde"]
    found = verdict_of(audit(*many, result("f", UNDER), cost), "model")
    assert found.outcome == "differs" and "1 of 6 tests with power: under-forgotten (the f)" in (
        found.sentence
    )
    assert found.sentence.endswith("and is less accurate than one: the accuracy 0.500, "
                                   "Retrains 0.900 ± 0.010")  # fmt: skip


def test_a_better_accuracy_costs_nothing_and_alone_says_nothing_of_forgetting():
    better = result("accuracy", UNDER, LIKE, kind="cost")
    assert verdict_of(audit(result("one", LIKE), better), "model").outcome == "like Retrain"
    found = verdict_of(audit(result("accuracy", LIKE, kind="cost")), "model")
    assert found.outcome == "cannot tell" and found.sentence.endswith("no test has power here")


def test_a_control_that_is_told_by_its_damage_takes_nothing_from_the_others():
    blind = (result("one", LIKE, LIKE), result("accuracy", LIKE, OVER, kind="cost"))
    assert verdict_of(audit(*blind), "model").outcome == "like Retrain"


def test_an_impostor_is_one_whatever_the_tests_say():
    found = verdict_of(audit(result("one", LIKE), impostors=["model"]), "model")
    assert found.outcome == "impostor"
    assert found.sentence == "it cannot be told from a control"


@pytest.mark.parametrize(
    ("limit", "verdict", "why"),
    [(None, NO_RETRAINS, "there are no Retrains to compare with"),
     (5.0, NO_POWER, "no test has power here")],
)  # fmt: skip
def test_without_power_nothing_is_said(limit, verdict, why):
    found = verdict_of(audit(result("one", verdict, power=False), limit=limit), "model")
    assert found.outcome == "cannot tell" and found.sentence.endswith(why)
