"""The small problem that every method is tried on, and what spies on it."""

from __future__ import annotations

import dataclasses

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import Dataset

from suli_plugin.images import ImageSet
from suli_plugin.request import TRAINING_RECORDS, ForgetRequest, Resource, Scope
from suli_plugin.runner import run
from suli_plugin.testing.recorded import small_training
from suli_plugin.testing.rule import ConformanceError
from suli_plugin.unlearned import Unlearned
from suli_plugin.unlearner import Unlearner

SEED = 7


class Spy(Dataset[tuple[Tensor, int]]):
    """A dataset that knows whether it was read, and raises if it must not be."""

    def __init__(self, images: Tensor, labels: Tensor, name: str, allowed: bool) -> None:
        self.images, self.labels = images, labels
        self.name, self.allowed = name, allowed
        self.reads = 0

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        if not self.allowed:
            raise ConformanceError(f"the {self.name} set was read although it is not declared")
        self.reads += 1
        return self.images[position], int(self.labels[position])


class Problem:
    """Four classes of 8x8 images, a network with BatchNorm of both kinds and dropout, spies.

    retained: so many images in the retain set, None for all. copies: each set so many times over.
    The original is a network of random weights; a method that needs the original's training gets
    one that was trained, and its records.
    """

    def __init__(
        self, unlearner: Unlearner, scope: Scope, *, retained: int | None = None, copies: int = 1
    ) -> None:
        draw = torch.Generator().manual_seed(0)
        allowed = unlearner.resources(scope)
        self.fresh_models = 0
        self.original = self._network(draw)
        classes = (1,) if scope == "class-wise" else ()
        labels = torch.full((33,), 1) if classes else torch.arange(33) % 4
        self.forget = self._spy(labels, "forget", allowed, draw)
        others = torch.tensor([0, 2, 3]) if classes else torch.arange(4)
        self.retain = self._spy(others.repeat(16)[:retained], "retain", allowed, draw)
        self.reference = self._spy(torch.arange(24) % 4, "reference", allowed, draw)
        for spy in (self.forget, self.retain, self.reference):
            spy.images = spy.images.repeat(copies, 1, 1, 1)
            spy.labels = spy.labels.repeat(copies)
        self.request = ForgetRequest(
            forget=self.forget,
            retain=self.retain,
            reference=self.reference,
            fresh_model=self._fresh,
            image_shape=(3, 8, 8),
            forget_classes=classes,
        )
        if allowed & set(TRAINING_RECORDS):
            self._train()

    def run(self, unlearner: Unlearner, accelerator: Accelerator | None = None) -> Unlearned:
        """Unlearn with the fixed seed."""
        return run(unlearner, self.original, self.request, accelerator=accelerator, seed=SEED)

    def _train(self) -> None:
        """Train the original on forget and retain set, and offer what that left."""
        parts = (self.forget, self.retain)
        images = torch.cat([part.images for part in parts])
        train = ImageSet.of_tensors(images, torch.cat([part.labels for part in parts]))
        forgotten = torch.arange(len(images)) < len(self.forget)
        self.original, records = small_training(train, self._untrained, forgotten, SEED)
        self.request = dataclasses.replace(self.request, **vars(records))

    def _fresh(self) -> nn.Module:
        self.fresh_models += 1
        return self._untrained()

    def _untrained(self) -> nn.Module:
        return self._network(torch.Generator().manual_seed(int(torch.randint(2**31, ()))))

    @staticmethod
    def _spy(labels: Tensor, name: str, allowed: frozenset[Resource], draw: torch.Generator) -> Spy:
        centres = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
        noise = torch.rand(len(labels), 3, 8, 8, generator=draw)
        return Spy((centres[labels] + noise) / 2, labels, name, name in allowed)

    @staticmethod
    def _network(draw: torch.Generator) -> nn.Module:
        network = nn.Sequential(
            nn.Conv2d(3, 6, 3, bias=False),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(24, 12),
            nn.BatchNorm1d(12),
            nn.Dropout(0.1),
            nn.Linear(12, 4),
        )
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(torch.rand(parameter.shape, generator=draw) - 0.3)
        return network.eval()
