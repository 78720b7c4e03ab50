"""A small training, and what it leaves for methods that need the original's training."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from suli_plugin.images import ImageSet
from suli_plugin.optimizers import SGD
from suli_plugin.recording import Keep, ShardedTraining, Training, last_epochs_of, log_of
from suli_plugin.request import ForgetRequest, Resource, Scope
from suli_plugin.rounds import cross_entropy
from suli_plugin.runner import run
from suli_plugin.session import Session
from suli_plugin.training import Trainer
from suli_plugin.training_records import State, TrainingRecords
from suli_plugin.unlearner import Unlearner


@dataclass(frozen=True, kw_only=True)
class SmallRecipe(Unlearner):
    """Two epochs of SGD with momentum."""

    name: ClassVar[str] = "small_recipe"
    paper: ClassVar[str] = "the conformance suite's own"
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "instance-wise": frozenset({"retain", "fresh_model"})
    }

    epochs: int = 2

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        fresh = session.fresh_model()
        self.fit(fresh, session.retain, session, epochs=self.epochs)
        return fresh

    def fit(self, model: nn.Module, images: ImageSet, trainer: Trainer, *, epochs: int) -> None:
        """See `Recipe.fit`."""
        trainer.train(
            model,
            trainer.epochs(images, cross_entropy, epochs=epochs, batch_size=16),
            lambda parameters: SGD(parameters, lr=0.05, momentum=0.9),
            batch_norm="update",
        )


def small_training(
    train: ImageSet, fresh_model: Callable[[], nn.Module], forgotten: Tensor, seed: int
) -> tuple[nn.Module, TrainingRecords]:
    """An original, and the records of its training. forgotten: bool (N,), of the images."""
    recipe, accelerator = SmallRecipe(), Accelerator()
    request = ForgetRequest(retain=train, fresh_model=fresh_model)
    # What is handed in is replaced by a fresh model; it need not be a new one.
    with torch.random.fork_rng():
        some = fresh_model()
    original = run(recipe, some, request, accelerator=accelerator, seed=seed).model
    # The caller may freeze its own.
    training = Training(recipe, train, fresh_model, copy.deepcopy(original), seed, accelerator)
    sharded = ShardedTraining(recipe, train, fresh_model, seed, accelerator, kept_in_memory())
    records = TrainingRecords(
        training_log=lambda: log_of(training, forgotten),
        last_epochs=lambda: last_epochs_of(training),
        shards=lambda shards, slices: sharded.shards(forgotten, shards, slices),
    )
    return original, records


def kept_in_memory() -> Keep:
    """Keeps what is made, until it is forgotten itself."""
    kept: dict[str, State] = {}

    def keep(name: str, make: Callable[[], State]) -> State:
        if name not in kept:
            kept[name] = make()
        return kept[name]

    return keep
