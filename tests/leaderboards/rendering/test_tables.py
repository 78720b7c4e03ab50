"""A board's table: groups, order, best values, and the columns that tell nothing apart."""

from dataclasses import replace

import pytest
from leaderboard_example import aggregate, boards, spread

from leaderboards.rendering.aims import Aim
from leaderboards.rendering.rows import board_rows
from leaderboards.rendering.tables import board_table


def table(number=0, rows=None):
    return board_table(boards()[number], board_rows(aggregate() if rows is None else rows))


def changed(method, **keys):
    """The example's rows with one of the class-wise board changed."""
    return [
        {**row, **keys} if row["method"] == method and row["board"] == "digits.class-wise" else row
        for row in aggregate()
    ]


def titles(found):
    return {column.title: column for column in found.columns}


def best(found):
    """By column title, the methods in bold."""
    return {
        column.title: [row.row.method for row in found.rows if row.cells[index].best]
        for index, column in enumerate(found.columns)
    }


def test_rows_are_in_groups_and_numbered_through():
    found = table()
    kinds = {group.kind: [row.row.method for row in group.rows] for group in found.groups}
    assert list(kinds) == ["reference", "method", "control", "refuted"]
    assert kinds["control"] == ["logit_mask", "bn_drift"]
    assert kinds["refuted"] == ["wishful"]
    assert [row.number for row in found.rows] == list(range(1, 13))


def test_methods_are_in_the_order_of_their_gap_and_those_without_one_are_last():
    (group,) = [g for g in table(rows=changed("suli", gap_to_retrain=None)).groups
                if g.kind == "method"]  # fmt: skip
    names = [row.row.method for row in group.rows]
    assert names[0] == "neg_grad" and names[-1] == "suli"


def test_the_order_of_the_aggregate_changes_nothing():
    assert table(rows=aggregate()[::-1]) == table()


def test_rows_of_other_boards_are_not_shown():
    assert len(table(1).rows) == 7
    assert [row.row.board for row in table(2).rows] == ["cifar10-resnet18.class-wise"] * 5


def test_only_columns_that_somebody_filled_are_there():
    assert "Gap to Retrain %" in titles(table(0)) and "Gap to Retrain %" not in titles(table(2))
    assert "Test-forget %" not in titles(table(1)) and "Test %" in titles(table(1))


def test_best_is_a_verified_method_and_ties_share_it():
    found = best(table())
    assert found["Forget %"] == ["suli", "su", "random_label"]
    assert found["MIA accuracy"] == ["finetune"]
    alone = best(table(rows=changed("finetune", state="claimed")))
    assert alone["MIA accuracy"] == ["suli"], "a claim that nobody checked can't be best"


def test_instance_wise_forget_is_best_where_it_is_as_retrain():
    column = titles(table(1))["Forget %"]
    assert column.ideal == "as Retrain" and best(table(1))["Forget %"] == ["finetune"]


def test_a_column_in_which_a_control_is_as_good_as_the_best_method_is_marked():
    found = table(1)
    reached = ["Retain %", "Forget %", "Test %", "Gap to Retrain %"]
    assert found.reached == {"bn_drift": reached}
    assert titles(table(0))["Gap to Retrain %"].reached_by == ("logit_mask",)


def test_a_refuted_control_marks_nothing_and_a_refuted_method_does_not_compete():
    rows = changed("logit_mask", state="refuted")
    assert "logit_mask" not in table(rows=rows).reached
    rows = changed("finetune", state="refuted")
    assert best(table(rows=rows))["Retain %"] == ["su@official"]


def test_cost_is_not_marked_because_a_control_that_does_nothing_is_always_cheap():
    cost = {"backward_passes": {"mean": 0.0, "std": 0.0, "n": 3}}
    rows = changed("logit_mask", metrics=cost)
    assert titles(table(rows=rows))["Backward passes"].reached_by == ()


def test_without_a_verified_method_nothing_is_best_and_nothing_is_marked():
    found = table(2)
    assert found.reached == {} and not any(best(found).values())


def test_the_paper_is_compared_with_the_papers_retrain():
    paper = {**aggregate()[-1], "board": "digits.instance-wise", "reference_row": False}
    retrain = {**paper, "method": "Retrain", "reference_row": True,
               "metrics": {"forget_accuracy": {"mean": 0.85}}}  # fmt: skip
    row = {**paper, "metrics": {"forget_accuracy": {"mean": 0.84}}}
    found = table(1, rows=[*aggregate(), row, retrain])
    (cell,) = [r.cells[1] for r in found.rows if r.row.method == "SULI"]
    assert cell.key == pytest.approx(0.01)


def test_a_figure_over_fewer_records_says_so():
    row = aggregate()[7]
    metrics = {**row["metrics"], "mia_accuracy": {"mean": 0.6, "std": 0.1, "n": 2}}
    found = table(rows=changed("suli", metrics=metrics))
    (cells,) = [row.cells for row in found.rows if row.row.method == "suli"]
    assert [cell.n for cell in cells] == [None, None, None, None, 2, None, None]


def test_without_retrain_nothing_is_as_retrain():
    rows = [row for row in aggregate() if row["method"] != "retrain"]
    assert best(table(1, rows=rows))["Forget %"] == []
    assert "Forget %" not in table(1, rows=rows).reached["bn_drift"]


@pytest.mark.parametrize(
    "aim, better, worse",
    [
        (Aim("higher"), 0.9, 0.8),
        (Aim("lower"), 0.1, 0.2),
        (Aim("nearest", 0.5), 0.45, 0.6),
        (Aim("nearest"), 0.71, 0.5),
    ],
)
def test_an_aim_says_which_value_is_better(aim, better, worse):
    assert aim.distance(better, 0.7) < aim.distance(worse, 0.7)


def bounded(*methods, updates=None):
    """The example's class-wise rows, of which these ran out of relearning at 100 updates."""
    updates = updates or {}
    cut = {"mean": None, "std": None, "n": 0, "above": 100.0}
    own = [row for row in aggregate() if row["board"] == "digits.class-wise"]
    return [
        {**row, "metrics": {**row["metrics"], "relearn_updates": cut if row["method"] in methods
         else {"mean": updates.get(row["method"], 30.0), "std": 1.0, "n": 3}}}
        for row in own
    ]  # fmt: skip


def relearn_cells(rows):
    """By method, the cell of its relearn time, which is good as Retrain's; and the column."""
    board = replace(boards()[0], aims={"relearn_updates": Aim("nearest")})
    found = board_table(board, board_rows(rows))
    index = [column.name for column in found.columns].index("relearn_updates")
    return {row.row.method: row.cells[index] for row in found.rows}, found.columns[index]


def test_a_relearn_time_that_ran_out_is_a_bound_and_compared_with_nothing():
    rows = bounded("logit_mask", updates={"retrain": 40.0, "suli": 39.0, "su": 38.0})
    rows = [{**row, "verified_metrics": [*(row["verified_metrics"] or []), "relearn_updates"]}
            for row in rows]  # fmt: skip
    cells, column = relearn_cells(rows)
    assert column.title == "Relearn updates (forget set)" and column.reached_by == ()
    assert cells["logit_mask"].text == "> 100" and cells["logit_mask"].key is None
    assert cells["logit_mask"].n is None and cells["su"].text == "38.0 ± 1.0"
    assert cells["suli"].best and not cells["su"].best


def test_nothing_is_near_to_a_retrain_whose_relearn_time_ran_out():
    cells, column = relearn_cells(bounded("retrain", "logit_mask"))
    assert cells["retrain"].text == "> 100" and column.reached_by == ()
    assert {cell.key for cell in cells.values()} == {None}


def test_without_a_retrain_of_the_originals_recipe_nothing_is_as_retrain():
    made = table(1, rows=[{**row, "same_recipe": False} for row in aggregate()])
    assert made.without_yardstick and not table(1).without_yardstick
    (forget,) = [i for i, column in enumerate(made.columns) if column.name == "forget_accuracy"]
    assert all(row.cells[forget].key is None and not row.cells[forget].best for row in made.rows)


SAID = "class-3/0: cannot be told from a control: it hides the class and has not forgotten it"
AUDITED = {"like": 17, "with_power": 21, "cases": 3}


@pytest.mark.parametrize(("std", "near"), [(0.03, True), (0.02, False)])
def test_controls_are_compared_within_the_spreads_of_both_rows(std, near):
    def rows():
        for row in aggregate():
            if row["board"] == "digits.class-wise" and row["method"] in ("finetune", "bn_drift"):
                best = row["method"] == "finetune"
                metrics = {"test_retain_accuracy": spread(0.99 if best else 0.95, std)}
                row = {**row, "metrics": metrics, "state": "reproduced"}
            yield row

    column = titles(table(rows=list(rows())))["Test-retain %"]
    assert ("bn_drift" in column.reached_by) == near


def test_what_cannot_be_told_from_a_control_competes_for_nothing():
    assert any("suli" in methods for methods in best(table()).values())
    found = table(rows=changed("suli", impostor=SAID))
    kinds = {group.kind: [row.row.method for row in group.rows] for group in found.groups}
    assert list(kinds) == ["reference", "method", "impostor", "control", "refuted"]
    assert kinds["impostor"] == ["suli"]
    assert not any("suli" in methods for methods in best(found).values())


def test_an_audit_is_a_count_of_tests_and_marks_nothing_as_best():
    rows = [
        {**row, "not_audited": "nobody has verified it"} for row in changed("suli", audit=AUDITED)
    ]
    found = table(rows=[
        {**row, "not_audited": None} if row["method"] == "suli" else row for row in rows
    ])  # fmt: skip
    (index,) = [i for i, column in enumerate(found.columns) if column.name == "audit"]
    assert found.columns[index].title == "Audit: like Retrain"
    assert (
        found.columns[index].ideal == "of tests with power" and not found.columns[index].reached_by
    )
    texts = {row.row.method: row.cells[index].text for row in found.rows}
    assert texts.pop("suli") == "17 of 21" and set(texts.values()) == {"–"}
    assert not any(row.cells[index].best for row in found.rows)
    assert "su" in found.not_audited["nobody has verified it"]
    assert not table().not_audited
