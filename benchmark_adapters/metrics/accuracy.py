"""Accuracies of one model on every part of the data."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from suli_plugin.evaluation import Predictions


def accuracies(
    forget: Predictions,
    retain: Predictions | None,
    test: Predictions | None,
    classes: Sequence[int],
) -> dict[str, float]:
    """Fractions in [0, 1] under full-word names, of the sets that there are.

    Class-wise (classes given) the test set is also split into forgotten and retained classes.
    """
    given = {"forget": forget, "retain": retain, "test": test}
    if test is not None and classes:
        inside = torch.isin(test.labels, torch.tensor(list(classes)))
        given["test_forget"] = part(test, inside)
        given["test_retain"] = part(test, ~inside)
    return {
        f"{name}_accuracy": predictions.accuracy()
        for name, predictions in given.items()
        if predictions is not None and len(predictions.labels)
    }


def part(predictions: Predictions, mask: torch.Tensor) -> Predictions:
    """The predictions where the mask, bool (N,), is true."""
    features = None if predictions.features is None else predictions.features[mask]
    return Predictions(predictions.logits[mask], predictions.labels[mask], features)
