"""The case that settings are tuned on: held-out training images stand where the test set was."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from benchmark_adapters.images.joined_images import joined
from benchmark_adapters.splits.recipes import stratified_draw
from suli_plugin.benchmark import Case
from suli_plugin.images import ImageSet


def validation_case(
    case: Case, seed: int, fraction: float = 0.2, *, retain_scored: int | None = None
) -> Case:
    """The case without its test set, and without the images held out of forget and retain set.

    `test` becomes the held-out images: of each class its share of the retain set, and class-wise
    as much of the forget set. Instance-wise the forget set stays whole: what matters are those
    very samples. The reference set stays. The original was trained on the held-out images, so
    they show what unlearning does beyond the images it got, not how well the original generalises.

    retain_scored: at most so many images of the retain set, and of what is held out of it, are
    scored, a stratified draw; None scores as many as the case does. seed: of all draws.
    Raises ValueError for a fraction outside (0, 1) and for a set that is too small to be divided.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"the fraction held out must be between 0 and 1, got {fraction}")
    limit = retain_scored or (None if case.retain_sample is None else len(case.retain_sample))
    retain, held_out = _divided(case.retain, fraction, seed)
    forget, validation = case.forget, _at_most(held_out, limit, seed)
    if case.forget_classes:
        forget, forgotten = _divided(case.forget, fraction, seed)
        validation = joined(forgotten, validation)
    return dataclasses.replace(
        case,
        forget=forget,
        retain=retain,
        retain_sample=_at_most(retain, limit, seed),
        test=validation.of_kind("reference"),
    )


def _divided(images: ImageSet, fraction: float, seed: int) -> tuple[ImageSet, ImageSet]:
    """What is left, and a stratified fraction that is held out."""
    if len(images) < 2:
        raise ValueError(
            f"tuning holds out a part of the {images.kind} set, which needs two images or more; "
            f"it has {len(images)}"
        )
    number = min(max(1, round(fraction * len(images))), len(images) - 1)
    drawn = stratified_draw(torch.arange(len(images)), images.labels, number, seed)
    return images.subset(_others(drawn, len(images))), images.subset(drawn)


def _others(drawn: Tensor, total: int) -> Tensor:
    left = torch.ones(total, dtype=torch.bool)
    left[drawn] = False
    return torch.where(left)[0]


def _at_most(images: ImageSet, limit: int | None, seed: int) -> ImageSet:
    if limit is None or limit >= len(images):
        return images
    return images.subset(stratified_draw(torch.arange(len(images)), images.labels, limit, seed))
