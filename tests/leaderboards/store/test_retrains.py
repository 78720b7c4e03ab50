"""All trainings by Retrain's recipe are one row, whose models count once each."""

from dataclasses import dataclass

import pytest

from leaderboards.rendering.rows import board_rows
from leaderboards.store.aggregate import rows
from leaderboards.store.files import FolderFiles
from leaderboards.store.retrains import Looked, with_retrains

RECIPE = {"epochs": 20, "lr": 0.1}


@dataclass
class Claim:
    """What is looked at in a submission."""

    method: str
    claimed: tuple
    board: str = "digits.class-wise"
    submitter: str = "ada"

    @property
    def id(self):
        return f"{self.board}-{self.method}-{self.submitter}"


def looked(method, values, weights=None, state="re-scored", epochs=20, **of):
    """A submission whose records of seeds 0, 1, ... have these values of one metric."""
    weights = weights or [f"{method}{seed}" for seed in range(len(values))]
    claimed = tuple(
        {"scenario": "class-3", "seed": seed, "scope": "class-wise", "unlearned_hash": each,
         "original": {"recipe": RECIPE}, "hyperparameters": {**RECIPE, "epochs": epochs}}
        for seed, each in enumerate(weights)
    )  # fmt: skip
    metrics = {f"class-3/{seed}": {"retain_accuracy": value} for seed, value in enumerate(values)}
    return Looked(Claim(method, claimed, **of), state, metrics, metrics)


def joined(*each):
    made = with_retrains([{"method": one.submission.method} for one in each], each)
    return {row["method"]: row for row in made}


def test_mean_and_deviation_are_over_all_models():
    found = joined(
        looked("retrain", [0.9, 1.0]), looked("retrain@2", [0.8, 0.7]), looked("su", [1])
    )
    row = found["retrain"]["retrains"]
    assert row["methods"] == ["retrain", "retrain@2"] and row["models"] == 4
    assert row["metrics"]["retain_accuracy"] == pytest.approx(
        {"mean": 0.85, "std": 0.12909944, "n": 4}
    )
    assert found["retrain@2"]["part_of"] and found["su"] == {"method": "su"}


def test_one_model_under_several_seeds_counts_once():
    found = joined(looked("retrain", [0.9, 1.0]), looked("retrain@2", [0.8, 0.8], ["w", "w"]))
    assert found["retrain"]["retrains"]["metrics"]["retain_accuracy"]["mean"] == pytest.approx(0.9)
    assert found["retrain"]["retrains"]["models"] == 3


@pytest.mark.parametrize(
    "other",
    [
        looked("retrain@2", [0.1], state="claimed"),
        looked("retrain@2", [0.1], state="refuted"),
        looked("retrain@2", [0.1], epochs=10),
        looked("retrain@2", [0.1], submitter="eve"),
        looked("retrain@2", [0.1], board="digits.instance-wise"),
        looked("retrain_held_out", [0.1]),
    ],
    ids=["claimed only", "refuted", "other recipe", "other submitter", "other board", "held out"],
)
def test_what_is_no_further_training_like_the_first_has_a_row_of_its_own(other):
    found = joined(looked("retrain", [0.9, 1.0]), other)
    assert found["retrain"] == {"method": "retrain"}
    assert found[other.submission.method] == {"method": other.submission.method}


def test_further_trainings_are_part_of_retrains_row_on_a_page():
    own = {"board": "b", "state": "re-scored", "reference_row": True, "n": 2, "same_recipe": True}
    spread = {"mean": 0.5, "std": 0.1, "n": 4}
    pooled = {"methods": ["retrain", "retrain@2"], "models": 4, "metrics": {"tow": spread}}
    (row,) = board_rows([
        {**own, "method": "retrain", "metrics": {"tow": {**spread, "mean": 1}}, "retrains": pooled},
        {**own, "method": "retrain@2", "metrics": {}, "part_of": "retrain"},
    ])  # fmt: skip
    assert row.n == 4 and row.metrics["tow"].mean == 0.5
    assert row.details["joined"] == ["retrain", "retrain@2"]


def test_nothing_is_compared_with_a_retrain_of_another_recipe(store):
    def gaps():
        made = {row["method"]: row for row in rows(FolderFiles(store.root)) if not row["paper"]}
        return [made["suli"]["gap_to_retrain"], made["suli"]["metrics"].get("tow"),
                made["suli"]["claimed_metrics"].get("activation_distance")]  # fmt: skip

    assert None not in gaps()
    # As records say that are older than the field.
    store.change_records(lambda record: record.pop("same_recipe"), "retrain")
    assert None not in gaps()
    store.change_records(lambda record: record["original"].pop("recipe"), "retrain")
    assert gaps() == [None, None, None]
