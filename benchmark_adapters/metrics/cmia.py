"""CMIA: do images of a forgotten class get the answers that Retrains give them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark_adapters.metrics.probabilities import Array, as_float64, as_labels, as_numpy

_Floats = NDArray[np.float64]
# Log probabilities below are as good as this one to the attack.
LOWEST = -30.0


@dataclass(frozen=True)
class Cmia:
    """The attack's accuracy on the audited model; Retrain's own is the ideal, not 0.5.

    forget_accuracy: the part of the forgotten classes' images whose answers it recognises.
    neighbour_accuracy: the part of the nearest retained classes' images that it tells from them.
    neighbours: of each forgotten class the nearest retained ones, nearest first.
    """

    forget_accuracy: float
    neighbour_accuracy: float
    neighbours: dict[int, tuple[int, ...]]


def cmia(
    logits: Array,
    labels: Array,
    retrained: Array,
    forget_classes: Sequence[int],
    *,
    neighbours: int = 1,
    limit: int | None = 1_000,
    seed: int = 0,
) -> Cmia:
    """Class membership inference from how the answers tilt toward the nearest retained class.

    logits: (M, K) of test images; labels: (M,); retrained: (k, M, K), k Retrains' logits of the
    same images (a Retrain's own value: leave it out of them). Forgotten logits are dropped and
    the others' log probabilities taken, so that no mask matters. The `neighbours` retained classes
    with the highest mean probability in the Retrains' answers to a forgotten class are nearest; an
    SVC (RBF kernel, balanced) learns to tell the Retrains' answers to the class from those to
    images of these, and is asked about the model's. Images are halved at random: each half is
    judged by an attack that learned from the other one. limit: answers a side, drawn.

    A reconstruction of Ebrahimpour-Boroojeny, Wang and Sundaram, Unlearning Isn't Forgetting, ICML
    2026 (arXiv 2506.20893), from its abstract and its reviews, which name the nearest neighbour by
    several retrained models, an SVM a class and the accuracy on test images of the forget class;
    kernel, scaling and halves are ours. It compares distributions and finds no single member.
    Raises ValueError for other shapes, or a class with less than two images.
    """
    retained = _retained(as_numpy(logits), as_numpy(retrained), forget_classes)
    own = _log_probabilities(as_numpy(logits)[:, retained])
    theirs = _log_probabilities(as_numpy(retrained)[:, :, retained])
    known = as_labels(labels, "labels", len(own)).numpy()
    draw = np.random.default_rng(seed)
    nearest, right = {}, []
    for label in sorted(set(forget_classes)):
        images = _images(known, [label])
        tilt = np.exp(theirs[:, images]).mean((0, 1))
        near = retained[np.argsort(-tilt, kind="stable")[:neighbours]].tolist()
        nearest[label] = tuple(near)
        sides = [draw.permutation(each) for each in (images, _images(known, near))]
        right.append(_right(own, theirs, sides, limit, draw))
    forget, neighbour = (np.concatenate(side) for side in zip(*right, strict=True))
    return Cmia(float(forget.mean()), float(neighbour.mean()), nearest)


def _right(
    own: _Floats,
    theirs: _Floats,
    sides: Sequence[NDArray[np.int64]],
    limit: int | None,
    draw: np.random.Generator,
) -> list[NDArray[np.bool_]]:
    """Where the attack on a forgotten class is right: on its images, and on its neighbours'."""
    right: list[list[NDArray[np.bool_]]] = [[], []]
    for half in range(2):
        taught = [theirs[:, side[1 - half :: 2]].reshape(-1, theirs.shape[2]) for side in sides]
        attack = _attack([draw.permutation(answers)[:limit] for answers in taught])
        for at, side in enumerate(sides):
            right[at].append(attack.predict(own[side[half::2]]) == at)
    return [np.concatenate(each) for each in right]


def _attack(taught: Sequence[_Floats]) -> Any:
    """A classifier of answers (N, K'): 0 to a forgotten class, 1 to its neighbours."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    classifier = make_pipeline(StandardScaler(), SVC(kernel="rbf", class_weight="balanced"))
    return classifier.fit(np.concatenate(taught), np.repeat([0, 1], [len(x) for x in taught]))


def _images(labels: NDArray[np.int64], classes: Sequence[int]) -> NDArray[np.int64]:
    images = np.flatnonzero(np.isin(labels, classes))
    if len(images) < 2:
        raise ValueError(
            f"CMIA: expected two test images or more of {list(classes)}, got {len(images)}"
        )
    return images


def _retained(
    logits: NDArray[Any], retrained: NDArray[Any], forget_classes: Sequence[int]
) -> NDArray[np.int64]:
    """The classes that are kept, in order, of logits that fit together."""
    fits = logits.ndim == 2 and retrained.ndim == 3 and retrained.shape[1:] == logits.shape
    classes = sorted(set(forget_classes))
    retained = np.setdiff1d(np.arange(logits.shape[-1] if fits else 0), classes)
    if not classes or len(retained) < 2 or len(retained) + len(classes) != logits.shape[-1]:
        raise ValueError(
            f"CMIA: expected logits (M, K), Retrains' (k, M, K) and at least one class to forget "
            f"and two to keep, got {logits.shape}, {retrained.shape} and {classes}"
        )
    return retained


def _log_probabilities(logits: NDArray[Any]) -> _Floats:
    """Of the retained classes among themselves, float64 (..., M, K'); none below LOWEST."""
    values = as_float64(logits, "retained logits", logits.ndim)
    found: _Floats = values.log_softmax(-1).clamp(min=LOWEST).numpy()
    return found
