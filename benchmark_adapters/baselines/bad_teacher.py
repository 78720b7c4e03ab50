"""Bad Teacher: learn from an untrained network on the forget set, from the original elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from typing_extensions import Self

from suli_plugin.batch_norm import BATCH_NORM, BatchNorm
from suli_plugin.frozen_teacher import FrozenTeacher, divergence
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch, ImageSet
from suli_plugin.mixed_images import MixedImages
from suli_plugin.optimizers import Adam
from suli_plugin.rounds import Round
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class BadTeacher(Unlearner):
    """Minimise KL(teacher || model); the teacher of a forget image is an untrained twin of the
    original (the incompetent one), that of a retain image the original (the competent one).

    retain_share: of the retain set, drawn once; the rest is not read. How many images these are is
    in the notes. Forget and retain images are mixed and shuffled, so that a batch has both in one
    forward pass. temperature: divides all logits, without a factor T^2, as in the source. Both
    teachers are in evaluation mode.

    As in the paper the forgotten class keeps the untrained network's share of its images, about
    1/K: no label is left out but those forgotten earlier. The public code averages the
    divergence over the classes, too; to Adam, which divides by the gradient's size, this
    constant factor 1/K means nothing but a larger epsilon, and it is not repeated. That code
    trains in whatever mode the model was left, by construction training mode: hence the default.
    """

    name: ClassVar[str] = "bad_teacher"
    paper: ClassVar[str] = (
        "Chundawat et al., Can Bad Teaching Induce Forgetting? Unlearning in Deep Networks using "
        "an Incompetent Teacher, AAAI 2023"
    )
    bibtex: ClassVar[str] = """@inproceedings{chundawat2023can,
  title = {Can Bad Teaching Induce Forgetting? Unlearning in Deep Networks Using an Incompetent
    Teacher},
  author = {Chundawat, Vikram S. and Tarun, Ayush K. and Mandal, Murari and Kankanhalli, Mohan},
  booktitle = {Proceedings of the AAAI Conference on Artificial Intelligence},
  volume = {37},
  year = {2023}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"forget", "retain", "fresh_model"}),
        "instance-wise": frozenset({"forget", "retain", "fresh_model"}),
    }
    zero_steps: ClassVar[dict[str, int]] = {"epochs": 0}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3),
        "batch_norm": BATCH_NORM,
        "retain_share": (0.1, 0.3, 1.0),
    }

    epochs: int = field(default=1, metadata=bounds(at_least=0))
    batch_size: int = field(default=256, metadata=bounds(at_least=1))
    lr: float = field(default=1e-4, metadata=bounds(at_least=0))
    retain_share: float = field(default=0.3, metadata=bounds(above=0, at_most=1))
    temperature: float = field(default=1.0, metadata=bounds(above=0))
    batch_norm: BatchNorm = "update"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        if self.epochs == 0:
            return model
        forget, retain = session.forget, self._share(session)
        teachers = {
            forget: FrozenTeacher(session.fresh_model(), session, forget),
            retain: FrozenTeacher(model, session, retain),
        }
        session.train(
            model, self._epochs(teachers, session), self._optimizer, batch_norm=self.batch_norm
        )
        return model

    def _share(self, session: Session) -> ImageSet:
        count = max(1, int(self.retain_share * len(session.retain)))
        session.notes["retain_images"] = count
        drawn = torch.randperm(len(session.retain), generator=session.generator)[:count]
        return session.retain.subset(drawn)

    def _epochs(
        self, teachers: Mapping[ImageSet, FrozenTeacher], session: Session
    ) -> Iterator[Round]:
        mixed = MixedImages(list(teachers))

        def loss(logits: Tensor, batch: Batch) -> Tensor:
            taught = torch.empty_like(logits)
            for images, rows, own in mixed.split(batch):
                taught[rows] = teachers[images].logits(images, own)
            return divergence(taught, logits, temperature=self.temperature)

        for epoch in session.epochs(mixed, loss, epochs=self.epochs, batch_size=self.batch_size):
            for images, teacher in teachers.items():
                teacher.count_epoch(images)
            yield epoch

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return Adam(parameters, lr=self.lr)

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The official notebook's settings (vikram2000b/bad-teaching-unlearning at f1aa988).

        For a ResNet-18 and a sub-class of CIFAR-Super20: 30 % of the retain set, Adam 1e-4, one
        epoch, batches of 256, temperature 1. They are the defaults.
        """
        return cls()
