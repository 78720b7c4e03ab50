"""Requests that follow one another: what each forgets, what comes back, and what is kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from benchmark_adapters.grid.retrains import RETRAIN
from benchmark_adapters.grid.sequence_tables import sequences
from benchmark_adapters.report.palette import Mark, Theme, marks, shortened
from benchmark_adapters.report.picture import WIDTH, CannotBeDrawn, Picture, picture
from benchmark_adapters.report.run_folder import Scenario

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME, TITLE = "requests", "Request after request"
CAPTION = """
Accuracy after each request, on what it asks to forget, on what the requests before it forgot, and
on what is kept in the end. What stands higher in the middle panel than in the left one was brought
back by later requests. At once: the same method, asked once for everything. Marks are
means over n={n} seeds ({seeds}), bars the standard deviation over them. {retrain}{once}
"""
RETRAINED = (
    "The dashed line is Retrain, which had none of it: its accuracy on all that is forgotten, and "
    "on what is kept. "
)
ASKED_ONCE = "Asked once, so that there are no steps of them: {}."
MOST_TICKS = 8
IN_A_ROW = 5


@dataclass(frozen=True)
class Panel:
    """One of the three. of_retrain: the metric of a model that was asked once for everything;
    at_once: whether that of the method itself belongs beside its steps.
    """

    metric: str
    title: str
    of_retrain: str
    at_once: bool = True


PANELS = (
    Panel("forget_accuracy", "what the request asks for", "forget_accuracy"),
    Panel("earlier_accuracy", "what earlier requests forgot", "forget_accuracy", at_once=False),
    Panel("retain_accuracy", "what is kept", "retain_accuracy"),
)
Values = Sequence[float]


@dataclass(frozen=True)
class Line:
    """A method in a panel, in per cent. steps: by request, values over seeds; at_once: the same."""

    label: str
    steps: Mapping[int, Values]
    at_once: Values


def request_steps(scenario: Scenario, labels: Sequence[str]) -> Picture:
    """Draw these methods. Raises CannotBeDrawn if none of them was asked request after request."""
    found = sequences([each for each in scenario.records if each["method"] in labels])
    if not found:
        raise CannotBeDrawn("none of the chosen methods was asked request after request")
    lines = [[line_of(*item, panel) for item in found.items()] for panel in PANELS]
    levels = [_of_retrain(scenario, panel) if RETRAIN in labels else [] for panel in PANELS]
    once = [label for label in labels if label not in found and label != RETRAIN]
    return picture(
        NAME,
        TITLE,
        lambda theme: _figure(theme, scenario, lines, levels),
        caption=CAPTION.format(
            n=len(scenario.seeds),
            seeds=", ".join(map(str, scenario.seeds)),
            retrain=RETRAINED if all(levels) else "",
            once=ASKED_ONCE.format(", ".join(once)) if once else "",
        ),
        alt=f"Three line charts of {len(found)} methods over the requests: accuracy on what each "
        "asks for, on what earlier ones forgot, on what is kept; the numbers are in the table.",
    )


def line_of(label: str, seeds: Sequence[Mapping[str, Any]], panel: Panel) -> Line:
    """A method's line in a panel. seeds: what `sequences` gives of it."""
    steps: dict[int, list[float]] = {}
    for each in seeds:
        for number, after in enumerate(each["after_each"], 1):
            if panel.metric in after:
                steps.setdefault(number, []).append(100 * after[panel.metric])
    at_once = [100 * each["at_once"][panel.metric] for each in seeds] if panel.at_once else []
    return Line(label, steps, at_once)


def _figure(
    theme: Theme,
    scenario: Scenario,
    lines: Sequence[Sequence[Line]],
    levels: Sequence[Values],
) -> Figure:
    from matplotlib.figure import Figure

    rows = math.ceil((len(lines[0]) + 1) / IN_A_ROW)
    figure = Figure(figsize=(WIDTH, 3.3 + 0.25 * rows), layout="constrained")
    panels = figure.subplots(1, len(PANELS))
    panels[1].sharey(panels[0])
    all_marks = marks(theme, scenario.labels, scenario.controls)
    last = max(lines[0][0].steps)
    for axes, panel, drawn, level in zip(panels, PANELS, lines, levels, strict=True):
        _ruled(axes, panel, last, theme)
        handles = [_draw(axes, line, last, all_marks[line.label]) for line in drawn]
        if all(levels):
            dashed = {"color": theme.text, "linestyle": "--", "linewidth": 1}
            handles.append(axes.axhline(mean(level), **dashed))
        # No accuracy is above 1, where a single value would have the axis go on.
        lowest, highest = axes.get_ylim()
        axes.set_ylim(lowest, min(highest, 100 + (100 - lowest) / 25))
    if scenario.class_wise:
        panels[0].set_ylim(-4, 104)
    names = [shortened(line.label) for line in lines[0]] + [RETRAIN] * all(levels)
    figure.legend(handles, names, loc="outside lower center", ncols=IN_A_ROW, fontsize=9)
    return figure


def _of_retrain(scenario: Scenario, panel: Panel) -> Values:
    own = (each["metrics"] for each in scenario.records if each["method"] == RETRAIN)
    return [100 * metrics[panel.of_retrain] for metrics in own if panel.of_retrain in metrics]


def _ruled(axes: Any, panel: Panel, last: int, theme: Theme) -> None:
    """Axes from the first request to the last, and behind it a band for all of them at once."""
    numbers = list(range(1, last + 1, math.ceil(last / MOST_TICKS)))
    names = [str(number) for number in numbers]
    if panel.at_once:
        axes.axvspan(last + 0.5, last + 1.5, color=theme.grid, alpha=0.6, linewidth=0)
        numbers, names = [*numbers, last + 1], [*names, "at once"]
    axes.set_xticks(numbers, names)
    axes.set_xlim(0.5, last + (1.5 if panel.at_once else 0.5))
    axes.set(xlabel="after request", ylabel="accuracy (%)")
    axes.set_title(panel.title)
    axes.grid(True)
    axes.set_axisbelow(True)
    axes.margins(y=0.08)


def _draw(axes: Any, line: Line, last: int, mark: Mark) -> Any:
    """The method's steps, joined, and beside them what it comes to at once; its legend's handle."""
    bars = _marked(axes, line.steps, mark, linestyle="-")
    if line.at_once:
        _marked(axes, {last + 1: line.at_once}, mark, linestyle="none")
    return bars.lines[0]


def _marked(axes: Any, values: Mapping[int, Values], mark: Mark, *, linestyle: str) -> Any:
    several = any(len(each) > 1 for each in values.values())
    spread = [stdev(each) if len(each) > 1 else 0.0 for each in values.values()]
    return axes.errorbar(
        list(values),
        [mean(each) for each in values.values()],
        yerr=spread if several else None,
        color=mark.color,
        marker=mark.shape,
        markersize=7,
        markerfacecolor=mark.face,
        markeredgecolor=mark.color,
        linestyle=linestyle,
        linewidth=1.5,
        elinewidth=1,
    )
