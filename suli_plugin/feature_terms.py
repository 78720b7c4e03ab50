"""Terms whose loss sees the features of their own training pass, with gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from suli_plugin.features import penultimate_features
from suli_plugin.images import Batch, ImageSet
from suli_plugin.rounds import Term

FeatureLoss = Callable[[Tensor, Tensor, Batch], Tensor]
"""`(features (B, D), logits (B, K), both float32, batch) -> losses (B,)`."""


def feature_term(
    model: nn.Module,
    images: ImageSet,
    positions: Tensor,
    loss: FeatureLoss,
    *,
    whole: bool = False,
) -> Term:
    """A `Term` of a loss on the penultimate features (see `penultimate_features`) and logits.

    model: the one that is trained. whole: see `Term`. The forward pass raises NoFeatures where
    the model has no such features.
    """
    latest: list[Tensor] = []

    @contextmanager
    def around(batch: Batch) -> Iterator[None]:
        with penultimate_features(model) as features:
            yield
            latest[:] = [features().float()]

    def with_features(logits: Tensor, batch: Batch) -> Tensor:
        # Taken out: a term that is kept must not keep the graph of its pass.
        return loss(latest.pop(), logits, batch)

    return Term(images, positions, with_features, around=around, whole=whole)
