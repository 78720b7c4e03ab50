"""What an aggregate's row says of several seeds and scenarios."""

import io

import pyarrow.parquet as pq

from leaderboards.claims.submission import record_name
from leaderboards.store.spreads import spreads as spreads_of
from leaderboards.store.tables import parquet


def spreads(updates, reached):
    """Spreads of records of two seeds and two scenarios; updates, reached: one list a seed."""
    records = [
        {"scenario": f"class-{scenario}", "seed": seed, "metrics": {
            "forget_accuracy": seed / 10, "relearn_updates": float(updates[seed][scenario]),
            "relearn_reached": float(reached[seed][scenario])}}
        for seed in (0, 1) for scenario in (0, 1)
    ]  # fmt: skip
    return spreads_of(records, {record_name(record): record["metrics"] for record in records})


def test_seeds_that_came_to_their_end_are_averaged_over_their_scenarios():
    found = spreads([[10, 20], [30, 40]], [[1, 1], [1, 1]])["relearn_updates"]
    assert found["mean"] == 25 and found["n"] == 2 and "above" not in found


def test_a_seed_that_ran_out_in_one_scenario_is_in_no_mean():
    found = spreads([[10, 20], [30, 100]], [[1, 1], [1, 0]])
    assert found["relearn_updates"] == {"mean": 15, "std": None, "n": 1, "above": 100}
    assert found["forget_accuracy"]["n"] == 2 and found["relearn_reached"]["mean"] == 0.75


def test_where_all_ran_out_there_is_the_bound_alone():
    found = spreads([[100, 5], [80, 100]], [[0, 1], [0, 0]])["relearn_updates"]
    assert found == {"mean": None, "std": None, "n": 0, "above": 100}


def test_the_flat_table_has_the_bound_in_a_column_of_its_own():
    made = [{"metrics": spreads([[100, 5], [80, 100]], [[0, 1], [0, 0]])}, {"metrics": {}}]
    columns = pq.read_table(io.BytesIO(parquet(made))).to_pydict()
    assert columns["relearn_updates_above"] == [100, None]
    assert columns["relearn_updates_mean"] == [None, None]
    assert "forget_accuracy_above" not in columns
