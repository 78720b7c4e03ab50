"""The radar of the paper's Figure 3: five objectives, one small chart a method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
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
from benchmark_adapters.report.run_folder import Record, Scenario

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OBJECTIVES = ("utility", "unlearning", "new data", "privacy", "efficiency")
TITLE = "Five objectives"
COLUMNS = 4
MEANING = """
Five objectives, 1 at the rim is best and 0 in the middle worst; mean over n={n} seeds ({seeds}).
Utility: retain accuracy. Unlearning: {unlearning}. New data: {new_data}. Privacy: 1 at a
membership-inference accuracy of 0.5, 0 at 0 or 1. Efficiency: seconds in updates on a logarithmic
scale from the slowest record of this scenario (0) to the fastest (1); a method without updates has
1. So efficiency is relative to this run, its methods and its machine. The dashed outline: Retrain.
"""
CLASS_WISE = {
    "unlearning": "1 - forget accuracy",
    "new_data": "accuracy on test images of the other classes",
}
INSTANCE_WISE = {
    "unlearning": "1 - the distance of forget accuracy to Retrain's of the same seed, or, where "
    "there is none, to the method's own accuracy on the reference set",
    "new_data": "test accuracy",
}


@dataclass(frozen=True)
class Objectives:
    """A method's five objectives by seed: one list an objective, in their order."""

    label: str
    values: Sequence[Sequence[float]]

    @property
    def means(self) -> list[float]:
        """Over seeds."""
        return [mean(values) for values in self.values]


def radar(scenario: Scenario, labels: Sequence[str]) -> Picture:
    """Draw these methods. Raises CannotBeDrawn if a record lacks what an objective is made of."""
    shown = [label for label in scenario.labels if label in {*labels, "retrain"}]
    found = {each.label: each for each in _objectives(scenario, shown)}
    drawn = [found[label] for label in shown if label in labels]
    words = CLASS_WISE if scenario.class_wise else INSTANCE_WISE
    seeds = ", ".join(map(str, scenario.seeds))
    return picture(
        "radar",
        TITLE,
        lambda theme: _figure(theme, drawn, found.get("retrain"), scenario),
        caption=MEANING.format(n=len(scenario.seeds), seeds=seeds, **words),
        alt=f"Radar charts of {len(drawn)} methods; the numbers are in the table below.",
        numbers=Numbers(("method", *OBJECTIVES), [_row(each) for each in drawn]),
    )


def objectives(
    record: Record, retrained: Record | None, slowest: float, fastest: float
) -> list[float]:
    """The five objectives of one record, each in [0, 1].

    retrained: the record of Retrain on the same scenario and seed. slowest, fastest: seconds in
    updates among the methods that are compared. Raises KeyError for a metric that is not there.
    """
    metrics = record["metrics"]
    new_data = "test_retain_accuracy" if record["scope"] == "class-wise" else "test_accuracy"
    return [
        metrics["retain_accuracy"],
        _unlearning(record, retrained),
        metrics[new_data],
        1 - 2 * abs(metrics["mia_accuracy"] - 0.5),
        efficiency(record["seconds"]["update"], slowest, fastest),
    ]


def efficiency(seconds: float, slowest: float, fastest: float) -> float:
    """From 0 at the slowest to 1 at the fastest, by the logarithm; 1 without updates."""
    if seconds <= fastest or slowest <= fastest:
        return 1.0
    return 1 - math.log(seconds / fastest) / math.log(slowest / fastest)


def _unlearning(record: Record, retrained: Record | None) -> float:
    metrics = record["metrics"]
    forget = float(metrics["forget_accuracy"])
    if record["scope"] == "class-wise":
        return 1 - forget
    ideal = retrained["metrics"]["forget_accuracy"] if retrained else metrics["reference_accuracy"]
    return 1 - abs(forget - float(ideal))


def _objectives(scenario: Scenario, labels: Sequence[str]) -> list[Objectives]:
    retrained = {r["seed"]: r for r in scenario.records if r["method"] == "retrain"}
    # Of all methods, so that a method's value does not depend on which others are drawn.
    seconds = [r["seconds"]["update"] for r in scenario.records]
    updating = [value for value in seconds if value > 0] or [1.0]
    slowest, fastest = max(updating), min(updating)
    found = []
    for label in labels:
        own = [r for r in scenario.records if r["method"] == label]
        try:
            rows = [objectives(r, retrained.get(r["seed"]), slowest, fastest) for r in own]
        except KeyError as missing:
            raise CannotBeDrawn(f"a record of {label} has no {missing}") from missing
        found.append(Objectives(label, list(zip(*rows, strict=True))))
    return found


def _row(method: Objectives) -> list[str]:
    return [method.label, *(with_deviation(values, 3) for values in method.values)]


def _figure(
    theme: Theme, drawn: Sequence[Objectives], retrain: Objectives | None, scenario: Scenario
) -> Figure:
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(drawn))
    rows = math.ceil(len(drawn) / columns)
    figure = Figure(
        figsize=(WIDTH, (1.9 if columns == COLUMNS else 2.6) * rows), layout="constrained"
    )
    all_marks = marks(theme, scenario.labels, scenario.controls)
    for number, method in enumerate(drawn):
        axes = figure.add_subplot(rows, columns, number + 1, projection="polar")
        _rings(axes, theme)
        if retrain is not None:
            _outline(axes, retrain, theme)
        _polygon(axes, method, all_marks[method.label])
        control = " (control)" if method.label in scenario.controls else ""
        axes.set_title(shortened(method.label) + control, fontweight="bold", pad=20)
    return figure


def _rings(axes: Any, theme: Theme) -> None:
    axes.set_theta_offset(math.pi / 2)
    axes.set_theta_direction(-1)
    axes.set_ylim(0, 1)
    axes.set_yticks([0.25, 0.5, 0.75, 1], labels=[])
    axes.set_xticks(_angles()[:-1], labels=[])
    axes.spines["polar"].set_color(theme.faint)
    for angle, name in zip(_angles(), OBJECTIVES, strict=False):
        # Outwards from the rim, so that no name lies on the chart.
        side = math.sin(angle)
        aligned = "center" if abs(side) < 0.1 else "left" if side > 0 else "right"
        level = "bottom" if math.cos(angle) > 0.9 else "center"
        axes.text(angle, 1.08, name, ha=aligned, va=level, fontsize=8.5)


def _outline(axes: Any, retrain: Objectives, theme: Theme) -> None:
    means = retrain.means
    axes.plot(_angles(), [*means, means[0]], color=theme.text, linestyle="--", linewidth=1)


def _polygon(axes: Any, method: Objectives, mark: Mark) -> None:
    closed = [*method.means, method.means[0]]
    axes.plot(_angles(), closed, color=mark.color, linewidth=2)
    axes.fill(_angles(), closed, color=mark.color, alpha=0.25)


def _angles() -> list[float]:
    """One an objective, and the first again to close the outline."""
    return [2 * math.pi * index / len(OBJECTIVES) for index in range(len(OBJECTIVES) + 1)]
