"""Relearning curves: how fast does what was forgotten come back, of a few images or of none?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise, repeat
from math import log2, nan

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from suli_plugin.batch_norm import BatchNorm
from suli_plugin.images import ImageSet
from suli_plugin.optimizers import Adam
from suli_plugin.randomness import seeded
from suli_plugin.rounds import Round, Term, cross_entropy
from suli_plugin.stopping import StopRule
from suli_plugin.training import Trainer
from suli_plugin.twin import twin_of

CHECKPOINTS = (0, 1, 2, 4, 8, 16)


@dataclass(frozen=True, kw_only=True)
class Relearning:
    """How a model learns again. checkpoints: updates after which it is looked at, rising from 0.

    lr: of Adam; see `relearn_rate`. shots: forget images that the few-shot curve learns from.
    batch_size: of retained images. most_watched: images that a look takes at most, drawn.
    batch_norm: None is each curve's own policy: `frozen` for a few images of one class, whose
    statistics are not the data's; `update` for retained ones, whose statistics undo drift.
    """

    checkpoints: tuple[int, ...] = CHECKPOINTS
    lr: float = 1e-3
    shots: int = 5
    batch_size: int = 32
    most_watched: int = 60
    batch_norm: BatchNorm | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        rising = all(one < next_ for one, next_ in pairwise(self.checkpoints))
        if len(self.checkpoints) < 2 or self.checkpoints[0] != 0 or not rising:
            raise ValueError(
                f"relearning: expected two or more checkpoints rising from 0, "
                f"got {self.checkpoints}"
            )
        if min(self.shots, self.batch_size, self.most_watched) < 1:
            raise ValueError("relearning: expected shots, batch size and watched images above 0")


@dataclass(frozen=True)
class RelearnCurve:
    """Accuracies on the watched images, fractions, after each number of updates."""

    checkpoints: tuple[int, ...]
    accuracies: tuple[float, ...]

    def area(self) -> float:
        """Mean accuracy over log2(1 + updates), where the first updates count the most."""
        at = np.array(logarithmic(self.checkpoints))
        heights = np.array(self.accuracies)
        return float(np.diff(at) @ (heights[1:] + heights[:-1]) / 2 / at[-1])


def few_shot_curve(
    model: nn.Module,
    forget: ImageSet,
    watched: ImageSet,
    accelerator: Accelerator,
    how: Relearning,
    *,
    forget_classes: Sequence[int] = (),
) -> RelearnCurve:
    """Learn again from a few forget images, all in one batch.

    `shots` of each forgotten class, or of all without classes. watched: test images of the
    forgotten classes; instance-wise the forget set. The model is not changed. A curve has no cap,
    as the count of `relearn_time` has; read it between the original's and the Retrains'. As a
    curve: RCD, CVPR Findings 2026 (arXiv 2604.09391); a few shots and so few updates are ours.
    Raises ValueError for a forgotten class without an image.
    """
    few = forget.subset(_drawn(forget.labels, forget_classes, how))
    batches = repeat(torch.arange(len(few)))
    return _curve(model, few, batches, watched, accelerator, _with_policy(how, "frozen"))


def retain_only_curve(
    model: nn.Module,
    retain: ImageSet,
    watched: ImageSet,
    accelerator: Accelerator,
    how: Relearning,
) -> RelearnCurve:
    """Fine-tune on retained images alone: what comes back was never gone.

    watched: as for `few_shot_curve`. The model is not changed. Siddiqui et al., From Dormant to
    Deleted, NeurIPS 2025 (arXiv 2505.22310), for many epochs; here a few updates.
    """
    draw = torch.Generator().manual_seed(how.seed)
    orders = (torch.randperm(len(retain), generator=draw) for _ in repeat(None))
    batches = chain.from_iterable(order.split(how.batch_size) for order in orders)
    return _curve(model, retain, batches, watched, accelerator, _with_policy(how, "update"))


def area_between(
    curve: RelearnCurve, original: RelearnCurve, retrained: Sequence[RelearnCurve]
) -> float:
    """Where a curve lies: 0 is the Retrains' mean area, 1 the original's; below 0 it is slower.

    NaN where the original relearns no faster than Retrains do, and nothing can be told. Raises
    ValueError without a Retrain and for curves of other checkpoints.
    """
    others = {each.checkpoints for each in (original, *retrained)}
    if not retrained or others != {curve.checkpoints}:
        raise ValueError(
            f"area between curves: expected Retrains' curves and all at checkpoints "
            f"{curve.checkpoints}, got {len(retrained)} and {sorted(others)}"
        )
    floor = float(np.mean([each.area() for each in retrained]))
    height = original.area() - floor
    return (curve.area() - floor) / height if height > 0 else nan


def logarithmic(checkpoints: Sequence[int]) -> list[float]:
    """log2(1 + updates) of each, which is 0 without an update."""
    return [log2(1 + updates) for updates in checkpoints]


def _with_policy(how: Relearning, batch_norm: BatchNorm) -> Relearning:
    return replace(how, batch_norm=how.batch_norm or batch_norm)


def _drawn(labels: Tensor, classes: Sequence[int], how: Relearning) -> Tensor:
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(how.seed))
    if not classes:
        return order[: how.shots]
    of_class = [order[labels[order] == label][: how.shots] for label in classes]
    if not all(len(drawn) for drawn in of_class):
        raise ValueError(f"relearning: expected forget images of each of the classes {classes}")
    return torch.cat(of_class)


def _curve(
    model: nn.Module,
    images: ImageSet,
    batches: Iterator[Tensor],
    watched: ImageSet,
    accelerator: Accelerator,
    how: Relearning,
) -> RelearnCurve:
    looked_at = watched.subset(_drawn(watched.labels, (), replace(how, shots=how.most_watched)))
    trainer = Trainer(accelerator, seed=how.seed)
    with seeded(how.seed, trainer.device):
        student = twin_of(model)[0].to(trainer.device)
        start = trainer.predict(student, looked_at).accuracy()
        rounds = (
            Round([[Term(images, next(batches), cross_entropy)] for _ in range(before, after)])
            for before, after in pairwise(how.checkpoints)
        )
        trainer.train(
            student,
            rounds,
            lambda free: Adam(free, lr=how.lr),
            batch_norm=how.batch_norm or "update",
            stop=StopRule(looked_at, 0.0, start, "never"),
        )
    after_rounds = [entry.forget_accuracy or 0.0 for entry in trainer.history]
    return RelearnCurve(how.checkpoints, (start, *after_rounds))
