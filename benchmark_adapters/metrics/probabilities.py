"""What metrics read of a model: distributions, true-class confidences, and their checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any] | Tensor | Sequence[Any]
"""What every metric takes: NumPy, torch or nested lists; it is copied, never changed."""
SUM_TOLERANCE = 1e-4


def as_numpy(values: Array) -> NDArray[Any]:
    """The values as NumPy has them; a tensor or an array shares its memory."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def as_float64(values: Array, name: str, dims: int) -> Tensor:
    """A float64 copy on the CPU. Raises ValueError for another rank, no rows or non-finite values.

    name: for the message.
    """
    copied = torch.from_numpy(np.array(as_numpy(values), dtype=np.float64))
    if copied.dim() != dims or copied.numel() == 0:
        raise ValueError(
            f"{name}: expected a non-empty array of {dims} dimensions, "
            f"got shape {tuple(copied.shape)}"
        )
    if not bool(copied.isfinite().all()):
        raise ValueError(f"{name}: {int((~copied.isfinite()).sum())} values are not finite")
    return copied


def as_labels(values: Array, name: str, rows: int) -> Tensor:
    """Labels as an int64 copy (N,). Raises ValueError unless there is one a row."""
    labels = as_float64(values, name, 1).long()
    if len(labels) != rows:
        raise ValueError(f"{name}: expected {rows} labels, one a row, got {len(labels)}")
    return labels


def probabilities(logits: Array) -> Tensor:
    """Softmax of logits (N, K), float64 (N, K)."""
    return as_float64(logits, "logits", 2).softmax(1)


def true_class_confidence(logits: Array, labels: Array) -> Tensor:
    """Probability of each sample's own label, float64 (N,). logits: (N, K); labels: (N,)."""
    predicted = probabilities(logits)
    own = as_labels(labels, "labels", len(predicted))
    return predicted.gather(1, own[:, None]).squeeze(1)


def fractions(scores: Sequence[float]) -> Tensor:
    """Scores as float64 (N,). Raises ValueError for one outside [0, 1], percents above all."""
    values = as_float64(scores, "scores", 1)
    if float(values.min()) < 0 or float(values.max()) > 1:
        raise ValueError(f"scores: expected fractions in [0, 1], got {values.tolist()}")
    return values


def paired_distributions(one: Array, other: Array) -> tuple[Tensor, Tensor]:
    """Both as float64 (N, K). Raises ValueError unless shapes agree and rows are distributions."""
    first, second = _distributions(one, "first"), _distributions(other, "second")
    if first.shape != second.shape:
        raise ValueError(
            f"expected two models' probabilities of the same images, (N, K) each, "
            f"got {tuple(first.shape)} and {tuple(second.shape)}"
        )
    return first, second


def _distributions(values: Array, which: str) -> Tensor:
    rows = as_float64(values, f"{which} probabilities", 2)
    off = float((rows.sum(1) - 1).abs().max())
    if float(rows.min()) < 0 or off > SUM_TOLERANCE:
        raise ValueError(
            f"{which} probabilities: expected rows >= 0 that add up to 1, got a minimum of "
            f"{float(rows.min()):.3g} and sums off by {off:.3g}; for logits use probabilities()"
        )
    return rows
