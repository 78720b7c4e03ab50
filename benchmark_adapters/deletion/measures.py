"""What a model makes of every set of a deletion request, and the figures that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accelerate import Accelerator
from torch import nn

from benchmark_adapters.deletion.data import DeletionData
from benchmark_adapters.deletion.places import SetName
from benchmark_adapters.metrics.scoring import Predicted, not_measurable, scores_of
from suli_plugin.evaluation import Predictions, evaluate

Answers = Mapping[SetName, Predictions]
_SCORED: tuple[SetName, ...] = ("forget", "retain", "test")
_KEPT: tuple[SetName, ...] = ("retain", "test")


def answers_of(model: nn.Module, data: DeletionData, accelerator: Accelerator) -> Answers:
    """One float32 pass over each set."""
    model = model.to(accelerator.device)
    return {name: evaluate(model, images, accelerator) for name, images in data.images.items()}


def metrics_of(
    answers: Answers, data: DeletionData, *, seed: int, attack: bool = True
) -> dict[str, float]:
    """The metrics of a record, fractions in [0, 1]. attack: False leaves membership inference out.

    To those of `score` are added the accuracies on what was forgotten earlier and, by ids, on the
    reference set, whose original accuracy the outcome is compared with.
    """
    predicted = Predicted(answers["forget"], answers.get("retain"), answers.get("test"))
    attack = attack and "membership inference" not in not_measurable(data)
    scores = scores_of(predicted, data.forget_classes, seed=seed, attack=attack)
    more = [name for name in answers if name not in (*_SCORED, "reference")]
    if not data.forget_classes and "reference" in answers:
        more.append("reference")
    return scores | {f"{name}_accuracy": answers[name].accuracy() for name in more}


def not_measured(data: DeletionData) -> dict[str, str]:
    """What the data leave unmeasured, each with the reason; known before anything is run."""
    missing = not_measurable(data)
    if data.before.requests and not any("forgotten_before" in name for name in data.images):
        missing["accuracy on what was forgotten earlier"] = "no retain or test data have it"
    return missing


@dataclass(frozen=True)
class KeptClass:
    """The accuracy on one class that was kept, of the original and of the unlearned model.

    set: retain or test. count: of its samples there. original, unlearned: fractions in [0, 1].
    """

    set: str
    label: int
    name: str
    count: int
    original: float
    unlearned: float

    @property
    def fall(self) -> float:
        """By how much it fell; below 0 where it rose."""
        return self.original - self.unlearned


def kept_classes(before: Answers, after: Answers, data: DeletionData) -> list[KeptClass]:
    """Every class that was kept, in every set that shows it."""
    found = []
    for name in _KEPT:
        if name not in before:
            continue
        right = [of[name].logits.argmax(1) == of[name].labels for of in (before, after)]
        labels = before[name].labels
        for label in sorted(set(labels.unique().tolist()) - set(data.forget_classes)):
            of = labels == label
            rates = [float(hits[of].double().mean()) for hits in right]
            found.append(KeptClass(name, label, data.name_of(label), int(of.sum()), *rates))
    return found


def worst_kept(facts: Mapping[str, Any]) -> KeptClass | None:
    """Of a receipt's kept classes the one that fell the furthest, on unseen data where it can."""
    kept = [KeptClass(**each) for each in facts["kept_classes"]]
    unseen = [each for each in kept if each.set == "test"]
    return max(unseen or kept, key=lambda each: each.fall, default=None)
