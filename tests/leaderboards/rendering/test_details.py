"""What a page shows of a row on demand: its audit, and each figure beside the Retrains' spread."""

import pytest
from leaderboard_example import aggregate, boards, spread

from leaderboards.rendering.details import row_details
from leaderboards.rendering.rows import board_rows
from leaderboards.rendering.tables import board_table

METRICS = {"retain_accuracy": spread(0.9, 0.01), "tow": spread(0.5, None)}
RETRAIN = {"retain_accuracy": spread(0.96, 0.02), "tow": spread(0.7, 0.1)}


def details(retrain=True, metrics=METRICS, **keys):
    """The details of SULI's row, beside a Retrain that is a yardstick or none."""
    changes = {"suli": {"metrics": metrics, **keys},
               "retrain": {"metrics": RETRAIN, "same_recipe": retrain}}  # fmt: skip
    rows = [
        {**row, **changes.get(row["method"], {})} if row["board"] == boards()[0].name else row
        for row in aggregate()
    ]
    made = board_table(boards()[0], board_rows(rows))
    (row,) = [shown.row for shown in made.rows if shown.row.method == "suli"]
    return row_details(row, made.columns, made.yardstick)


def apart(found):
    return {figure.title: figure.apart for figure in found.figures}


def test_a_figure_is_told_in_deviations_of_the_retrains():
    assert apart(details())["Retain %"] == "-3.0" and apart(details())["ToW"] == "-2.0"


@pytest.mark.parametrize("metrics", [
    {"retain_accuracy": {"mean": None, "std": None, "n": 0, "above": 0.5}},
    {"forget_accuracy": spread(0.5, 0.1)},
])  # fmt: skip
def test_a_bound_and_what_retrain_has_no_value_of_are_not_compared(metrics):
    assert "–" in apart(details(metrics=metrics)).values()


def test_nothing_is_told_in_deviations_of_a_retrain_that_is_no_yardstick():
    assert set(apart(details(retrain=False)).values()) == {"–"}


def test_the_audit_is_told_or_why_there_is_none():
    facts = dict(details(audit={"like": 17, "with_power": 21, "cases": 3}).facts)
    assert facts["Audit"] == "17 of 21 tests with power say: like Retrain (3 cases)"
    facts = dict(details(not_audited="nobody has verified it", impostor="it hides").facts)
    assert facts["Audit"] == "none: nobody has verified it" and facts["Impostor"] == "it hides"
    assert "Audit" not in dict(details().facts)
