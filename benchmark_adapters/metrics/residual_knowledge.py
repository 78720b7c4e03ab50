"""Residual knowledge: are forget images recognised again when they are changed a little?"""

from __future__ import annotations

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from suli_plugin.evaluation import evaluate
from suli_plugin.images import ImageSet

RADIUS = 0.03


def recognised_nearby(
    model: nn.Module,
    images: ImageSet,
    accelerator: Accelerator,
    *,
    radius: float = RADIUS,
    draws: int = 5,
    most_images: int = 300,
    seed: int = 0,
    channels_last: bool = False,
) -> float:
    """Share of predictions that are the label's, in a ball around each image, in [0, 1].

    images: the forget set, of which at most `most_images`, drawn, are looked at. Each of the
    `draws` adds noise that is uniform in [-radius, radius] to every pixel, on the scale of [0, 1]
    before normalisation, and clips to [0, 1]; all models of one `seed` see the same. The model is
    not changed. Over a Retrain's share it is the residual knowledge: above 1 more is left than
    it knows, below 1 more is gone. Hsu et al., The Unseen Threat, NeurIPS 2025 (arXiv
    2601.22359); the ball is that of the largest change of a pixel here. Raises ValueError for a
    radius below 0 or no draw.
    """
    if not radius >= 0 or draws < 1:
        raise ValueError(
            f"residual knowledge: expected a radius of 0 or more and at least one draw, "
            f"got {radius} and {draws}"
        )
    draw = torch.Generator().manual_seed(seed)
    images = images.subset(torch.randperm(len(images), generator=draw)[:most_images])
    clean = _pixels(images)
    shares = [
        evaluate(
            model, _near(images, clean, radius, draw), accelerator, channels_last=channels_last
        ).accuracy()
        for _ in range(draws)
    ]
    return sum(shares) / draws


def _pixels(images: ImageSet) -> Tensor:
    """All of them on the CPU, float32 (N, C, H, W) in [0, 1]."""
    raw = images.pixels(torch.arange(len(images)), torch.device("cpu"))[0]
    return raw.float() / 255 if raw.dtype == torch.uint8 else raw.float()


def _near(images: ImageSet, clean: Tensor, radius: float, draw: torch.Generator) -> ImageSet:
    noise = (2 * torch.rand(clean.shape, generator=draw) - 1) * radius
    normalised = images.normalised((clean + noise).clamp(0, 1))
    return ImageSet.of_tensors(normalised, images.labels, kind=images.kind)
