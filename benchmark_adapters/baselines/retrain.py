"""Retrain: train a fresh model on the retain set alone, the gold standard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import nn
from torch.optim.optimizer import Optimizer
from typing_extensions import Self

from suli_plugin.batch_norm import BatchNorm
from suli_plugin.hyperparameters import added_later, bounds
from suli_plugin.images import ImageSet
from suli_plugin.one_cycle import one_cycle
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import Round, cross_entropy
from suli_plugin.session import Session
from suli_plugin.training import Trainer
from suli_plugin.unlearner import Resource, Scope, Unlearner

FIRST = 1
# Far from the seeds of runs and of originals, so that no repeat equals another training.
REPEAT_SEED = 20_000
# A recipe that was written down before there was such a field says nothing of it.
UNSAID = {"plain_epochs": 0, "even_batches": False}


@dataclass(frozen=True, kw_only=True)
class Retrain(Unlearner):
    """SGD with Nesterov momentum and a one-cycle learning rate, from a new initialisation.

    The defaults are a 30-epoch recipe for 32x32 images; a benchmark sets the recipe of its
    original. lr: the peak of the cycle, reached after `warm_up` of all steps. plain_epochs: so many
    of the last epochs see images without augmentation, as methods and tests do. even_batches: an
    epoch's batches differ by one image at most, so that none is a remainder of a few images, whose
    gradient and BatchNorm statistics are noise. repeat: which of several trainings by one recipe
    this is: the first has the run's seed, every other a seed of its own that is the same in all
    runs. The presets `@2`, `@3`, ... are repeats.
    """

    name: ClassVar[str] = "retrain"
    paper: ClassVar[str] = "training without the forget set (paper, section 4, baseline b)"
    yardstick: ClassVar[bool] = True
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"retain", "fresh_model"}),
        "instance-wise": frozenset({"retain", "fresh_model"}),
    }
    expected_failures: ClassVar[dict[str, str]] = {
        "frozen_parameters_stay": "a retrained model is new, no weight is the original's"
    }

    epochs: int = field(default=30, metadata=bounds(at_least=1))
    batch_size: int = field(default=128, metadata=bounds(at_least=1))
    lr: float = field(default=0.1, metadata=bounds(above=0))
    momentum: float = field(default=0.9, metadata=bounds(at_least=0, below=1))
    weight_decay: float = field(default=5e-4, metadata=bounds(at_least=0))
    warm_up: float = field(default=0.2, metadata=bounds(above=0, below=1))
    batch_norm: BatchNorm = "update"
    plain_epochs: int = field(default=0, metadata=bounds(at_least=0) | added_later())
    even_batches: bool = field(default=False, metadata=added_later())
    repeat: int = field(default=FIRST, metadata=bounds(at_least=0) | added_later())

    @classmethod
    def preset(cls, name: str, scope: Scope) -> Self:
        """The repeat of that number; too many to be listed among the presets."""
        if name.isascii() and name.isdigit() and int(name) > FIRST:
            return cls(repeat=int(name))
        return super().preset(name, scope)

    def recipe(self) -> dict[str, Any]:
        """The hyper-parameters without the number of the repeat, and without what is `UNSAID`."""
        values = self.hyperparameters()
        del values["repeat"]
        return {name: value for name, value in values.items() if value != UNSAID.get(name)}

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        if self.repeat != FIRST:
            session.reseed(REPEAT_SEED + self.repeat)
        fresh = session.fresh_model()
        self.fit(fresh, session.retain, session, epochs=self.epochs)
        return fresh

    def fit(self, model: nn.Module, images: ImageSet, trainer: Trainer, *, epochs: int) -> None:
        """See `Recipe.fit`: one cycle of the learning rate over so many epochs."""
        steps = epochs * -(-len(images) // self.batch_size)
        trainer.train(
            model,
            self._epochs(images, trainer, epochs),
            self._optimizer,
            batch_norm=self.batch_norm,
            schedule=one_cycle(self.lr, steps, self.warm_up),
        )

    def _epochs(self, images: ImageSet, trainer: Trainer, epochs: int) -> Iterator[Round]:
        plain = images.subset(torch.arange(len(images)))
        plain.augment = None
        last = min(self.plain_epochs, epochs)
        for part, count in ((images, epochs - last), (plain, last)):
            yield from trainer.epochs(
                part,
                cross_entropy,
                epochs=count,
                batch_size=self.batch_size,
                even=self.even_batches,
            )

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return SGD(
            parameters,
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.momentum > 0,
            weight_decay=self.weight_decay,
        )
