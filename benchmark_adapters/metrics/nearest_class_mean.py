"""Nearest class mean: is the forgotten class still one cluster among the others?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark_adapters.metrics.centred import standardisation
from benchmark_adapters.metrics.forgotten_classes import check_classes
from benchmark_adapters.metrics.probabilities import Array, as_float64, as_labels


@dataclass(frozen=True)
class NearestClassMean:
    """Accuracy of the nearest class mean: on the forgotten classes, and on the others."""

    forget_accuracy: float
    retain_accuracy: float


def nearest_class_mean(
    train_features: Array,
    train_labels: Array,
    test_features: Array,
    test_labels: Array,
    forget_classes: Sequence[int],
) -> NearestClassMean:
    """Give each test image the class whose mean of training features is the nearest.

    train_features: (N, D), penultimate, of forget and retain training images together, with
    their true labels (N,). test_features: (M, D) of images never trained on, with labels (M,).
    Euclidean, on features standardised with the training images' statistics, so that neither
    scale nor shift of a channel counts. It has no head, so none can fool it; what a Retrain shows
    is the yardstick. Mensink et al., Distance-Based Image Classification, TPAMI 2013; as a test
    of unlearning: CMF, AISTATS 2026 (arXiv 2604.08271). Raises ValueError if a forgotten class is
    missing on a side, or no other one is there.
    """
    features = as_float64(train_features, "train features", 2).numpy()
    held_out = as_float64(test_features, "test features", 2).numpy()
    labels = as_labels(train_labels, "train labels", len(features)).numpy()
    answers = as_labels(test_labels, "test labels", len(held_out)).numpy()
    check_classes("nearest class mean", labels, answers, forget_classes)
    middle, factors = standardisation(features)
    classes = np.unique(labels)
    means = _means((features - middle) * factors, labels, classes)
    # Squared distances but for the image's own norm, which all its classes share.
    scores = (held_out - middle) * factors @ means.T - np.square(means).sum(1) / 2
    right = classes[scores.argmax(1)] == answers
    forgotten = np.isin(answers, list(forget_classes))
    return NearestClassMean(float(right[forgotten].mean()), float(right[~forgotten].mean()))


def _means(
    features: NDArray[np.float64], labels: NDArray[np.int64], classes: NDArray[np.int64]
) -> NDArray[np.float64]:
    return np.stack([features[labels == label].mean(0) for label in classes])
