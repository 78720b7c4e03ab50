"""Noise that a frozen model is wrong, or right, about: images learnt by their gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from suli_plugin.batch_norm import evaluation_mode
from suli_plugin.images import Batch, ImageSet
from suli_plugin.optimizers import Adam
from suli_plugin.rounds import cross_entropy
from suli_plugin.session import Session

# A power of two leaves a gradient exact and lifts it out of what float16 rounds to zero.
LOSS_SCALE = 2.0**10

Error = Literal["maximised", "minimised"]


@dataclass(frozen=True, kw_only=True)
class NoiseRecipe:
    """How noise is learnt: Adam on the images themselves, `iterations` steps of rate `lr`.

    images: how many a class, learnt as one batch. penalty: the weight of the images' squared L2
    norm, mean over images, in units of what the model takes (normalised pixels).
    """

    images: int
    iterations: int
    lr: float
    penalty: float


def learnt_noise(
    session: Session,
    model: nn.Module,
    label: int,
    shape: Sequence[int],
    recipe: NoiseRecipe,
    *,
    error: Error,
) -> ImageSet:
    """Images of this shape (C, H, W) under `label`, of kind `synthetic`, for which the error is so.

    Minimises -CE(model(noise), label) + penalty * |noise|^2, or + CE, from normal random numbers of
    `session.generator`. The model is frozen and in evaluation mode, so that no buffer moves.
    """
    start = torch.randn((recipe.images, *shape), generator=session.generator)
    noise = start.to(session.device).requires_grad_()
    labels = torch.full((recipe.images,), label)
    batch = Batch(noise, labels.to(session.device), torch.arange(recipe.images), "synthetic")
    optimizer, sign = Adam([noise], lr=recipe.lr), -1 if error == "maximised" else 1
    with evaluation_mode(model), torch.enable_grad():
        for _ in range(recipe.iterations):
            session.passes.add({"synthetic": recipe.images}, backward=1)
            fit = cross_entropy(session.forward(model, batch), batch).mean()
            loss = sign * fit + recipe.penalty * _squared_norms(noise).mean()
            (gradient,) = torch.autograd.grad(loss * LOSS_SCALE, noise)
            noise.grad = gradient / LOSS_SCALE
            optimizer.step()
    return ImageSet.of_tensors(noise.detach().cpu(), labels, kind="synthetic")


def _squared_norms(images: Tensor) -> Tensor:
    return images.square().flatten(1).sum(1)
