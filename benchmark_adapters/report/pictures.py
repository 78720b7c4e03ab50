"""All pictures of a scenario that its records allow, and why the others are left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from benchmark_adapters.grid.retrains import HELD_OUT, row_label
from benchmark_adapters.report import (
    curves,
    grad_cam,
    radar,
    request_steps,
    strip_plot,
    trade_off,
    tsne,
)
from benchmark_adapters.report.picture import CannotBeDrawn, Picture
from benchmark_adapters.report.run_folder import RunFolder, Scenario, matching
from benchmark_adapters.report.shown_models import Folders, shown_models

if TYPE_CHECKING:
    from accelerate import Accelerator


# Of up to seven, what is usually shown of the models that forget nothing.
CONTROLS_SHOWN = ("logit_mask", "bn_drift")


@dataclass(frozen=True)
class Choice:
    """What the pictures show.

    scenarios, methods: names and globs. Without scenarios, the first of each scope is shown, of one
    request and of several; without methods, one Retrain and all others in the charts (see
    `charts_shown`) and a few as models (see `models_shown`). seed: of what shows one run only; the
    lowest there is if None. models: open the unlearned models and the images, too, which the
    records name; folders: where they are now.
    """

    scenarios: Sequence[str] = ()
    methods: Sequence[str] = ()
    seed: int | None = None
    models: bool = True
    folders: Folders = field(default_factory=Folders)


@dataclass(frozen=True)
class LeftOut:
    """A picture that is not there, and why."""

    title: str
    reason: str


@dataclass(frozen=True)
class Gallery:
    """The pictures of one scenario, and those that are left out."""

    pictures: tuple[Picture, ...]
    left_out: tuple[LeftOut, ...]


def pictured(run: RunFolder, choice: Choice) -> list[Scenario]:
    """The scenarios that get pictures. Raises ValueError for a name or seed that none has."""
    chosen = _chosen(run, choice)
    labels = dict.fromkeys(label for each in chosen for label in each.labels)
    matching(list(labels), choice.methods, "method")
    seeds = sorted({seed for each in chosen for seed in each.seeds})
    if choice.seed is not None and choice.seed not in seeds:
        known = ", ".join(map(str, seeds))
        raise ValueError(f"no record has seed {choice.seed}; the seeds: {known}")
    return chosen


def _chosen(run: RunFolder, choice: Choice) -> list[Scenario]:
    if choice.scenarios:
        known = list(dict.fromkeys(scenario.name for scenario in run.scenarios))
        chosen = set(matching(known, choice.scenarios, "scenario"))
        return [scenario for scenario in run.scenarios if scenario.name in chosen]
    first: dict[tuple[str, bool, bool], Scenario] = {}
    for scenario in run.scenarios:
        first.setdefault((scenario.benchmark, scenario.class_wise, scenario.in_turn), scenario)
    return list(first.values())


def gallery(scenario: Scenario, choice: Choice, accelerator: Accelerator) -> Gallery:
    """Draw what can be drawn of a scenario that `pictured` gave; it may lack what others have."""
    named = [label for label in scenario.labels if _is_chosen(label, choice)]
    charts = named if choice.methods else charts_shown(scenario)
    models = named if choice.methods else models_shown(scenario)
    seed = scenario.seeds[0] if choice.seed is None else choice.seed
    if not charts or seed not in scenario.seeds:
        return Gallery((), (LeftOut("all pictures", "it has no record of what was chosen"),))
    drawn = [
        *_of_audits(scenario, named),
        *_of_requests(scenario, charts),
        *_saying(_charts(scenario, charts, seed), _others(scenario, charts, choice)),
        *_saying(
            _of_models(scenario, models, seed, choice, accelerator),
            _others(scenario, models, choice),
        ),
    ]
    return Gallery(
        tuple(each for each in drawn if isinstance(each, Picture)),
        tuple(each for each in drawn if isinstance(each, LeftOut)),
    )


def _is_chosen(label: str, choice: Choice) -> bool:
    return not choice.methods or any(fnmatchcase(label, each) for each in choice.methods)


def charts_shown(scenario: Scenario) -> list[str]:
    """All but the Retrains beyond the first, which are there for the audit."""
    return [label for label in scenario.labels if label not in _of_the_yardstick(scenario)]


def models_shown(scenario: Scenario) -> list[str]:
    """Original, Retrain, SULI and two controls; the first method where SULI did not run."""
    controls = [label for label in scenario.labels if label in scenario.controls]
    few = [label for label in controls if label in CONTROLS_SHOWN] or controls[:2]
    usual = {"original", "retrain", "suli", *few}
    apart = usual | scenario.controls | _of_the_yardstick(scenario)
    others = [label for label in scenario.labels if label not in apart]
    if "suli" not in scenario.labels and others:
        usual.add(others[0])
    return [label for label in scenario.labels if label in usual]


def _of_the_yardstick(scenario: Scenario) -> set[str]:
    """The Retrains but the first."""
    return {label for label in scenario.labels if label != row_label(label)} | {HELD_OUT}


def _of_audits(scenario: Scenario, labels: Sequence[str]) -> list[Picture | LeftOut]:
    """The strip plot, where there is an audit: what was chosen beside the references."""
    if not scenario.audits:
        return []
    shown = [*labels, "original", HELD_OUT]
    return [strip_plot.strip_plot(scenario.audits, shown, known=charts_shown(scenario))]


def _of_requests(scenario: Scenario, labels: Sequence[str]) -> list[Picture | LeftOut]:
    """The steps, where methods were asked request after request."""
    if not scenario.in_turn:
        return []
    return [_try(request_steps.TITLE, lambda: request_steps.request_steps(scenario, labels))]


def _others(scenario: Scenario, shown: Sequence[str], choice: Choice) -> list[str]:
    """What is not shown though nobody chose so."""
    return [] if choice.methods else [label for label in scenario.labels if label not in shown]


def _saying(drawn: Sequence[Picture | LeftOut], others: Sequence[str]) -> list[Picture | LeftOut]:
    """Pictures whose captions say which models are not in them, and how to see them."""
    if not others:
        return list(drawn)
    said = f"Left out of this picture: {', '.join(others)}; --methods shows those that it names."
    return [
        replace(each, caption=f"{each.caption} {said}") if isinstance(each, Picture) else each
        for each in drawn
    ]


def _charts(scenario: Scenario, labels: Sequence[str], seed: int) -> list[Picture | LeftOut]:
    return [
        _try(radar.TITLE, lambda: radar.radar(scenario, labels)),
        _try(trade_off.TITLE, lambda: trade_off.trade_off(scenario, labels)),
        _try(curves.TITLE, lambda: curves.curves(scenario, labels, seed)),
    ]


def _of_models(
    scenario: Scenario,
    labels: Sequence[str],
    seed: int,
    choice: Choice,
    accelerator: Accelerator,
) -> list[Picture | LeftOut]:
    try:
        if not choice.models:
            raise CannotBeDrawn("--records-only opens neither models nor images")
        shown = shown_models(scenario, labels, seed, choice.folders)
    except CannotBeDrawn as reason:
        return [LeftOut(title, str(reason)) for title in (tsne.TITLE, grad_cam.TITLE)]
    return [
        _try(tsne.TITLE, lambda: tsne.tsne(shown, accelerator)),
        _try(grad_cam.TITLE, lambda: grad_cam.grad_cam(shown, accelerator)),
    ]


def _try(title: str, draw: Callable[[], Picture]) -> Picture | LeftOut:
    try:
        return draw()
    except CannotBeDrawn as reason:
        return LeftOut(title, str(reason))
