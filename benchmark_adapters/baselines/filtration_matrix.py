"""The matrix of linear filtration, and the mean logits that it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from suli_plugin.session import Session

Mode = Literal["normalization", "randomization", "zeroing", "naive"]


def mean_logits(model: nn.Module, session: Session, known: Sequence[int], outputs: int) -> Tensor:
    """Column i is the mean logits of class i, both of the known classes; float64, on the CPU."""
    sums, counts = torch.zeros(outputs, outputs, dtype=torch.float64), torch.zeros(outputs)
    for images in (session.forget, session.retain):
        found = session.predict(model, images)
        if found.logits.shape[1] != outputs:
            raise ValueError(
                f"linear_filtration changes the layer that makes the logits, but the last layer "
                f"has {outputs} outputs and the model {found.logits.shape[1]} logits"
            )
        sums.index_add_(0, found.labels, found.logits.double())
        counts += torch.bincount(found.labels, minlength=outputs)
    missing = [label for label in known if not counts[label]]
    if missing:
        raise ValueError(
            f"linear_filtration needs images of every class to know its mean logits, but none is "
            f"of class {', '.join(map(str, missing))}"
        )
    return (sums / counts[:, None])[list(known)][:, list(known)].T


def filtration_matrix(
    means: Tensor, remaining: Sequence[int], mode: Mode, generator: torch.Generator
) -> Tensor:
    """F, float64 (R, K), for the classes that remain.

    means: float64 (K, K), column i the mean logits of class i. remaining: the R rows that stay.
    Raises ValueError where the columns depend on each other.
    """
    kept = means[list(remaining)]
    if mode == "naive":
        return kept
    retained = kept[:, list(remaining)]
    for label in [c for c in range(len(means)) if c not in remaining]:
        column = kept[:, label]
        if mode == "normalization":
            kept[:, label] = column + retained.mean() - column.mean()
        elif mode == "zeroing":
            kept[:, label] = 0
        else:
            kept[:, label] = torch.randn(len(column), generator=generator, dtype=kept.dtype)
    # The means come from float32 logits: a rank that only their rounding gives is none.
    if int(torch.linalg.matrix_rank(means, rtol=1e-6)) < len(means):
        raise ValueError(
            "linear_filtration needs mean logits of the classes that do not depend on each other, "
            "but they do; mode='naive' does without them"
        )
    return torch.linalg.solve(means.T, kept.T).T
