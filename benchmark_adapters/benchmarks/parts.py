"""The images of a benchmark and their parts: for training, for the stop rule, for the test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from textwrap import wrap
from typing import Literal

import torch
from torch import Tensor

from benchmark_adapters.splits.recipes import stratified_draw
from suli_plugin.images import ImageSet

# Of the classes, so many are named for a person.
MOST_SHOWN = 50


@dataclass(frozen=True)
class Images:
    """Training and test images, normalised as the original takes them; disjoint.

    class_names: by label. notes: lines on what was read and what was left out, for a person.
    """

    train: ImageSet
    test: ImageSet
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parts:
    """train, without what is held out of it; reference and test, never trained on; disjoint."""

    train: ImageSet
    reference: ImageSet
    test: ImageSet


def limited(images: Images, count: int) -> Images:
    """A stratified draw of so many training images, if there are, and of test images alike."""
    share = min(1.0, count / len(images.train))
    train, test = (_drawn(each, share) for each in (images.train, images.test))
    note = f"a trial on {len(train):,} of {len(images.train):,} training images"
    return replace(images, train=train, test=test, notes=(*images.notes, note))


def _drawn(images: ImageSet, share: float) -> ImageSet:
    size = max(1, round(share * len(images)))
    if size == len(images):
        return images
    return images.subset(stratified_draw(torch.arange(len(images)), images.labels, size, seed=0))


def class_lines(parts: Parts, names: tuple[str, ...]) -> list[str]:
    """Which class is which, and how many training and test images it has, for a person."""
    train, test = (
        images.labels.bincount(minlength=len(names)).tolist()
        for images in (parts.train, parts.test)
    )
    # No-break spaces, which wrapping leaves alone: a class stays on one line.
    each = (
        f"class-{label}\xa0=\xa0{name}\xa0({train[label]:,}\xa0+\xa0{test[label]:,})"
        for label, name in enumerate(names)
    )
    shown = list(islice(each, MOST_SHOWN))
    more = f" and\xa0{len(names) - MOST_SHOWN:,}\xa0more" if len(names) > MOST_SHOWN else ""
    text = f"classes (training + test images): {', '.join(shown)}{more}"
    lines = wrap(text, 100, break_on_hyphens=False, break_long_words=False)
    return [line.replace("\xa0", " ") for line in lines]


def held_out(images: Images, drawn_from: Literal["train", "test"], fraction: float) -> Parts:
    """Hold a stratified reference set out of one pool; fraction: of the training set's size."""
    pools = {"train": images.train, "test": images.test}
    pool = pools[drawn_from]
    size = max(1, round(fraction * len(images.train)))
    drawn = stratified_draw(torch.arange(len(pool)), pool.labels, size, seed=0)
    pools[drawn_from] = pool.subset(_others(drawn, len(pool)))
    reference = pool.subset(drawn).of_kind("reference")
    reference.augment = None
    return Parts(pools["train"], reference, pools["test"].of_kind("reference"))


def _others(drawn: Tensor, total: int) -> Tensor:
    left = torch.ones(total, dtype=torch.bool)
    left[drawn] = False
    return torch.where(left)[0]
