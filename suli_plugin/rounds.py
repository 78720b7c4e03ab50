"""What is trained: rounds of steps, and the terms of a step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from torch import Tensor, nn

from suli_plugin.images import Batch, ImageSet

Loss = Callable[[Tensor, Batch], Tensor]
"""`(logits (B, K) float32, batch) -> losses (B,)`; the loop takes the mean over all processes."""


def cross_entropy(logits: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy with the batch's labels, (B,), in nats."""
    return nn.functional.cross_entropy(logits, batch.labels, reduction="none")


@dataclass(frozen=True)
class Term:
    """One part of a step: the weighted mean loss over some samples of one set.

    positions: int64 (B,), of the whole batch; each process computes its share.
    around: entered just before the forward pass and left just after it.
    full_precision: forward in float32 whatever the run's precision, for losses made of gradients.
    whole: the loss compares the batch's samples with each other, so each process computes all.
    """

    images: ImageSet
    positions: Tensor
    loss: Loss
    weight: float = 1.0
    around: Callable[[Batch], AbstractContextManager[None]] = lambda batch: nullcontext()
    full_precision: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Round:
    """Steps after which the stop rule is asked: an epoch, or one visit to a layer.

    A step is a sequence of terms whose gradients are added before one update.
    """

    steps: Iterable[Sequence[Term]]
    layer: int | None = None
