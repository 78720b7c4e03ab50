"""The printed table: means, deviations, best marks, controls apart, gaps to Retrain."""

import pytest

from benchmark_adapters.grid.columns import gap_to_retrain, panel_columns
from benchmark_adapters.grid.rows import reached_by_controls, scenario_rows
from benchmark_adapters.grid.table import scenario_tables, table_cell


def record(method, seed=0, control=False, scope="class-wise", **metrics):
    scores = {
        "retain_accuracy": 1.0, "forget_accuracy": 0.0, "test_retain_accuracy": 0.9,
        "test_forget_accuracy": 0.0, "mia_accuracy": 0.5, "test_accuracy": 0.8, **metrics,
    }  # fmt: skip
    if scope == "instance-wise":
        del scores["test_retain_accuracy"], scores["test_forget_accuracy"]
    return {
        "benchmark": "b", "scenario": "class-3", "scope": scope, "method": method, "seed": seed,
        "metrics": scores, "control": control, "seconds": {"update": 1.0, "total": 2.0},
        "passes": {"forward": {"forget": 10, "retain": 5}, "backward": {"forget": 3}},
        "same_recipe": True if method == "retrain" else None, "hyperparameters": {},
    }  # fmt: skip


def test_means_and_sample_deviations_are_over_seeds():
    text = scenario_tables([record("suli", s, retain_accuracy=v) for s, v in enumerate((0.9, 0.8))])
    assert "85.0 ± 7.1" in text and "n=2 seeds (0, 1)" in text


def test_the_gap_is_the_mean_distance_to_retrain_of_the_same_seed():
    retrained = {0: record("retrain"), 1: record("retrain", 1, retain_accuracy=0.0)}
    mine = record("suli", retain_accuracy=0.8, forget_accuracy=0.1, mia_accuracy=0.6)
    assert gap_to_retrain(mine, retrained) == pytest.approx((0.2 + 0.1 + 0.0 + 0.1) / 4)
    assert gap_to_retrain(record("suli", 2), retrained) is None


def test_instance_wise_the_best_forget_accuracy_is_retrains():
    rows = [
        record("retrain", forget_accuracy=0.9, scope="instance-wise"),
        record("suli", forget_accuracy=0.88, scope="instance-wise"),
        record("su", forget_accuracy=0.2, scope="instance-wise"),
    ]
    columns, made = scenario_rows(rows)
    forget = [column.title for column in columns].index("forget %")
    assert [forget in row.best for row in made] == [False, True, False]


def test_controls_and_references_are_apart_and_never_best():
    rows = [
        record("original", forget_accuracy=1.0),
        record("suli", forget_accuracy=0.1),
        record("logit_mask", control=True),
    ]
    text = scenario_tables(rows)
    lines = text.splitlines()
    heading = next(i for i, line in enumerate(lines) if line.startswith("controls"))
    assert lines[heading + 1].startswith("logit_mask") and "*" not in lines[heading + 1]
    assert "10.0*" in text
    assert "*" not in next(line for line in lines if line.startswith("original"))


def test_a_value_that_there_is_not_is_a_dash():
    assert "-" in scenario_tables([record("suli")], panel=True).splitlines()[-2].split()


def test_a_column_in_which_a_control_is_as_good_is_marked_but_not_for_cost():
    rows = [
        record("retrain", linear_probe_forget_accuracy=0.6),
        record("suli", linear_probe_forget_accuracy=0.7, retain_accuracy=0.9),
        record("logit_mask", control=True, linear_probe_forget_accuracy=0.9),
    ]
    columns, made = scenario_rows(rows)
    reached = {columns[i].title: by for i, by in reached_by_controls(columns, made).items()}
    assert reached["retain %"] == ["logit_mask"] and "update s" not in reached
    columns, made = scenario_rows(rows, panel_columns(rows))
    probe = [column.title for column in columns].index("probe-forget %")
    assert probe not in reached_by_controls(columns, made)
    assert [probe in row.best for row in made] == [False, True, False]
    text = scenario_tables(rows, panel=True)
    assert "retain %†" in text and "probe-forget %†" not in text and "70.0*" in text


def test_the_dagger_compares_spreads_and_not_bare_means():
    rows = [
        *(record("suli", seed, forget_accuracy=v) for seed, v in enumerate((0.0, 0.2))),
        *(record("bn_drift", seed, True, forget_accuracy=v) for seed, v in enumerate((0.1, 0.3))),
        *(record("far", seed, True, forget_accuracy=v) for seed, v in enumerate((0.8, 0.9))),
    ]
    columns, made = scenario_rows(rows)
    forget = [column.title for column in columns].index("forget %")
    assert reached_by_controls(columns, made)[forget] == ["bn_drift"]
    uncontrolled = [{**each, "control": False} for each in rows]
    assert forget not in reached_by_controls(*scenario_rows(uncontrolled))


def test_all_retrains_are_one_row_and_another_recipe_is_no_yardstick():
    rows = [
        record("suli", zrf=0.4),
        record("retrain", zrf=0.5),
        record("retrain@2", zrf=0.7),
        record("retrain_held_out", zrf=0.6),
    ]
    columns, made = scenario_rows(rows, panel_columns(rows))
    zrf = [column.title for column in columns].index("ZRF")
    assert {row.label: row.values[zrf] for row in made} == {
        "suli": [0.4], "retrain": [0.5, 0.7], "retrain_held_out": [0.6],
    }  # fmt: skip
    assert "(-1.4)" in scenario_tables(rows, panel=True)
    gap = [column.title for column in columns].index("gap %")
    assert made[0].values[gap] != [None]
    unequal = [{**each, "same_recipe": False} for each in rows]
    columns, made = scenario_rows(unequal, panel_columns(unequal))
    assert not made[0].best & {gap, zrf} and made[0].values[gap] == [None]


def test_without_retrain_nothing_is_nearest_to_it():
    rows = [
        record("suli", zrf=0.4, linear_probe_forget_accuracy=0.7),
        record("bn_drift", control=True, zrf=0.5, linear_probe_forget_accuracy=0.9),
    ]
    columns, made = scenario_rows(rows, panel_columns(rows))
    further = {
        columns.index(column) for column in columns if column.title in ("probe-forget %", "ZRF")
    }
    assert not made[0].best & further and not reached_by_controls(columns, made).keys() & further


def relearned(method, *updates, reached=(), **more):
    """One record a seed; seeds that are not in `reached` ran out of updates."""
    return [
        record(method, seed, relearn_updates=value, relearn_reached=float(seed in reached), **more)
        for seed, value in enumerate(updates)
    ]


def test_a_relearn_time_that_ran_out_is_a_bound_and_in_no_mean():
    rows = [
        *relearned("retrain", 40.0, 42.0, reached=(0, 1)),
        *relearned("su", 30.0, 33.0, reached=(0, 1)),
        *relearned("suli", 41.0, 100.0, reached=(0,)),
        *relearned("logit_mask", 100.0, 100.0, control=True),
    ]
    columns, made = scenario_rows(rows, panel_columns(rows))
    relearn = [column.title for column in columns].index("relearn")
    shown = {row.label: table_cell(row, relearn, columns[relearn]).strip() for row in made}
    assert shown == {
        "retrain": "41.0 ± 1.4", "su": "31.5 ± 2.1*", "suli": "> 100 (1 of 2)",
        "logit_mask": "> 100",
    }  # fmt: skip
    assert "> 100 (1 of 2)" in scenario_tables(rows, panel=True)
    assert relearn not in reached_by_controls(columns, made)
    assert [row.mean(relearn) for row in made] == [41.0, 31.5, None, None]


def test_nothing_is_near_to_a_retrain_whose_relearn_time_ran_out():
    rows = [
        *relearned("retrain", 100.0),
        *relearned("suli", 99.0, reached=(0,)),
        *relearned("logit_mask", 100.0, control=True),
    ]
    columns, made = scenario_rows(rows, panel_columns(rows))
    relearn = [column.title for column in columns].index("relearn")
    assert not any(relearn in row.best for row in made)
    assert relearn not in reached_by_controls(columns, made)
