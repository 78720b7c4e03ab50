"""The trade-off: what is still known of the forget set against what is kept of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from benchmark_adapters.grid.table import with_deviation
from benchmark_adapters.report.palette import Mark, Theme, marks, shortened
from benchmark_adapters.report.picture import (
    WIDTH,
    CannotBeDrawn,
    Numbers,
    Picture,
    picture,
)
from benchmark_adapters.report.run_folder import Scenario

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Forget against retain"
CAPTION = """
Each mark is a method's mean over n={n} seeds ({seeds}), its bars the standard deviation over them.
Hollow grey marks are the controls, which forget nothing: where a control stands, standing there
proves nothing. {ideal}
"""
CLASS_WISE = "The ideal is the upper left corner, or rather Retrain, the filled star."
INSTANCE_WISE = (
    "The ideal is Retrain, the filled star, whose forget accuracy is that of samples never seen; "
    "further left is over-forgetting."
)


@dataclass(frozen=True)
class Sides:
    """One panel: the metrics of its axes, and what they are called there."""

    across: str
    up: str
    across_title: str
    up_title: str


TRAINING = Sides("forget_accuracy", "retain_accuracy", "forget accuracy (%)", "retain accuracy (%)")
UNSEEN_CLASSES = Sides(
    "test_forget_accuracy",
    "test_retain_accuracy",
    "test accuracy, forgotten class (%)",
    "test accuracy, other classes (%)",
)
UNSEEN = Sides("forget_accuracy", "test_accuracy", "forget accuracy (%)", "test accuracy (%)")


def trade_off(scenario: Scenario, labels: Sequence[str]) -> Picture:
    """Draw these methods. Raises CannotBeDrawn if a record lacks one of the accuracies."""
    panels = (TRAINING, UNSEEN_CLASSES if scenario.class_wise else UNSEEN)
    points = [_points(scenario, labels, panel) for panel in panels]
    ideal = CLASS_WISE if scenario.class_wise else INSTANCE_WISE
    seeds = ", ".join(map(str, scenario.seeds))
    return picture(
        "trade-off",
        TITLE,
        lambda theme: _figure(theme, scenario, panels, points),
        caption=CAPTION.format(n=len(scenario.seeds), seeds=seeds, ideal=ideal),
        alt=f"Two scatter plots of {len(labels)} methods, on training images and on test images; "
        "the numbers are in the table below.",
        numbers=_numbers(panels, points),
    )


@dataclass(frozen=True)
class Point:
    """A method in a panel: values over seeds, in per cent."""

    label: str
    across: Sequence[float]
    up: Sequence[float]


def _points(scenario: Scenario, labels: Sequence[str], panel: Sides) -> list[Point]:
    found = []
    for label in labels:
        own = [record["metrics"] for record in scenario.records if record["method"] == label]
        for metric in (panel.across, panel.up):
            if any(metric not in metrics for metrics in own):
                raise CannotBeDrawn(f"a record of {label} has no {metric}")
        across, up = ([100 * metrics[m] for metrics in own] for m in (panel.across, panel.up))
        found.append(Point(label, across, up))
    return found


def _numbers(panels: Sequence[Sides], points: Sequence[Sequence[Point]]) -> Numbers:
    titles = dict.fromkeys(t for panel in panels for t in (panel.across_title, panel.up_title))
    rows = []
    for of_method in zip(*points, strict=True):
        cells: dict[str, str] = {}
        for panel, point in zip(panels, of_method, strict=True):
            cells[panel.across_title] = with_deviation(point.across, 1)
            cells[panel.up_title] = with_deviation(point.up, 1)
        rows.append([of_method[0].label, *(cells[title] for title in titles)])
    return Numbers(("method", *titles), rows)


def _figure(
    theme: Theme, scenario: Scenario, panels: Sequence[Sides], points: Sequence[Sequence[Point]]
) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    all_marks = marks(theme, scenario.labels, scenario.controls)
    both = figure.subplots(1, 2)
    for axes, panel, drawn in zip(both, panels, points, strict=True):
        for point in drawn:
            _draw(axes, point, all_marks[point.label], scenario)
        axes.set(xlabel=panel.across_title, ylabel=panel.up_title)
        axes.grid(True)
        axes.set_axisbelow(True)
        axes.margins(0.08)
    figure.legend(*_legend(both[0]), loc="outside lower center", ncols=5, fontsize=9)
    return figure


def _legend(axes: Any) -> tuple[list[Any], list[str]]:
    """Marks without their bars."""
    bars, names = axes.get_legend_handles_labels()
    return [bar.lines[0] for bar in bars], names


def _draw(axes: Any, point: Point, mark: Mark, scenario: Scenario) -> None:
    spread = {
        name: stdev(values) if len(values) > 1 else None
        for name, values in (("xerr", point.across), ("yerr", point.up))
    }
    control = " (control)" if point.label in scenario.controls else ""
    axes.errorbar(
        mean(point.across),
        mean(point.up),
        **spread,
        color=mark.color,
        marker=mark.shape,
        markersize=15 if mark.shape == "*" else 9,
        markerfacecolor=mark.face,
        markeredgecolor=mark.color,
        markeredgewidth=1.8,
        linestyle="none",
        elinewidth=1,
        label=shortened(point.label) + control,
    )
