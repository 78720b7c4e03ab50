"""Prototype attack: do five images of a forgotten class bring it back without any training?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark_adapters.metrics.forgotten_classes import check_classes
from benchmark_adapters.metrics.probabilities import Array, as_float64, as_labels

Rows = NDArray[np.float64]
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class PrototypeAttack:
    """Test-forget accuracy at each weight of the prototype, a mean over draws and classes.

    raw: the source's: a prototype of length 1, and the bias fades as the row does. scaled: ours:
    the new row has the other rows' mean length and the class is predicted at its share, so that
    neither a head's scale nor a bias decides.
    """

    weights: tuple[float, ...]
    raw: tuple[float, ...]
    scaled: tuple[float, ...]


@dataclass(frozen=True)
class Head:
    """The last layer: weight (K, D), bias (K,), None without one."""

    weight: Array
    bias: Array | None = None


def prototype_attack(
    test_features: Array,
    test_logits: Array,
    test_labels: Array,
    forget_features: Array,
    forget_labels: Array,
    head: Head,
    forget_classes: Sequence[int],
    *,
    weights: Sequence[float] = WEIGHTS,
    shots: int = 5,
    draws: int = 20,
    seed: int = 0,
) -> PrototypeAttack:
    """Replace a forgotten class's row by a * prototype + (1 - a) * row, for each weight a.

    test_features: (M, D) and test_logits: (M, K), of images never trained on, labels (M,).
    forget_features: (N, D) of training images of the forgotten classes, labels (N,). The
    prototype is the mean of `shots` of them (all, if there are fewer), drawn `draws` times with
    `seed`. One class at a time, against the retained ones; the accuracy is that on its own test
    images. Spotter, 2025 (arXiv 2506.01318), whose code takes the first five images and one
    weight. A Retrain is recovered in part, too: it is the yardstick. Raises ValueError for classes
    missing on a side, a head of other shapes, and a weight outside [0, 1].
    """
    attacked = _Attacked.of(test_features, test_logits, test_labels, head)
    images = as_float64(forget_features, "forget features", 2).numpy()
    labels = as_labels(forget_labels, "forget labels", len(images)).numpy()
    _check(attacked, images, labels, forget_classes)
    amounts = as_float64(weights, "weights", 1).numpy()
    if amounts.min() < 0 or amounts.max() > 1 or min(shots, draws) < 1:
        raise ValueError(
            f"prototype attack: expected weights in [0, 1] and at least one shot and one draw, "
            f"got {amounts.tolist()}, {shots} and {draws}"
        )
    draw, found = np.random.default_rng(seed), []
    for label in sorted(set(forget_classes)):
        prototypes = _prototypes(images[labels == label], shots, draws, draw)
        found.append(attacked.recovered(label, forget_classes, prototypes, amounts))
    raw, scaled = np.mean(found, axis=0)
    return PrototypeAttack(tuple(amounts.tolist()), tuple(raw.tolist()), tuple(scaled.tolist()))


@dataclass(frozen=True)
class _Attacked:
    """Test features (M, D), logits (M, K), labels (M,), and the head's rows (K, D), biases (K,)."""

    features: Rows
    logits: Rows
    labels: NDArray[np.int64]
    rows: Rows
    biases: Rows

    @classmethod
    def of(cls, features: Array, logits: Array, labels: Array, head: Head) -> _Attacked:
        seen = as_float64(features, "test features", 2).numpy()
        said = as_float64(logits, "test logits", 2).numpy()
        rows = as_float64(head.weight, "head weight", 2).numpy()
        biases = np.zeros(len(rows)) if head.bias is None else head.bias
        own = as_float64(biases, "head bias", 1).numpy()
        expected = (len(seen), len(rows)), (said.shape[1], seen.shape[1]), (said.shape[1],)
        if (said.shape, rows.shape, own.shape) != expected:
            raise ValueError(
                f"prototype attack: expected features (M, D), logits (M, K), a head (K, D) and "
                f"biases (K,), got {seen.shape}, {said.shape}, {rows.shape} and {own.shape}"
            )
        return cls(seen, said, as_labels(labels, "test labels", len(seen)).numpy(), rows, own)

    def recovered(
        self, label: int, forgotten: Sequence[int], prototypes: Rows, amounts: Rows
    ) -> tuple[Rows, Rows]:
        """Accuracy on the class's test images for each amount, raw and scaled, mean of draws."""
        retained = np.setdiff1d(np.arange(len(self.rows)), list(forgotten))
        asked = np.isin(self.labels, [*retained.tolist(), label])
        features, best = self.features[asked], self.logits[asked][:, retained].max(1)
        own = self.labels[asked] == label
        row, prototypes = self.rows[label], _unit(prototypes)
        faded = (1 - amounts[:, None, None]) * self.biases[label]
        raw = _mixed(prototypes, row, amounts) @ features[own].T + faded
        size = np.linalg.norm(self.rows[retained], axis=1).mean()
        scaled = size * _unit(_mixed(prototypes, _unit(row), amounts)) @ features.T
        at_share = _share_recovered(scaled - best, own)
        return (raw > best[own]).mean((1, 2)), at_share.mean(1)


def _check(
    attacked: _Attacked, images: Rows, labels: NDArray[np.int64], classes: Sequence[int]
) -> None:
    others = np.setdiff1d(attacked.labels, list(classes))
    check_classes("prototype attack", np.concatenate([labels, others]), attacked.labels, classes)
    if images.shape[1] != attacked.features.shape[1]:
        raise ValueError(
            f"prototype attack: expected forget features of {attacked.features.shape[1]} columns, "
            f"as the test features have, got {images.shape[1]}"
        )


def _prototypes(images: Rows, shots: int, draws: int, draw: np.random.Generator) -> Rows:
    """Means (draws, D) of `shots` images each, drawn without replacement."""
    drawn = draw.random((draws, len(images))).argsort(1)[:, :shots]
    return np.asarray(images[drawn].mean(1))


def _mixed(prototypes: Rows, row: Rows, amounts: Rows) -> Rows:
    """Rows (A, draws, D): the first part of each amount a prototype, the rest the row."""
    part = amounts[:, None, None]
    return part * prototypes + (1 - part) * row


def _unit(rows: Rows) -> Rows:
    """Rows of length 1; those of length 0 stay."""
    size = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.divide(rows, size, out=np.zeros_like(rows), where=size > 0)


def _share_recovered(margins: Rows, own: NDArray[np.bool_]) -> Rows:
    """Accuracy on the class's images with the constant that predicts it at its share, (...,).

    margins: (..., M), the class's logit over the largest other one. As `one_constant_recovery`,
    many at once: images of one margin are taken in equal parts.
    """
    share = int(own.sum())
    last = np.partition(margins, -share, axis=-1)[..., -share, None]
    above, level = margins > last, margins == last
    part = (share - above.sum(-1)) / level.sum(-1)
    return np.asarray(((above & own).sum(-1) + part * (level & own).sum(-1)) / share)
