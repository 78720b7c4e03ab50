"""Accuracies of one model on every part of the data."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from suli_plugin.evaluation import Predictions


def accuracies(
    forget: Predictions, retain: Predictions, test: Predictions, classes: Sequence[int]
) -> dict[str, float]:
    """Fractions in [0, 1] under full-word names.

    Class-wise (classes given) the test set is also split into forgotten and retained classes.
    """
    scores = {
        "forget_accuracy": forget.accuracy(),
        "retain_accuracy": retain.accuracy(),
        "test_accuracy": test.accuracy(),
    }
    if classes:
        inside = torch.isin(test.labels, torch.tensor(list(classes)))
        scores["test_forget_accuracy"] = part(test, inside).accuracy()
        scores["test_retain_accuracy"] = part(test, ~inside).accuracy()
    return scores


def part(predictions: Predictions, mask: torch.Tensor) -> Predictions:
    """The predictions where the mask, bool (N,), is true."""
    features = None if predictions.features is None else predictions.features[mask]
    return Predictions(predictions.logits[mask], predictions.labels[mask], features)
