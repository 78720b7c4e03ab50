"""How models of one case learn again: at learning rates that are fixed on a Retrain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from accelerate import Accelerator
from torch import nn

from benchmark_adapters.metrics.relearn_curve import (
    RelearnCurve,
    Relearning,
    few_shot_curve,
    retain_only_curve,
)
from benchmark_adapters.metrics.relearn_rate import rate_of_few_shots, rate_of_retain_only
from suli_plugin.evaluation import evaluate
from suli_plugin.images import ImageSet

Sets = Mapping[str, ImageSet]


@dataclass(frozen=True)
class RelearnRates:
    """Learning rates of the two curves, the same for all models of a case."""

    few_shot: float
    retain_only: float


def rates_on(
    retrained: nn.Module,
    original: nn.Module,
    sets: Sets,
    classes: tuple[int, ...],
    accelerator: Accelerator,
) -> RelearnRates | None:
    """The rates that a Retrain needs; None where the sets draw no curve.

    Few shots: it relearns half of what the original knows in the middle of the budget. Retained
    images alone: the largest rate that leaves it what it knows of them.
    """
    watched = watched_in(sets, classes)
    if watched is None or "retain" not in sets:
        return None
    known = evaluate(original, watched, accelerator, channels_last=True).accuracy()
    if known == 0:
        return None

    def few_shot(how: Relearning) -> RelearnCurve:
        return few_shot_curve(
            retrained, sets["forget"], watched, accelerator, how, forget_classes=classes
        )

    def retain_only(how: Relearning) -> RelearnCurve:
        return retain_only_curve(retrained, sets["retain"], sets["retain"], accelerator, how)

    how = Relearning()
    return RelearnRates(
        rate_of_few_shots(few_shot, known, how).lr, rate_of_retain_only(retain_only, how).lr
    )


def curves_of(
    model: nn.Module,
    sets: Sets,
    classes: tuple[int, ...],
    accelerator: Accelerator,
    rates: RelearnRates,
) -> dict[str, tuple[float, ...]]:
    """A model's accuracies on the watched images at each checkpoint, by the curve's name."""
    watched = watched_in(sets, classes)
    if watched is None:
        return {}
    how = Relearning()
    few = few_shot_curve(
        model,
        sets["forget"],
        watched,
        accelerator,
        replace(how, lr=rates.few_shot),
        forget_classes=classes,
    )
    retained = retain_only_curve(
        model, sets["retain"], watched, accelerator, replace(how, lr=rates.retain_only)
    )
    return {"few_shot": few.accuracies, "retain_only": retained.accuracies}


def watched_in(sets: Sets, classes: tuple[int, ...]) -> ImageSet | None:
    """Test images of the forgotten classes, or the forget set; None where there are none."""
    if not classes:
        return sets["forget"]
    if "test" not in sets:
        return None
    labels = sets["test"].labels
    positions = torch.where(torch.isin(labels, torch.tensor(classes)))[0]
    return sets["test"].subset(positions) if len(positions) else None
