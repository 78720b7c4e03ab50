"""What only training can leave: a log of updates, the last two epochs, shards and their slices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from suli_plugin.images import ImageSet
from suli_plugin.training import Trainer

State = Mapping[str, Tensor]
"""A state dict, or a part of one: tensors on the CPU by their names in it."""


@dataclass(frozen=True)
class TrainingLog:
    """What undoing the updates that saw a forgotten sample needs (Graves et al., AAAI 2021).

    change: for every floating entry of the state dict, the sum over those updates of its value
    after minus its value before. The running statistics of BatchNorm are among them, which the
    public code misses; counts of batches are not. One sum, so that it is as large as the model,
    however many updates there were. sensitive_steps: how many there were. steps: of the training.
    """

    change: State
    sensitive_steps: int
    steps: int


@dataclass(frozen=True)
class EpochEnd:
    """How an epoch of training ended: parameters by name, and the gradient of each.

    gradients: of the mean cross-entropy over the whole training set, not augmented, in evaluation
    mode.
    """

    parameters: State
    gradients: State


@dataclass(frozen=True)
class LastEpochs:
    """How the last two epochs of the original's training ended (Mehta et al., CVPR 2022).

    count: of the training samples.
    """

    before_last: EpochEnd
    last: EpochEnd
    count: int


class Recipe(Protocol):
    """A training that can be done for any number of epochs, from any weights."""

    @property
    def epochs(self) -> int:
        """How long the recipe trains on the whole training set."""

    def fit(self, model: nn.Module, images: ImageSet, trainer: Trainer, *, epochs: int) -> None:
        """Train the model in place, with an optimiser of its own and the trainer's randomness."""


@dataclass(frozen=True)
class Shards:
    """A training in shards and slices (Bourtoule et al., S&P 2021), and what is to be forgotten.

    Stage r of a shard trains on its slices 0 to r, from the weights that stage r - 1 left. Each
    stage has a seed and an optimiser of its own, so that weights and buffers are all that goes
    from one to the next, and a stage that is trained again from the same checkpoint on the same
    images gives the same weights bit by bit.

    slices: for each shard the positions of each slice in the training set, in the order they are
    trained in. forgotten: bool (N,), over the training set. checkpoint: (shard, stage) -> the
    state dict before that stage, the trained shard's for stage R; read from the disk when asked.
    """

    recipe: Recipe
    slices: tuple[tuple[Tensor, ...], ...]
    forgotten: Tensor
    checkpoint: Callable[[int, int], State]
    seed: int

    @property
    def stages(self) -> int:
        """R, the number of slices of a shard, hence of stages of its training."""
        return len(self.slices[0])

    def first_affected(self, shard: int) -> int | None:
        """The first slice of a shard that holds a forgotten sample; None if no slice does."""
        affected = [bool(self.forgotten[part].any()) for part in self.slices[shard]]
        return affected.index(True) if any(affected) else None

    def positions(self, shard: int, stage: int) -> Tensor:
        """Where in the training set the images of a stage are, the forgotten left out."""
        seen = torch.cat(self.slices[shard][: stage + 1])
        return seen[~self.forgotten[seen]]

    def retained(self, shard: int, stage: int) -> Tensor:
        """Where in the retain set, the training set without the forgotten, they are."""
        rank = torch.cumsum(~self.forgotten, 0) - 1
        return rank[self.positions(shard, stage)]

    def epochs(self, stage: int) -> int:
        """How long a stage trains: of all 2 e / (R + 1) each, so that as many samples are seen.

        Rounded so that the sum of the stages is right, as in the public code.
        """
        each = 2 * self.recipe.epochs / (self.stages + 1)
        return int((stage + 1) * each) - int(stage * each)

    def fit(
        self, model: nn.Module, images: ImageSet, trainer: Trainer, shard: int, stage: int
    ) -> None:
        """Train one stage of a shard in place, from the weights that the model has.

        images: of the stage. Nothing is done without any.
        """
        epochs = self.epochs(stage)
        if len(images) and epochs:
            trainer.reseed(self.seed + 1_000 * shard + stage + 1)
            self.recipe.fit(model, images, trainer, epochs=epochs)


@dataclass(frozen=True)
class TrainingRecords:
    """Makes or reads what the original's training left, each when it is asked for.

    shards: (number of shards, slices of each) -> the training in shards.
    Each raises DoesNotApply where the training can't be had, and ValueError where a record would
    be too large, or is of another training.
    """

    training_log: Callable[[], TrainingLog]
    last_epochs: Callable[[], LastEpochs]
    shards: Callable[[int, int], Shards]
