"""Where the marks of a trade-off plot stand."""

import math
import re

import pytest
from leaderboard_example import CLASS_WISE, aggregate, boards, spread

from leaderboards.rendering.plot import FRAME, RADIUS, REACH
from leaderboards.rendering.plot import trade_off_plots as plots_of
from leaderboards.rendering.rows import board_rows
from leaderboards.rendering.tables import board_table


def plots(number=0, rows=None):
    return plots_of(board_table(boards()[number], board_rows(rows or aggregate())))


def numbers(plot):
    return {mark.row.row.method: mark for mark in plot.marks}


def test_both_panels_have_every_row_but_the_refuted_one():
    first, second = plots()
    assert set(numbers(first)) == set(numbers(second)) == set(CLASS_WISE)
    assert (first.y_title, second.y_title) == ("Test-retain accuracy %", "Retain accuracy %")
    assert plots(1)[0].y_title == "Test accuracy %"


def test_marks_are_in_the_order_of_the_values():
    (plot, _) = plots()
    marks = numbers(plot)
    assert marks["suli"].x < marks["bn_drift"].x < marks["original"].x
    assert marks["random_label"].y > marks["suli"].y > marks["original"].y  # pixels go down


def test_a_value_stands_where_the_ticks_say():
    plot, _ = plots()
    ticks = {tick.label: tick.at for tick in plot.x_ticks}
    assert list(ticks) == ["0", "20", "40", "60", "80", "100"]
    assert numbers(plot)["suli"].x == ticks["0"]
    assert numbers(plot)["original"].x == ticks["100"]


def audited(likes, test_retain):
    """Rows with these counts of ten tests like Retrain, and these accuracies."""
    row = aggregate()[7]
    return [
        {**row, "method": f"m{i}", "audit": {"like": like, "with_power": 10, "cases": 1},
         "metrics": {**row["metrics"], "test_retain_accuracy": spread(kept, 0.01)}}
        for i, (like, kept) in enumerate(zip(likes, test_retain, strict=True))
    ]  # fmt: skip


def test_an_audited_board_shows_what_hides_beside_what_forgets():
    """One axis is what the audit counts, for rows that have one; the other panel has all."""
    rows = [*audited([0, 4, 10], [0.9, 0.8, 0.7]), aggregate()[0]]
    counted, forget = plots(rows=rows)
    assert counted.x_title == "Audit: like Retrain, % of tests" and counted.y_title == (
        forget.y_title
    )
    marks = numbers(counted)
    ticks = {tick.label: tick.at for tick in counted.x_ticks}
    assert [marks[f"m{i}"].x for i in range(3)] == [ticks["0"], ticks["40"], ticks["100"]]
    assert marks["m1"].text.endswith("test-retain 80.0 ± 1.0 %, like Retrain in 4 of 10 tests")
    assert "original" not in marks and "original" in numbers(forget)


def test_what_lies_far_below_most_does_not_squeeze_the_others():
    rows = audited(range(10), [0.1, *(0.85 + 0.01 * i for i in range(9))])
    plot, _ = plots(rows=rows)
    marks = numbers(plot)
    assert plot.y_ticks[0].label == "84"
    assert [name for name, mark in marks.items() if mark.below] == ["m0"] and plot.reaches_below
    assert marks["m1"].y < marks["m0"].y < FRAME.bottom and "test-retain 10.0" in marks["m0"].text
    assert not any(each.reaches_below for each in plots(rows=rows[:7]))


@pytest.mark.parametrize("count", [2, 12, 60])
def test_numbers_cover_neither_each_other_nor_the_frame_and_stand_near(count):
    """Many methods that all forget everything and keep everything."""
    row = aggregate()[7]
    rows = [{**row, "method": f"m{i}"} for i in range(count)]
    for plot in plots(rows=rows):
        at = [mark.badge for mark in plot.marks if mark.badge]
        assert len(plot.marks) == count and plot.crowded == (count == 60)
        assert len(at) == count or 12 < len(at) < count
        for index, one in enumerate(at):
            assert all(math.dist(one, other) > 2 * RADIUS for other in at[:index])
            assert FRAME.left < one[0] < FRAME.right and FRAME.top < one[1] < FRAME.bottom
            assert math.dist(one, (plot.marks[0].x, plot.marks[0].y)) <= REACH
        assert sum(mark.moved for mark in plot.marks) == len(at) - 1


@pytest.mark.parametrize("value", [0.0, 0.4037, 0.99, 1.0])
def test_rows_of_equal_value_still_get_an_axis(value):
    row = aggregate()[7]
    metrics = {**row["metrics"], "retain_accuracy": spread(value, None),
               "forget_accuracy": spread(value, 0.0)}  # fmt: skip
    rows = [{**row, "method": name, "metrics": metrics} for name in "ab"]
    for plot in plots(rows=rows):
        assert len(plot.x_ticks) >= 2 and len(plot.y_ticks) >= 2
        assert all(0 <= float(tick.label) <= 100 for tick in plot.x_ticks)


def test_rows_of_the_paper_are_shown_only_where_there_are_no_others():
    assert set(numbers(plots(2)[0])) == {"Original", "Random Label", "Boundary", "SU", "SULI"}
    paper = {**aggregate()[-1], "board": "digits.class-wise"}
    assert "SULI" not in numbers(plots(rows=[*aggregate(), paper])[0])


def test_one_row_makes_no_plot():
    assert plots(rows=[aggregate()[0]]) == []


def test_whiskers_end_at_one_deviation_or_at_the_frame():
    plot, _ = plots()
    mark = numbers(plot)["bn_drift"]
    scale = (plot.x_ticks[1].at - plot.x_ticks[0].at) / 20
    horizontal = mark.whiskers[0]
    assert horizontal[2] - horizontal[0] == pytest.approx(2 * 4.7 * scale, abs=0.05)
    assert all(FRAME.top <= y <= FRAME.bottom for m in plot.marks for _, y, *_ in m.whiskers)


def test_each_mark_says_its_figures():
    text = numbers(plots()[0])["bn_drift"].text
    assert re.fullmatch(r"\d+ bn_drift: forget 35.1 ± 4.7 %, test-retain 94.7 ± 1.4 %", text)
