"""When a test has power, and what it then says of a model."""

from dataclasses import replace

import pytest

from benchmark_adapters.audit.audit_test import AuditTest
from benchmark_adapters.audit.case_audit import (
    LIKE,
    NO_POWER,
    NO_RETRAINS,
    NOT_TESTED,
    OVER,
    UNDER,
)
from benchmark_adapters.audit.judge import HELD_OUT, Judged, judge
from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.audit.spread import limit

KNOWN = AuditTest(
    "known", "what it knows", "outputs", "how much it knows",
    lambda seen, against: seen.traits["known"][0] if "known" in seen.traits else None,
    ("class-wise",), ("original", "mask"), scale="plain",
)  # fmt: skip
# Four of the others' mean stand beside each Retrain, five beside a model.
FROM_RETRAINS = replace(
    KNOWN,
    name="distance",
    title="distance to Retrains",
    needs_retrains=True,
    value=lambda seen, against: abs(
        seen.traits["known"][0]
        - sum(each.traits["known"][0] for each in against.retrains) / len(against.retrains)
    ),
    to_original=lambda seen, against: abs(
        seen.traits["known"][0] - against.original.traits["known"][0]
    ),
)
RETRAINS = (0.48, 0.52, 0.5, 0.46, 0.54)
MODELS = {"original": 1.0, "mask": 0.9, HELD_OUT: 0.53, "new": 0.55, "worse": 0.1}


def seen(known):
    return Observation({}, {}, {}, traits={} if known is None else {"known": (known,)})


@pytest.fixture
def audited(monkeypatch):
    """The audit with one test of one's own."""

    def audited(test=KNOWN, retrains=RETRAINS, **changes):
        monkeypatch.setattr("benchmark_adapters.audit.judge.tests_of", lambda scope: [test])
        known = {name: value for name, value in {**MODELS, **changes}.items() if value != "none"}
        models = {name: seen(value) for name, value in known.items()}
        case = Judged([seen(value) for value in retrains], models, frozenset({"mask"}), (3,))
        return judge(case)

    return audited


def test_verdicts_have_a_side_and_distances_are_in_the_retrains_deviations(audited):
    audit = audited()
    (test,) = audit.tests
    assert test.has_power and test.retrains == RETRAINS
    assert test.mean == pytest.approx(0.5) and test.deviation == pytest.approx(0.0316, abs=1e-4)
    assert test.distances["new"] == pytest.approx(0.05 / test.deviation)
    assert dict(test.verdicts) == {
        "original": UNDER, "mask": UNDER, HELD_OUT: LIKE, "new": LIKE, "worse": OVER,
    }  # fmt: skip
    assert audit.counted("new") == (1, 1) and audit.counted("worse") == (0, 1)
    assert audit.headline("new") == "1 of 1 tests with power say: like Retrain"
    assert audit.roles["mask"] == "control" and audit.roles["new"] == "method"
    assert audit.limit == limit(5)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({HELD_OUT: 0.9}, "the held-out Retrain differs from the others"),
        ({HELD_OUT: "none"}, "there is no held-out Retrain"),
        ({"mask": 0.6}, "it does not tell mask from Retrain"),
        ({"original": 0.5, "mask": 0.5}, "it does not tell original, mask from Retrain"),
    ],
)
def test_without_power_it_decides_nothing(audited, changes, reason):
    audit = audited(**changes)
    (test,) = audit.tests
    assert test.no_power == reason and not test.has_power
    assert set(test.verdicts.values()) == {NO_POWER} and test.distances["worse"] < -limit(5)
    assert audit.counted("worse") == (0, 0)
    assert audit.headline("worse") == "no test has power here: cannot tell"


def test_a_control_that_was_not_run_does_not_take_the_power_away(audited):
    (test,) = audited(mask="none").tests
    assert test.has_power and "mask" not in test.verdicts


@pytest.mark.parametrize("retrains", [(), (0.5,)])
def test_without_two_retrains_it_says_so(audited, retrains):
    audit = audited(retrains=retrains)
    (test,) = audit.tests
    assert test.no_power == NO_RETRAINS and set(test.verdicts.values()) == {NO_RETRAINS}
    assert test.values["new"] == 0.55 and test.distances == {} and audit.limit is None
    lacking = audited(FROM_RETRAINS, retrains=retrains)
    assert lacking.tests == () and lacking.verdicts("new") == {}
    reason = lacking.not_tested["distance to Retrains"]
    assert reason == "there are no Retrains of the original's recipe"


def test_a_model_without_a_value_is_not_tested_and_a_test_without_any_is_named(audited):
    audit = audited(new=None)
    assert audit.verdicts("new") == {"known": NOT_TESTED} and audit.counted("new") == (0, 0)
    nobody = dict.fromkeys(MODELS)
    empty = audited(retrains=(None,) * 5, **nobody)
    assert empty.tests == () and "do not allow it" in empty.not_tested["what it knows"]


def test_a_retrain_is_compared_with_the_others_and_the_original_tells_the_side(audited):
    audit = audited(FROM_RETRAINS)
    (test,) = audit.tests
    # Each Retrain's own distance leaves it out: .46 is .05 from the mean of the other four.
    assert test.retrains == pytest.approx((0.025, 0.025, 0.0, 0.05, 0.05))
    assert test.verdicts["mask"] == UNDER and test.verdicts["worse"] == OVER
