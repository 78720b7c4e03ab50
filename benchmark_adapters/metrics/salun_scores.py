"""The four scores of SalUn's tables from a model's predictions (Fan et al., ICLR 2024)."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark_adapters.metrics.accuracy import part
from benchmark_adapters.metrics.average_gap import SalunScores, unlearning_accuracy
from benchmark_adapters.metrics.mia_efficacy import mia_efficacy
from benchmark_adapters.metrics.probabilities import true_class_confidence
from benchmark_adapters.metrics.scoring import of_classes
from benchmark_adapters.metrics.tow import Accuracies
from suli_plugin.evaluation import Predictions


def salun_scores(
    forget: Predictions,
    retain: Predictions,
    test: Predictions,
    classes: Sequence[int],
    *,
    seed: int,
) -> SalunScores:
    """Fractions in [0, 1]. classes: the forgotten ones; empty for instance-wise. seed: of draws."""
    unseen = unseen_of_retain(test, classes)
    confidences = (true_class_confidence(p.logits, p.labels) for p in (forget, retain, unseen))
    return SalunScores(
        unlearning_accuracy(forget.accuracy()),
        retain.accuracy(),
        unseen.accuracy(),
        mia_efficacy(*confidences, seed=seed),
    )


def unseen_of_retain(test: Predictions, classes: Sequence[int]) -> Predictions:
    """Test images as the retain set has them: SalUn drops the forgotten classes."""
    return part(test, ~of_classes(test.labels, classes))


def accuracies_of(scores: SalunScores) -> Accuracies:
    """Those among them, as `tow` takes them."""
    return Accuracies(1 - scores.unlearning_accuracy, scores.retain_accuracy, scores.test_accuracy)
