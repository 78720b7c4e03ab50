"""Whether Retrains had the original's recipe: only such ones are a yardstick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import torch

from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.audit.spread import Spread, limit
from benchmark_adapters.baselines.retrain import UNSAID, Retrain
from benchmark_adapters.benchmarks.case_originals import AUGMENTATION, SEED, TRAINING_SET

# What a Retrain may lack of the original's accuracy on retained classes, whatever its spread.
POINTS = 0.02
KNOWN_BY = {"retain": "retained training images", "test": "unseen images of retained classes"}


@dataclass(frozen=True)
class Agreement:
    """same: None where nothing shows it. why: in words."""

    same: bool | None
    why: str


def known_recipe(training: Any) -> dict[str, Any]:
    """Those of Retrain's hyper-parameters that a checkpoint's configuration says it was made by."""
    told = training if isinstance(training, Mapping) else {}
    names = Retrain().hyperparameters().keys() - {"repeat"}
    return {name: told[name] for name in told if name in names}


def agreement_of_trained(
    training: Any, retrain: Retrain, augmentation: str | None = None
) -> Agreement:
    """Of Retrains that are trained here. training: what the original's configuration says.

    augmentation: of the Retrains' images, by its name, None without.
    """
    known, own = known_recipe(training), retrain.hyperparameters()
    whole = known.keys() >= Retrain().recipe().keys()
    if whole:
        known = {**UNSAID, **known}
    differing = [name for name, value in known.items() if value != own[name]]
    if isinstance(training, Mapping) and training.get(AUGMENTATION, augmentation) != augmentation:
        differing.append(AUGMENTATION)
    if differing:
        return Agreement(False, f"the original was trained with another {', '.join(differing)}")
    if whole:
        return Agreement(True, "its configuration says the original's recipe, which they have")
    return Agreement(None, "nothing says the whole recipe of the original; --set is taken for it")


def agreement_of_given(training: Any, others: Sequence[Any]) -> Agreement:
    """Of Retrains that were given. others: what their configurations say of their training."""
    if training is None or any(other is None for other in others):
        return Agreement(None, "no file says how the original and the given Retrains were trained")
    if all(_recipe_alone(other) == _recipe_alone(training) for other in others):
        return Agreement(True, "their configurations say the original's recipe")
    return Agreement(False, "their configurations say another recipe than the original's")


def _recipe_alone(training: Any) -> Any:
    """Without what every training has of its own: on which images, and from which seed."""
    if not isinstance(training, Mapping):
        return training
    return {name: value for name, value in training.items() if name not in (TRAINING_SET, SEED)}


def knows_less(
    original: Observation, retrains: Sequence[Observation], classes: tuple[int, ...]
) -> str:
    """How Retrains show that they had another recipe; empty if they don't.

    They know retained classes clearly worse than the original: on retained training images, or
    on unseen images of retained classes, their mean accuracy is more than two points below it,
    and further than the audit lets one more Retrain be from them.
    """
    for name, words in KNOWN_BY.items():
        if name not in original.answers:
            continue
        own = _kept_accuracy(original, name, classes)
        values = tuple(_kept_accuracy(each, name, classes) for each in retrains)
        far = Spread(values).distance(own) > limit(len(values))
        if own - mean(values) > POINTS and far:
            return (
                f"the Retrains have {mean(values):.1%} of {words} right and the original "
                f"{own:.1%}: they had another recipe, and are no yardstick"
            )
    return ""


def _kept_accuracy(seen: Observation, name: str, classes: tuple[int, ...]) -> float:
    answers = seen.answers[name]
    kept = ~torch.isin(answers.labels, torch.tensor(classes, dtype=torch.int64))
    right = answers.logits.argmax(1)[kept] == answers.labels[kept]
    return float(right.double().mean())
