"""Score a model on a case: one float32 pass over each set, then every metric from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from benchmark_adapters.metrics.accuracy import accuracies, part
from benchmark_adapters.metrics.membership_inference import (
    FOLDS,
    MembershipInference,
    loss_membership_inference,
)
from suli_plugin.evaluation import Predictions, evaluate
from suli_plugin.images import ImageSet


class Sets(Protocol):
    """What a model is scored on; a benchmark's `Case` is one, with every set there."""

    @property
    def forget(self) -> ImageSet:
        """The forget set."""

    @property
    def retain(self) -> ImageSet | None:
        """The retain set, if there is one."""

    @property
    def test(self) -> ImageSet | None:
        """Images never trained on, if there are any."""

    @property
    def forget_classes(self) -> Sequence[int]:
        """The forgotten classes; empty for instance-wise."""


@dataclass(frozen=True)
class Predicted:
    """What a model says of each set that there is."""

    forget: Predictions
    retain: Predictions | None
    test: Predictions | None


def score(
    model: nn.Module,
    sets: Sets,
    accelerator: Accelerator,
    *,
    seed: int,
    attack: bool = True,
) -> dict[str, float]:
    """The metrics of a record, fractions in [0, 1], of the sets that there are.

    seed: of the membership inference. attack: False leaves that out (see `not_measurable`).
    """

    predicted = predict(model, sets, accelerator)
    return scores_of(predicted, sets.forget_classes, seed=seed, attack=attack)


def predict(model: nn.Module, sets: Sets, accelerator: Accelerator) -> Predicted:
    """One float32 pass over each set."""

    def of(images: ImageSet | None) -> Predictions | None:
        return None if images is None else evaluate(model, images, accelerator)

    return Predicted(evaluate(model, sets.forget, accelerator), of(sets.retain), of(sets.test))


def scores_of(
    predicted: Predicted, forget_classes: Sequence[int], *, seed: int, attack: bool = True
) -> dict[str, float]:
    """The metrics of `score`, from predictions that there are."""
    forget, test = predicted.forget, predicted.test
    scores = accuracies(forget, predicted.retain, test, forget_classes)
    if attack and test is not None:
        found = loss_attack(forget, test, forget_classes, seed=seed)
        scores |= {"mia_accuracy": found.accuracy, "mia_auc": found.auc}
    return scores


def loss_attack(
    forget: Predictions, test: Predictions, classes: Sequence[int], *, seed: int
) -> MembershipInference:
    """The paper's membership inference on the forget set, against unseen images of its classes.

    Otherwise it would only tell classes apart. classes: the forgotten ones, if class-wise.
    """
    unseen = part(test, of_classes(test.labels, classes)) if classes else test
    return loss_membership_inference(forget.losses().numpy(), unseen.losses().numpy(), seed=seed)


def not_measurable(sets: Sets) -> dict[str, str]:
    """What these sets leave unmeasured, each with the reason; known before anything is run."""
    missing = {}
    if sets.retain is None:
        missing["retain accuracy"] = "no retain data"
    if sets.test is None:
        missing["test accuracy"] = missing["membership inference"] = "no test data"
        return missing
    unseen = len(sets.test)
    if sets.forget_classes:
        unseen = int(of_classes(sets.test.labels, sets.forget_classes).sum())
        if unseen == 0:
            missing["test accuracy on the forgotten classes"] = "no test image of theirs"
    if min(len(sets.forget), unseen) < FOLDS:
        missing["membership inference"] = (
            f"it needs {FOLDS} forgotten and {FOLDS} unseen images of the same classes, there are "
            f"{len(sets.forget)} and {unseen}"
        )
    return missing


def of_classes(labels: Tensor, classes: Sequence[int]) -> Tensor:
    """Bool (N,): which labels, int64 (N,), are of these classes."""
    return torch.isin(labels, torch.tensor(list(classes), dtype=torch.int64))
