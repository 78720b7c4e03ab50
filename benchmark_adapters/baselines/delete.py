"""DELETE: distil the original's outputs without the forgotten label into the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from typing_extensions import Self

from suli_plugin.batch_norm import BATCH_NORM, evaluation_mode
from suli_plugin.evaluation import Predictions
from suli_plugin.forget_only import ForgetOnly
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import Loss, Round
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
        session.train(
            model,
            self._epochs(model, before, session),
            self._optimizer,
            batch_norm=self.batch_norm,
            stop=session.stop_rule(model, self.stop, before=before),
        )
        return model

    def _epochs(self, model: nn.Module, before: Predictions, session: Session) -> Iterator[Round]:
        augmented = session.forget.augment is not None
        loss = _of_each_view(model, session) if augmented else _of_each_image(before, session)
        for epoch in session.epochs(
            session.forget, loss, epochs=self.epochs, batch_size=self.batch_size
        ):
            session.passes.forward["forget"] += len(session.forget) if augmented else 0
            yield epoch

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return SGD(parameters, lr=self.lr, momentum=self.momentum)

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The official code's settings for a ResNet-18 on CIFAR-10, class-wise.

        shaaaaron/DELETE at 60018a1: SGD 1e-4, momentum 0.9, batches of 128, twenty epochs
        without a stop rule.
        """
        return cls(stop="never")


def _of_each_image(before: Predictions, session: Session) -> Loss:
    """The original's outputs for an image never change, so they are taken from one pass."""
    targets = _targets(before.logits, before.labels, session).to(session.device)

    def loss(logits: Tensor, batch: Batch) -> Tensor:
        return spa_loss(targets[batch.positions.to(targets.device)], logits)

    return loss


def _of_each_view(model: nn.Module, session: Session) -> Loss:
    """The original sees the augmented image that the model sees."""
    original = session.twin(model)

    def loss(logits: Tensor, batch: Batch) -> Tensor:
        with evaluation_mode(original):
            targets = _targets(session.forward(original, batch), batch.labels, session)
        return spa_loss(targets, logits)

    return loss


def _targets(logits: Tensor, labels: Tensor, session: Session) -> Tensor:
    suppressed = suppressed_classes(
        labels, logits.shape[1], forgotten_before=session.forgotten_before
    )
    return spa_targets(logits, suppressed)
