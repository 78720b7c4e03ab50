"""Score a model on a case: one float32 pass over each set, then every metric from it."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from torch import nn

from benchmark_adapters.metrics.accuracy import accuracies, part
from benchmark_adapters.metrics.membership_inference import loss_membership_inference
from suli_plugin.benchmark import Case
from suli_plugin.evaluation import Predictions, evaluate
from suli_plugin.images import ImageSet


def score(model: nn.Module, case: Case, accelerator: Accelerator, *, seed: int) -> dict[str, float]:
    """The metrics of a record, fractions in [0, 1]. seed: of the membership inference."""

    def predict(images: ImageSet) -> Predictions:
        return evaluate(model, images, accelerator)

    forget, retain, test = predict(case.forget), predict(case.retain), predict(case.test)
    unseen = test
    if case.forget_classes:
        # Members and non-members must share their classes, or the attack only tells classes apart.
        unseen = part(test, torch.isin(test.labels, torch.tensor(case.forget_classes)))
    attack = loss_membership_inference(forget.losses().numpy(), unseen.losses().numpy(), seed=seed)
    return {
        **accuracies(forget, retain, test, case.forget_classes),
        "mia_accuracy": attack.accuracy,
        "mia_auc": attack.auc,
    }
