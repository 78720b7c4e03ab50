"""The score of a trial: what it rewards, what it does not, and that nothing makes up for harm."""

import pytest

from benchmark_adapters.tuning.score import tuning_score

CLASS_WISE = {
    "forget_accuracy": 0.0, "validation_forget_accuracy": 0.0, "validation_retain_accuracy": 0.9,
}  # fmt: skip
INSTANCE_WISE = {"forget_accuracy": 0.8, "retain_accuracy": 1.0, "validation_accuracy": 0.9}
ORIGINAL = {
    "forget_accuracy": 1.0, "validation_forget_accuracy": 1.0, "validation_retain_accuracy": 0.9,
    "retain_accuracy": 1.0, "validation_accuracy": 0.9, "reference_accuracy": 0.8,
}  # fmt: skip


def scored(scope, **changes):
    ideal = CLASS_WISE if scope == "class-wise" else INSTANCE_WISE
    return tuning_score({**ideal, **changes}, ORIGINAL, scope)


@pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])
def test_the_ideal_is_one_and_the_original_itself_scores_lower(scope):
    assert scored(scope) == 1
    assert tuning_score(ORIGINAL, ORIGINAL, scope) == pytest.approx(
        0 if scope == "class-wise" else 0.8
    )


@pytest.mark.parametrize(
    ("scope", "changes", "expected"),
    [
        ("class-wise", {"forget_accuracy": 0.25}, 0.75),
        ("class-wise", {"validation_forget_accuracy": 0.5}, 0.5),
        ("class-wise", {"validation_retain_accuracy": 0.45}, 0.5),
        ("class-wise", {"validation_retain_accuracy": 0.0}, 0),
        ("class-wise", {"validation_retain_accuracy": 1.0}, 1),
        ("instance-wise", {"forget_accuracy": 0.0}, 0.2),
        ("instance-wise", {"forget_accuracy": 1.0}, 0.8),
        ("instance-wise", {"retain_accuracy": 0.5}, 0.5),
        ("instance-wise", {"validation_accuracy": 0.45, "retain_accuracy": 0.5}, 0.25),
    ],
)
def test_each_part_counts_by_itself(scope, changes, expected):
    assert scored(scope, **changes) == pytest.approx(expected)


def test_a_test_accuracy_changes_nothing():
    assert scored("class-wise", test_accuracy=0.0) == scored("class-wise")


def test_an_original_that_knows_nothing_is_refused():
    with pytest.raises(ValueError, match="validation_retain_accuracy is 0"):
        tuning_score(CLASS_WISE, {**ORIGINAL, "validation_retain_accuracy": 0.0}, "class-wise")
