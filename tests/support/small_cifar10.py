"""A part of CIFAR-10 and a small network: an original and Retrains of one recipe in seconds each.

The original knows 47 % of the test images, and 75 % of the images that it was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn

from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.images.base_data import load_base
from benchmark_adapters.images.chosen_images import chosen
from benchmark_adapters.images.decoded_images import image_set
from benchmark_adapters.splits.recipes import stratified_draw
from suli_plugin import ForgetRequest, run
from suli_plugin.benchmark import Case
from suli_plugin.images import ImageSet

RECIPE = Retrain(epochs=10, batch_size=64, lr=0.1)
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
TRAIN, TEST, REFERENCE = 1_500, 600, 300


def small_net() -> nn.Module:
    """Four convolutions with BatchNorm, 34 thousand weights, for images (B, 3, 32, 32)."""
    return nn.Sequential(
        *_convolution(3, 16, stride=2),
        *_convolution(16, 32),
        nn.MaxPool2d(2),
        *_convolution(32, 32),
        nn.MaxPool2d(2),
        *_convolution(32, 64),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


@dataclass(frozen=True)
class SmallCifar10:
    """An original of the recipe, and the images that it was trained on and tested with."""

    original: nn.Module
    train: ImageSet
    test: ImageSet
    reference: ImageSet

    @classmethod
    def trained(cls, folder: Path, accelerator: Accelerator) -> SmallCifar10:
        train = _images(folder, "train", TRAIN).of_kind("retain")
        unseen = _images(folder, "test", TEST + REFERENCE).of_kind("reference")
        request = ForgetRequest(retain=train, fresh_model=small_net)
        made = run(RECIPE, small_net(), request, accelerator=accelerator, seed=1_000)
        rows = torch.arange(len(unseen))
        held = stratified_draw(rows, unseen.labels, REFERENCE, seed=1)
        test = unseen.subset(rows[~torch.isin(rows, held)])
        return cls(made.model, train, test, unseen.subset(held))

    def case(self, label: int) -> Case:
        """Forget one class; every fifth retained image is scored."""
        forgotten = self.train.labels == label
        retain = self.train.subset(torch.where(~forgotten)[0])
        return Case(
            original=self.original,
            forget=self.train.subset(torch.where(forgotten)[0]).of_kind("forget"),
            retain=retain,
            reference=self.reference,
            test=self.test,
            fresh_model=small_net,
            forget_classes=(label,),
            retain_sample=retain.subset(torch.arange(0, len(retain), 5)),
        )


def _images(folder: Path, split: str, count: int) -> ImageSet:
    base = load_base(str(folder), split=split)
    rows = stratified_draw(torch.arange(len(base)), base.labels, count, seed=0).tolist()
    ids = [base.ids[row] for row in rows]
    part = chosen(base, rows, base.labels[rows], ids, base.class_names)
    return image_set(part, mean=MEAN, std=STD)


def _convolution(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
