"""DELETE: distil the original's outputs without the forgotten label into the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from typing_extensions import Self

from suli_plugin.batch_norm import BATCH_NORM
from suli_plugin.forget_only import ForgetOnly
from suli_plugin.frozen_teacher import FrozenTeacher
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch
from suli_plugin.optimizers import SGD
from suli_plugin.session import Session
from suli_plugin.spa import spa_loss, spa_targets, suppressed_classes
from suli_plugin.unlearner import Scope


@dataclass(frozen=True, kw_only=True)
class Delete(ForgetOnly):
    """KL from the frozen original's distribution with the true label at -inf, temperature 1.

    The loss is SU's with epsilon 0, temperature 1 and each sample's label suppressed; what
    differs is the optimiser, and that an augmented image has its own target.
    """

    name: ClassVar[str] = "delete"
    paper: ClassVar[str] = (
        "Zhou et al., Decoupled Distillation to Erase: A General Unlearning Method for Any "
        "Class-centric Tasks, CVPR 2025"
    )
    bibtex: ClassVar[str] = """@inproceedings{zhou2025decoupled,
  title = {Decoupled Distillation to Erase: A General Unlearning Method for Any Class-centric
    Tasks},
  author = {Zhou, Yu and Zheng, Dian and Mo, Qijie and Lu, Renjie and Lin, Kun-Yu
    and Zheng, Wei-Shi},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  pages = {20350--20359},
  year = {2025}
}"""
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3),
        "batch_norm": BATCH_NORM,
        "batch_size": (32, 128),
    }

    epochs: int = field(default=20, metadata=bounds(at_least=0))
    batch_size: int = field(default=128, metadata=bounds(at_least=1))
    lr: float = field(default=1e-4, metadata=bounds(at_least=0))
    momentum: float = field(default=0.9, metadata=bounds(at_least=0, below=1))

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        before = session.predict(model, session.forget)
        teacher = FrozenTeacher(model, session, session.forget, before=before)

        def loss(logits: Tensor, taught: Tensor, batch: Batch) -> Tensor:
            return spa_loss(_targets(taught, batch.labels, session), logits)

        session.train(
            model,
            teacher.epochs(session.forget, loss, epochs=self.epochs, batch_size=self.batch_size),
            self._optimizer,
            batch_norm=self.batch_norm,
            stop=session.stop_rule(model, self.stop, before=before),
        )
        return model

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return SGD(parameters, lr=self.lr, momentum=self.momentum)

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The official code's settings for a ResNet-18 on CIFAR-10, class-wise.

        shaaaaron/DELETE at 60018a1: SGD 1e-4, momentum 0.9, batches of 128, twenty epochs
        without a stop rule.
        """
        return cls(stop="never")


def _targets(logits: Tensor, labels: Tensor, session: Session) -> Tensor:
    suppressed = suppressed_classes(
        labels, logits.shape[1], forgotten_before=session.forgotten_before
    )
    return spa_targets(logits, suppressed)
