"""The tests of features as modules of Hugging Face `evaluate`; see `evaluate_modules`."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmark_adapters.metrics.evaluate_modules import LABEL, ROW, UnlearningMetric
from benchmark_adapters.metrics.linear_cka import linear_cka
from benchmark_adapters.metrics.linear_map import explained_variance
from benchmark_adapters.metrics.mutual_information import membership_information
from benchmark_adapters.metrics.nearest_class_mean import nearest_class_mean
from benchmark_adapters.metrics.prototype import prototype_attack


class LinearCka(UnlearningMetric):
    """predictions, references: features of the unlearned and of a retrained model."""

    source, predictions, references = linear_cka, ROW, ROW

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"linear_cka": linear_cka(predictions, references)}


class ExplainedVariance(UnlearningMetric):
    """predictions, references: features of the unlearned and of the original model."""

    source, predictions, references = explained_variance, ROW, ROW

    def _compute(self, predictions: Any, references: Any, **options: Any) -> dict[str, float]:
        return {"explained_variance": explained_variance(references, predictions, **options)}


class NearestClassMeanAccuracy(UnlearningMetric):
    """predictions: features of test images; references: labels.

    `compute` also takes train_features, train_labels and forget_classes.
    """

    source, predictions, references = nearest_class_mean, ROW, LABEL

    def _compute(self, predictions: Any, references: Any, **options: Any) -> dict[str, float]:
        found = nearest_class_mean(test_features=predictions, test_labels=references, **options)
        return {
            "nearest_class_mean_forget_accuracy": found.forget_accuracy,
            "nearest_class_mean_retain_accuracy": found.retain_accuracy,
        }


class PrototypeAttackAccuracy(UnlearningMetric):
    """predictions: features of test images; references: labels.

    `compute` also takes test_logits, forget_features, forget_labels, head and forget_classes.
    """

    source, predictions, references = prototype_attack, ROW, LABEL

    def _compute(self, predictions: Any, references: Any, **options: Any) -> dict[str, float]:
        found = prototype_attack(test_features=predictions, test_labels=references, **options)
        sweeps = {"prototype_raw": found.raw, "prototype_scaled": found.scaled}
        return {
            f"{name}_{weight:g}": accuracy
            for name, accuracies in sweeps.items()
            for weight, accuracy in zip(found.weights, accuracies, strict=True)
        }


class MembershipInformation(UnlearningMetric):
    """predictions: features of training images; references: 1 for the forget set, 0 for retained.

    Three models' values make the information difference index, `idi`.
    """

    source, predictions, references = membership_information, ROW, LABEL

    def _compute(self, predictions: Any, references: Any, **options: Any) -> dict[str, float]:
        features, forgotten = np.asarray(predictions), np.asarray(references) == 1
        bits = membership_information(features[forgotten], features[~forgotten], **options)
        return {"membership_information": bits}
