"""Aggregate rows are checked before anything is shown of them."""

import pytest
from leaderboard_example import aggregate

from leaderboards.rendering.rows import Spread, board_rows


def test_a_row_keeps_what_is_computed_with_and_what_is_shown():
    (row,) = board_rows([aggregate()[7]])
    assert (row.method, row.state, row.n) == ("suli", "reproduced", 3)
    assert row.metrics["retain_accuracy"] == Spread(0.992, 0.012, 3)
    assert row.needs_only_forget and row.competes and row.verified
    assert row.details["hyperparameters"]["lr"] == 0.0001


def test_a_bound_takes_the_place_of_a_mean_where_there_is_none():
    alone = {"mean": None, "std": None, "n": 0, "above": 100.0}
    some = {"mean": 40.0, "std": None, "n": 1, "above": 100.0}
    metrics = {"relearn_updates": alone, "other_updates": some}
    (row,) = board_rows([{**aggregate()[7], "metrics": metrics}])
    assert row.metrics["relearn_updates"] == Spread(100.0, None, 0, 100.0)
    assert row.metrics["other_updates"] == Spread(40.0, None, 1, 100.0)
    with pytest.raises(ValueError, match="'relearn_updates' must be a finite number"):
        board_rows([{**aggregate()[7], "metrics": {"relearn_updates": {**alone, "above": "x"}}}])


def test_a_claim_that_nobody_checked_is_shown_with_its_claimed_figures():
    (row,) = board_rows([{**aggregate()[3], "metrics": {}}])
    assert row.state == "claimed" and not row.verified
    assert row.metrics == row.claimed != {}


def test_controls_references_paper_rows_and_refuted_rows_do_not_compete():
    rest = {row.method for row in board_rows(aggregate()) if not row.competes}
    assert {"original", "retrain", "bn_drift", "logit_mask", "wishful", "SULI"} <= rest
    assert "suli" not in rest


def test_a_metric_counts_as_verified_where_it_was_found_again():
    (row,) = board_rows([aggregate()[7]])
    assert row.is_verified("zrf") and not row.is_verified("update_seconds")
    assert row.is_verified("gap_to_retrain"), "as its parts are"
    parts = [name for name in aggregate()[7]["verified_metrics"] if name != "mia_accuracy"]
    (row,) = board_rows([{**aggregate()[7], "verified_metrics": parts}])
    assert not row.is_verified("gap_to_retrain")
    (claim,) = board_rows([{**aggregate()[7], "state": "claimed"}])
    assert not claim.is_verified("zrf")


@pytest.mark.parametrize(
    "change, said",
    [
        ({"method": ""}, "'method' must be a text"),
        ({"board": 3}, "'board' must be a text"),
        ({"state": "perfect"}, "'state' must be one of claimed, re-scored"),
        ({"control": "no"}, "'control' must be true or false"),
        ({"needs": "forget"}, "'needs' must be a list of texts"),
        ({"needs": [1]}, "'needs' must be a list of texts"),
        ({"metrics": [1]}, "'metrics' must be an object"),
        ({"metrics": {"zrf": {"mean": float("nan")}}}, "'zrf' must be a finite number"),
        ({"metrics": {"zrf": {"mean": True}}}, "'zrf' must be a finite number"),
        ({"metrics": {"zrf": {"mean": "0.5"}}}, "'zrf' must be a finite number"),
        ({"metrics": {"zrf": {"mean": 0.5, "std": float("inf")}}}, "'zrf' must be a finite number"),
        ({"gap_to_retrain": 0.1}, "'gap_to_retrain' must be an object"),
        ({"by_scenario": []}, "'by_scenario' must be an object"),
        ({"verified_by": ["me"]}, "'verified_by' must be a text"),
    ],
)
def test_a_broken_row_is_refused_with_its_name_and_the_key(change, said):
    with pytest.raises(ValueError, match="aggregate row 1 ") as raised:
        board_rows([{**aggregate()[7], **change}])
    assert said in str(raised.value)


def test_what_is_no_row_is_refused():
    with pytest.raises(ValueError, match="aggregate row 2 must be an object, got 'suli'"):
        board_rows([aggregate()[0], "suli"])
