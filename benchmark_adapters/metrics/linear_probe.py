"""Linear probe: is the forgotten class still in the features, whatever the last layer says?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark_adapters.metrics.forgotten_classes import check_classes
from benchmark_adapters.metrics.probabilities import Array, as_float64, as_labels, as_numpy


@dataclass(frozen=True)
class LinearProbe:
    """Held-out accuracy of a new last layer: on the forgotten classes, and on the others."""

    forget_accuracy: float
    retain_accuracy: float


def linear_probe(
    train_features: Array,
    train_labels: Array,
    test_features: Array,
    test_labels: Array,
    forget_classes: Sequence[int],
    *,
    samples_per_class: int = 500,
    seed: int = 0,
) -> LinearProbe:
    """Train a new last layer on frozen features and ask it for the forgotten classes.

    train_features: (N, D), penultimate, of forget and retain training images together, with
    their true labels (N,). test_features: (M, D) of images never trained on, with labels (M,).
    A multinomial logistic regression (C = 1) on standardised features of at most
    `samples_per_class` images a class, drawn with `seed`. A masked logit changes nothing here;
    compare with Retrain's, whose features separate an unseen class to some degree, too.
    Probes: Alain and Bengio, Understanding Intermediate Layers Using Linear Classifier Probes,
    2016. Raises ValueError if a forgotten class is missing on a side, or no other one is there.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    raw, held_out = as_numpy(train_features), as_float64(test_features, "test features", 2).numpy()
    labels = as_labels(train_labels, "train labels", len(raw)).numpy()
    answers = as_labels(test_labels, "test labels", len(held_out)).numpy()
    check_classes("linear probe", labels, answers, forget_classes)
    chosen = _drawn(labels, samples_per_class, seed)
    features = as_float64(raw[chosen], "train features", 2).numpy()
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000))
    right = probe.fit(features, labels[chosen]).predict(held_out) == answers
    forgotten = np.isin(answers, list(forget_classes))
    return LinearProbe(float(right[forgotten].mean()), float(right[~forgotten].mean()))


def _drawn(labels: NDArray[np.int64], samples_per_class: int, seed: int) -> NDArray[np.int64]:
    draw = np.random.default_rng(seed)
    shuffled = draw.permutation(len(labels))
    of_class = [shuffled[labels[shuffled] == label] for label in np.unique(labels)]
    return np.concatenate([positions[:samples_per_class] for positions in of_class])
