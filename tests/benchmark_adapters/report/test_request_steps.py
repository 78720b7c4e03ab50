"""Requests that follow one another in a report: their tables, their picture, damaged steps."""

import json
import shutil

import pytest
from made_once import made_once
from PIL import Image
from report_page import Page, report
from run_of_sequences import CLASSES, SAMPLES, run_of_sequences

from benchmark_adapters.grid.sequence_tables import sequences
from benchmark_adapters.records.record import read_record, write_record
from benchmark_adapters.report.palette import DARK, LIGHT
from benchmark_adapters.report.request_steps import PANELS, line_of

HEADING = "Request after request"


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    return made_once(tmp_path_factory, "run-of-sequences", run_of_sequences)


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    """The report of all of it."""
    folder = tmp_path_factory.mktemp("report")
    done = report(run, "--records-only", "--output", folder)
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module")
def page(made):
    return Page.of(made)


def of_classes(run):
    """The records of the method that forgot class after class, by seed."""
    paths = sorted(run.rglob(f"{CLASSES}/neg_grad/*.json"))
    return [read_record(path) for path in paths]


def rows_of_classes(page):
    """The lines of the table after each request, of the method that forgot class after class."""
    start = next(at for at, row in enumerate(page.rows) if "test-forget so far %" in row)
    return page.rows[start + 1 : start + 5]


def test_the_tables_show_each_request_and_all_at_once(run, page):
    found = sequences(of_classes(run))["neg_grad"]
    lines = rows_of_classes(page)
    assert [line[:2] for line in lines] == [["neg_grad", at] for at in ("1", "2", "3", "at once")]
    earlier = [100 * each["after_each"][1]["earlier_accuracy"] for each in found]
    assert len(earlier) == 2 and lines[1][3].startswith(f"{sum(earlier) / 2:.1f} ± ")
    kept = [100 * each["at_once"]["retain_accuracy"] for each in found]
    assert lines[3][5].startswith(f"{sum(kept) / 2:.1f} ± ") and lines[3][3] == "-"
    assert lines[0][3] == "-"
    assert page.text.count("drift from the same method on everything at once") == 2


def test_the_picture_is_drawn_by_default_on_both_themes(made, page):
    for theme in (LIGHT, DARK):
        for scenario in (CLASSES, SAMPLES):
            image = Image.open(made / f"digits-{scenario}-requests-{theme.name}.png").convert("RGB")
            assert "#{:02x}{:02x}{:02x}".format(*image.getpixel((0, 0))) == theme.background
            # The method's own hue, of its line and its marks.
            hue = tuple(bytes.fromhex(theme.hues[0][1:]))
            counted = image.getcolors(image.width * image.height)
            assert next(count for count, color in counted if color == hue) > 500
    assert page.text.count(HEADING) == 2


def test_it_says_what_is_drawn_and_what_was_asked_once(page):
    assert "means over n=2 seeds (0, 1)" in page.text
    assert "The dashed line is Retrain" in page.text
    assert "no steps of them: original, bn_drift." in page.text
    assert "a round's accuracy is on what its own request asks for" in page.text
    assert page.text.count("later ones take it from the model they start from") == 1
    assert any("line charts of 1 methods" in each["alt"] for each in page.all("img"))


def test_a_line_has_the_requests_that_its_panel_is_about():
    after = [
        {"forget_accuracy": 0.5, "retain_accuracy": 1.0},
        {"forget_accuracy": 0.25, "earlier_accuracy": 0.75, "retain_accuracy": 0.5},
    ]
    once = {"forget_accuracy": 0.0, "retain_accuracy": 0.25}
    asked, earlier, kept = (
        line_of("su", [{"after_each": after, "at_once": once}] * 2, panel) for panel in PANELS
    )
    assert asked.steps == {1: [50, 50], 2: [25, 25]} and asked.at_once == [0, 0]
    assert earlier.steps == {2: [75, 75]} and earlier.at_once == []
    assert kept.steps == {1: [100, 100], 2: [50, 50]} and kept.at_once == [25, 25]


def test_without_a_method_that_was_asked_request_after_request_the_reason_is_named(run, tmp_path):
    choice = ("--methods", "original", "--scenario", CLASSES, "--records-only", "--json")
    done = report(run, "--output", tmp_path, *choice)
    (left_out,) = (e for e in json.loads(done.output)["left_out"] if e["picture"] == HEADING)
    assert "none of the chosen methods was asked request after request" in left_out["reason"]
    assert "at once" in Page.of(tmp_path).text


def test_a_record_with_damaged_steps_is_set_aside(run, tmp_path):
    runs = shutil.copytree(run, tmp_path / "runs")
    path = next(runs.rglob(f"{CLASSES}/neg_grad/1-*.json"))
    record = read_record(path)
    record["notes"]["sequence"]["after_each"].pop()
    write_record(path, record)
    done = report(runs, "--scenario", CLASSES, "--methods", "original", "--records-only")
    assert done.exit_code == 0, done.output
    shown = Page.of(runs / "report")
    assert f"{path} is not a whole record: 'sequence' must hold accuracies" in shown.text
    assert " ± " not in rows_of_classes(shown)[1][3]
