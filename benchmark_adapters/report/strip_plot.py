"""The strip plot of an audit: every test as a strip, Retrains as a band, each model as a mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import mean
from typing import TYPE_CHECKING, Any

from benchmark_adapters.audit.case_audit import CaseAudit, TestResult
from benchmark_adapters.audit.spread import Spread
from benchmark_adapters.report.palette import Mark, Theme, marks, shortened
from benchmark_adapters.report.picture import WIDTH, Picture, picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME, TITLE = "audit", "Every test of the audit"
AGAINST_RETRAINS = """
A strip is a test, a mark a model: how far its value is from the mean of {count} Retrains, in their
standard deviations (log-odds for fractions), on a scale that is logarithmic outside of the band.
Within the band a model is like Retrain; the short lines are the Retrains themselves. {seeds}Right
is a larger value, mostly of what is less forgotten; where a test measures a distance or a likeness
to the Retrains, only the table says the side. A grey name is a test without power, which decides
nothing. Hollow grey marks are the controls, which forget nothing.
"""
WITHOUT_RETRAINS = """
A strip is a test, a mark a model's value. {seeds}There are no Retrains to compare with, so that no
test decides. Hollow grey marks are the controls, which forget nothing.
"""
SEEDS = (
    "A mark is the mean over n={n} seeds ({seeds}), its line goes from the lowest to the highest. "
)
STRIP, LEGEND_LINE, LEGEND_COLUMNS = 0.46, 0.24, 4
# In a strip: references above, controls between, methods below.
LANES: Mapping[str, float] = {"original": -0.3, "held out": -0.3, "control": 0.0, "method": 0.3}
# In the legend.
ORDER: Mapping[str, int] = {"original": 0, "held out": 1, "method": 2, "control": 3}
Audits = Mapping[int, CaseAudit]


@dataclass(frozen=True)
class Strip:
    """A test of one or more audits. places: of each model along the strip, one for each seed.

    retrains: the places of the Retrains; none without them. decides: whether the test has power
    under any seed.
    """

    title: str
    kind: str
    places: Mapping[str, Sequence[float]]
    retrains: Sequence[float]
    decides: bool


def strip_plot(
    audits: Audits, labels: Sequence[str] | None = None, *, known: Sequence[str] | None = None
) -> Picture:
    """Draw the tests of one scenario's audits, which are by seed; at least one.

    labels: the models to draw, all of the audits if None. known: all models of the report in its
    order, so that a model has the same mark as in the report's other pictures.
    """
    roles = {label: role for audit in audits.values() for label, role in audit.roles.items()}
    order = sorted(_in_order(roles, known or []), key=lambda label: ORDER.get(roles[label], 2))
    shown = {label: roles[label] for label in order if labels is None or label in labels}
    limit = max(audit.limit or 0.0 for audit in audits.values())
    drawn = strips(audits)
    retrains = max(len(test.retrains) for audit in audits.values() for test in audit.tests)
    numbers = ", ".join(map(str, audits))
    seeds = SEEDS.format(n=len(audits), seeds=numbers) if len(audits) > 1 else ""
    caption = AGAINST_RETRAINS if limit else WITHOUT_RETRAINS
    return picture(
        NAME,
        TITLE,
        lambda theme: _figure(theme, drawn, shown, limit, _marks(theme, known or [*shown], roles)),
        caption=caption.format(count=retrains, seeds=seeds),
        alt=f"Strip plot of {len(drawn)} tests and {len(shown)} models; the numbers are in the "
        "tables of the audit.",
    )


def _in_order(roles: Mapping[str, str], known: Sequence[str]) -> list[str]:
    """The audited models: known ones first, in their order."""
    return list(dict.fromkeys([*(label for label in known if label in roles), *roles]))


def strips(audits: Audits) -> list[Strip]:
    """The tests of audits by seed. Places are distances where there are Retrains, else values."""
    by_name: dict[str, list[TestResult]] = {}
    for audit in audits.values():
        for test in audit.tests:
            by_name.setdefault(test.name, []).append(test)
    distances = any(audit.limit for audit in audits.values())
    return [_strip(tests, distances) for tests in by_name.values()]


def _marks(theme: Theme, known: Sequence[str], roles: Mapping[str, str]) -> dict[str, Mark]:
    labels = dict.fromkeys([*known, *roles])
    return marks(theme, labels, [label for label, role in roles.items() if role == "control"])


def _strip(tests: Sequence[TestResult], distances: bool) -> Strip:
    places: dict[str, list[float]] = {}
    for test in tests:
        for label, value in (test.distances if distances else test.values).items():
            if value is not None:
                places.setdefault(label, []).append(value)
    retrains = [place for test in tests for place in _own(test)] if distances else []
    first = tests[0]
    return Strip(first.title, first.kind, places, retrains, any(t.has_power for t in tests))


def _own(test: TestResult) -> list[float]:
    """The Retrains' own distances, counted as those of the models are."""
    if len(test.retrains) < 2:
        return []
    spread = Spread(test.retrains, test.scale, test.samples)
    return [spread.distance(value) for value in test.retrains]


def _figure(
    theme: Theme,
    strips: Sequence[Strip],
    shown: Mapping[str, str],
    limit: float,
    all_marks: Mapping[str, Mark],
) -> Figure:
    from matplotlib.figure import Figure

    lines = -(-(len(shown) + 2) // LEGEND_COLUMNS)
    height = STRIP * len(strips) + LEGEND_LINE * lines + 0.8
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    _ground(axes, strips, theme)
    if limit:
        _scale(axes, strips, limit)
        axes.axvspan(-limit, limit, color=theme.text, alpha=0.09, linewidth=0, zorder=0,
                     label=f"like Retrain, within {limit:.1f}")  # fmt: skip
        _retrains(axes, strips, theme)
    for number, (label, role) in enumerate(shown.items()):
        # The first ones lie on top.
        _draw(axes, strips, label, role, all_marks[label], zorder=4 - number / len(shown))
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=LEGEND_COLUMNS, fontsize=9)
    return figure


def _ground(axes: Any, strips: Sequence[Strip], theme: Theme) -> None:
    """The strips' names, and lines between them that are stronger where another kind begins."""
    axes.set_ylim(len(strips) - 0.5, -0.5)
    axes.set_yticks(range(len(strips)), [shortened(strip.title, 34) for strip in strips])
    axes.tick_params(axis="y", length=0)
    for name, strip in zip(axes.get_yticklabels(), strips, strict=True):
        name.set_color(theme.text if strip.decides else theme.faint)
    for row in range(1, len(strips)):
        other = strips[row].kind != strips[row - 1].kind
        axes.axhline(row - 0.5, color=theme.faint if other else theme.grid, linewidth=0.8, zorder=1)
    first = 0
    for kind, group in groupby(strips, key=lambda strip: strip.kind):
        count = len(list(group))
        axes.text(
            1.01,
            first + (count - 1) / 2,
            shortened(kind),
            rotation=270,
            va="center",
            fontsize=9,
            color=theme.faint,
            transform=axes.get_yaxis_transform(),
        )
        first += count
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("value")


def _scale(axes: Any, strips: Sequence[Strip], limit: float) -> None:
    """Distances, linear in the band and logarithmic outside of it."""
    places = [p for strip in strips for of in strip.places.values() for p in of]
    low, high = (max([2 * limit, *(sign * p * 1.4 for p in places)]) for sign in (-1, 1))
    axes.set_xscale("symlog", linthresh=limit, linscale=0.9)
    axes.set_xlim(-low, high)
    powers = [10.0**power for power in range(1, 9) if 10.0**power > 1.8 * limit]
    away = [limit, *(power for power in powers if power <= max(low, high))]
    ticks = [-place for place in reversed(away) if place <= low]
    ticks += [0.0, *(place for place in away if place <= high)]
    axes.set_xticks(
        ticks, [f"{round(tick, 1):,g}".replace("-", "\N{MINUS SIGN}") for tick in ticks]
    )
    axes.minorticks_off()
    axes.set_xlabel("distance from the Retrains' mean, in their standard deviations")


def _retrains(axes: Any, strips: Sequence[Strip], theme: Theme) -> None:
    places = [(place, row) for row, strip in enumerate(strips) for place in strip.retrains]
    if places:
        across, rows = zip(*places, strict=True)
        axes.plot(across, [row + LANES["held out"] for row in rows], linestyle="none", marker="|",
                  markersize=7, color=theme.text, label="Retrains", zorder=2)  # fmt: skip


def _draw(
    axes: Any, strips: Sequence[Strip], label: str, role: str, mark: Mark, zorder: float
) -> None:
    """One model in every strip that has it."""
    lane = LANES.get(role, LANES["method"])
    found = [(row + lane, strip.places[label]) for row, strip in enumerate(strips)
             if label in strip.places]  # fmt: skip
    middles = [mean(places) for _, places in found]
    spread = [
        [middle - min(places) for middle, (_, places) in zip(middles, found, strict=True)],
        [max(places) - middle for middle, (_, places) in zip(middles, found, strict=True)],
    ]
    several = any(len(places) > 1 for _, places in found)
    control = " (control)" if role == "control" else ""
    axes.errorbar(
        middles,
        [height for height, _ in found],
        xerr=spread if several else None,
        color=mark.color,
        marker=mark.shape,
        markersize=10 if mark.shape == "*" else 6,
        markerfacecolor=(mark.color, 0.45) if mark.filled else "none",
        markeredgecolor=mark.color,
        markeredgewidth=1.3,
        linestyle="none",
        elinewidth=0.8,
        label=shortened(label) + control,
        zorder=zorder,
    )
