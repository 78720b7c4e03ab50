"""Forget accuracy and loss over the rounds of training: layers of SULI, epochs of the others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark_adapters.report.palette import Mark, Theme, marks, shortened
from benchmark_adapters.report.picture import WIDTH, CannotBeDrawn, Picture, picture
from benchmark_adapters.report.run_folder import Scenario

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Accuracy and loss, round by round"
COLUMNS = 4
CAPTION = """
Seed {seed}. A round is one visit to a layer (SULI) or one epoch; round 0 is the original. Upper
panels: accuracy on the forget set after the round, with {target} as a dashed line: at or below it,
the stop rule ends the training. Lower panels: the round's mean training loss, which methods define
differently, so only its course can be compared. {requests}{undone}{layers}{left_out}
"""
REQUESTS = (
    "Requests follow one another: a round's accuracy is on what its own request asks for, so that "
    "it rises where the next one begins. "
)
# Of a request by ids, see `Session.stop_rule`.
LATER = "The dashed line is the first one's; later ones take it from the model they start from. "
UNDONE = "A cross is a round that was rolled back, which the line leaves out. "
TARGETS = {
    True: "its target, 0,",
    False: "its target, the original's accuracy on the reference set,",
}
LAYERS = "Bands are sweeps, one visit to every layer each. "
Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Course:
    """One method's rounds under one seed.

    start: forget accuracy of the original, if recorded. target: of the stop rule, if known.
    """

    label: str
    rounds: Sequence[Entry]
    start: float | None
    target: float | None = None

    @property
    def watched(self) -> bool:
        """Whether forget accuracy was measured after any round."""
        return any(entry["forget_accuracy"] is not None for entry in self.rounds)

    @property
    def kept(self) -> list[tuple[int, float]]:
        """Round and forget accuracy of what was accepted."""
        found = [] if self.start is None else [(0, self.start)]
        return found + self._accuracies(accepted=True)

    @property
    def rolled_back(self) -> list[tuple[int, float]]:
        """Round and forget accuracy of what was undone."""
        return self._accuracies(accepted=False)

    @property
    def losses(self) -> list[tuple[int, float]]:
        """Round and mean loss."""
        found = [(number, entry["loss"]) for number, entry in enumerate(self.rounds, 1)]
        return [(number, loss) for number, loss in found if loss is not None]

    @property
    def sweeps(self) -> list[tuple[int, int]]:
        """First and last round of each sweep over the layers; none without several layers."""
        layers = [entry["layer"] for entry in self.rounds]
        if len(set(layers)) < 2:
            return []
        starts = [n for n, layer in enumerate(layers, 1) if layer == 0]
        return list(zip(starts, [*(n - 1 for n in starts[1:]), len(layers)], strict=True))

    def _accuracies(self, *, accepted: bool) -> list[tuple[int, float]]:
        return [
            (number, entry["forget_accuracy"])
            for number, entry in enumerate(self.rounds, 1)
            if entry["forget_accuracy"] is not None and entry["accepted"] is accepted
        ]


def curves(scenario: Scenario, labels: Sequence[str], seed: int) -> Picture:
    """Draw the methods whose stop rule watched the forget set.

    Raises CannotBeDrawn if no record of this seed has such a history.
    """
    courses = [course for label in labels if (course := _course(scenario, label, seed))]
    drawn = [course for course in courses if course.watched]
    if not drawn:
        raise CannotBeDrawn(f"no method was stopped by its forget accuracy under seed {seed}")
    others = [course.label for course in courses if course not in drawn]
    left_out = f"Not measured between rounds: {', '.join(others)}." if others else ""
    layers = LAYERS if any(course.sweeps for course in drawn) else ""
    undone = UNDONE if any(course.rolled_back for course in drawn) else ""
    requests = REQUESTS + LATER * (not scenario.class_wise) if scenario.in_turn else ""
    return picture(
        "curves",
        TITLE,
        lambda theme: _figure(theme, drawn, scenario),
        caption=CAPTION.format(
            seed=seed,
            target=TARGETS[scenario.class_wise],
            requests=requests,
            undone=undone,
            layers=layers,
            left_out=left_out,
        ),
        alt=requests + " ".join(map(_in_words, drawn)),
    )


def _course(scenario: Scenario, label: str, seed: int) -> Course | None:
    stored, original = scenario.of(label, seed), scenario.of("original", seed)
    if stored is None:
        return None
    metrics = original.record["metrics"] if original is not None else {}
    # The stop rule's own (`Session.stop_rule`): 0, or the original's accuracy on the reference.
    target = 0.0 if scenario.class_wise else metrics.get("reference_accuracy")
    return Course(label, stored.record["history"], metrics.get("forget_accuracy"), target)


def _in_words(course: Course) -> str:
    undone = f", {len(course.rolled_back)} of them rolled back" if course.rolled_back else ""
    accuracies = [value for _, value in course.kept]
    change = f"from {accuracies[0]:.1%} to {accuracies[-1]:.1%} " if accuracies else ""
    return f"{course.label}: forget accuracy {change}in {len(course.rounds)} rounds{undone}."


def _figure(theme: Theme, drawn: Sequence[Course], scenario: Scenario) -> Figure:
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(drawn))
    rows = math.ceil(len(drawn) / columns)
    figure = Figure(figsize=(WIDTH, 3.3 * rows), layout="constrained")
    grid = figure.subplots(2 * rows, columns, squeeze=False)
    all_marks = marks(theme, scenario.labels, scenario.controls)
    lowest = _lowest(drawn)
    for axes in grid.flat:
        axes.set_visible(False)
    for number, course in enumerate(drawn):
        row, column = divmod(number, columns)
        pair = grid[2 * row, column], grid[2 * row + 1, column]
        _draw(*pair, course, all_marks[course.label], theme)
        pair[0].set_ylim(lowest, 100 + (100 - lowest) / 25)
        control = " (control)" if course.label in scenario.controls else ""
        pair[0].set_title(shortened(course.label) + control, fontweight="bold")
        if column == 0:
            pair[0].set_ylabel("forget acc. (%)")
            pair[1].set_ylabel("loss")
    return figure


def _lowest(drawn: Sequence[Course]) -> float:
    """Where all upper panels begin, in per cent: a little below the lowest of all values."""
    values = [value for each in drawn for _, value in [*each.kept, *each.rolled_back]]
    lowest = 100 * min([*values, *(each.target for each in drawn if each.target is not None)])
    return lowest - (100 - lowest) / 25 - 1e-9


def _draw(upper: Any, lower: Any, course: Course, mark: Mark, theme: Theme) -> None:
    for axes in (upper, lower):
        axes.set_visible(True)
        axes.grid(True)
        axes.set_xlim(-0.5, len(course.rounds) + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
        for first, last in course.sweeps[::2]:
            axes.axvspan(first - 0.5, last + 0.5, color=theme.grid, alpha=0.6, linewidth=0)
    _line(upper, [(number, 100 * value) for number, value in course.kept], mark)
    undone = [(number, 100 * value) for number, value in course.rolled_back]
    upper.plot(*_columns(undone), "x", color=theme.text, markersize=6, markeredgewidth=1.5)
    if course.target is not None:
        upper.axhline(100 * course.target, color=theme.text, linestyle="--", linewidth=1)
    upper.tick_params(labelbottom=False)
    _line(lower, course.losses, mark)
    lower.set_xlabel("round")


def _line(axes: Any, points: Sequence[tuple[int, float]], mark: Mark) -> None:
    small = 4 if len(points) < 40 else 0
    axes.plot(*_columns(points), color=mark.color, marker=mark.shape, markersize=small)


def _columns(points: Sequence[tuple[int, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
