"""What UNSIR and EMMN share: impair the model with learnt noise, then repair it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from benchmark_adapters.baselines.learnt_noise import Error, NoiseRecipe, learnt_noise
from suli_plugin.batch_norm import BATCH_NORM, BatchNorm
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import ImageSet
from suli_plugin.mixed_images import MixedImages
from suli_plugin.optimizers import Adam
from suli_plugin.rounds import cross_entropy
from suli_plugin.session import Session
from suli_plugin.unlearner import Unlearner


@dataclass(frozen=True, kw_only=True)
class ImpairRepair(Unlearner):
    """The fields and the steps of both; what is kept to repair with is the subclass's."""

    zero_steps: ClassVar[dict[str, int]] = {"impair_epochs": 0, "repair_epochs": 0}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-4, 1e-3, 3e-3, 1e-2, 2e-2, 5e-2),
        "repair_lr": (1e-4, 1e-3, 1e-2),
        "batch_norm": BATCH_NORM,
    }

    noise_images: int = field(default=256, metadata=bounds(at_least=1))
    iterations: int = field(default=40, metadata=bounds(at_least=0))
    noise_lr: float = field(default=0.1, metadata=bounds(at_least=0))
    noise_penalty: float = field(default=0.1, metadata=bounds(at_least=0))
    copies: int = field(default=20, metadata=bounds(at_least=1))
    impair_epochs: int = field(default=1, metadata=bounds(at_least=0))
    batch_size: int = field(default=256, metadata=bounds(at_least=1))
    lr: float = field(default=0.02, metadata=bounds(at_least=0))
    repair_epochs: int = field(default=1, metadata=bounds(at_least=0))
    repair_batch_size: int = field(default=256, metadata=bounds(at_least=1))
    repair_lr: float = field(default=0.01, metadata=bounds(at_least=0))
    batch_norm: BatchNorm = "update"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        if not self.impair_epochs and not self.repair_epochs:
            return model
        kept = self._kept(model, session)
        if self.impair_epochs:
            damage = MixedImages([*self._copied_noise(model, session), kept])
            self._train(model, damage, self.impair_epochs, self.batch_size, self.lr, session)
        if self.repair_epochs:
            size = self.repair_batch_size
            self._train(model, kept, self.repair_epochs, size, self.repair_lr, session)
        return model

    @abstractmethod
    def _kept(self, model: nn.Module, session: Session) -> ImageSet:
        """What stands for the retained classes in both steps."""

    @abstractmethod
    def _image_shape(self, session: Session) -> tuple[int, ...]:
        """(C, H, W) of what the model takes."""

    def _copied_noise(self, model: nn.Module, session: Session) -> Iterator[ImageSet]:
        """For each forgotten class its noise, each image `copies` times."""
        for label in session.forget_classes:
            noise = self._noise(label, "maximised", model, session)
            yield noise.subset(torch.arange(len(noise)).repeat(self.copies))

    def _noise(self, label: int, error: Error, model: nn.Module, session: Session) -> ImageSet:
        """Noise for a class; its cross-entropy with the class goes into the notes."""
        recipe = NoiseRecipe(
            images=self.noise_images,
            iterations=self.iterations,
            lr=self.noise_lr,
            penalty=self.noise_penalty,
        )
        noise = learnt_noise(session, model, label, self._image_shape(session), recipe, error=error)
        reached = float(session.predict(model, noise).losses().mean())
        session.notes.setdefault("noise_cross_entropy", {})[str(label)] = reached
        return noise

    def _train(
        self,
        model: nn.Module,
        images: ImageSet,
        epochs: int,
        batch_size: int,
        lr: float,
        session: Session,
    ) -> None:
        def optimizer(parameters: list[nn.Parameter]) -> Optimizer:
            return Adam(parameters, lr=lr)

        session.train(
            model,
            session.epochs(images, cross_entropy, epochs=epochs, batch_size=batch_size),
            optimizer,
            batch_norm=self.batch_norm,
        )
