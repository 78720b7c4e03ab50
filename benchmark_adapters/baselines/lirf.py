"""LIRF: forget a class into a deposit, from which it can be recovered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim.optimizer import Optimizer

from suli_plugin.batch_norm import BATCH_NORM, BatchNorm
from suli_plugin.frozen_teacher import FrozenTeacher, TaughtLoss, divergence
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch, ImageSet
from suli_plugin.last_layers import last_layers, parameters_of, trained_alone, weighted_layers
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import Round
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class Lirf(Unlearner):
    """Split the original T; its lower layers learn twice, its upper ones are bitwise frozen.

    Only the forget set (the source's "deposit set") is read. With p the logits of the classes
    that are preserved and r those that are removed, at temperature t,

    target (the result): alpha t^2 KL(T_p || target_p) + (1 - alpha) CE(target, random label),
    deposit: alpha t^2 KL(T_r || deposit_r) + (1 - alpha) CE([target_p, deposit_r], label).

    Random labels are drawn anew each epoch. The deposit is `Unlearned.by_products["deposit"]`;
    `Recovered` puts both together. Whoever holds it holds the class: it is no part of what is
    published, and the result's notes say that it exists. Of one removed class it sees nothing but
    that class, so that its logit rises for other images, too. upper: the share of linear layers
    and convolutions, from the end, that stays as it is, rounded, at least one and not all: by
    default six of a ResNet-18's 21, its layer4 and fc, which is the source's split.

    Class-wise, since the logits are split by class. BatchNorm as in the source: lower layers in
    training mode (`batch_norm`), upper ones in evaluation mode.

    Reconstruction, from the public code (JngwenYe/LIRF at b99a5a5): SGD, momentum and weight decay
    are its; learning rate, schedule, temperature and alpha are in a file that was not
    published, and ours (no schedule). The code draws random labels from all classes, the removed
    ones too; here none is drawn that was forgotten, now or earlier. It trains both at once,
    so that the deposit's cross-entropy also reaches the target; here the deposit learns
    beside the finished target. It chooses the best epoch on test accuracy, we keep the last.
    """

    name: ClassVar[str] = "lirf"
    paper: ClassVar[str] = "Ye et al., Learning with Recoverable Forgetting, ECCV 2022"
    bibtex: ClassVar[str] = """@inproceedings{ye2022learning,
  title = {Learning with Recoverable Forgetting},
  author = {Ye, Jingwen and Fu, Yifang and Song, Jie and Yang, Xingyi and Liu, Songhua and
    Jin, Xin and Song, Mingli and Wang, Xinchao},
  booktitle = {European Conference on Computer Vision},
  year = {2022}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {"class-wise": frozenset({"forget"})}
    zero_steps: ClassVar[dict[str, int]] = {"epochs": 0}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-3, 3e-3, 1e-2, 3e-2, 0.1),
        "alpha": (0.1, 0.5, 0.9),
        "batch_norm": BATCH_NORM,
    }

    epochs: int = field(default=10, metadata=bounds(at_least=0))
    batch_size: int = field(default=128, metadata=bounds(at_least=1))
    lr: float = field(default=0.01, metadata=bounds(at_least=0))
    momentum: float = field(default=0.9, metadata=bounds(at_least=0, below=1))
    weight_decay: float = field(default=5e-4, metadata=bounds(at_least=0))
    alpha: float = field(default=0.5, metadata=bounds(at_least=0, at_most=1))
    temperature: float = field(default=4.0, metadata=bounds(above=0))
    upper: float = field(default=0.3, metadata=bounds(at_least=0, below=1))
    batch_norm: BatchNorm = "update"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        deposit = session.twin(model)
        original = FrozenTeacher(model, session, session.forget)
        outputs = session.predict(model, session.forget.subset([0])).logits.shape[1]
        preserved = [c for c in range(outputs) if c not in session.forbidden_classes]
        loss = self._target_loss(torch.tensor(preserved, device=session.device))
        self._train(model, loss, [original], session, relabel=preserved)
        target = FrozenTeacher(model, session, session.forget)
        loss = self._deposit_loss(target, session)
        self._train(deposit, loss, [original, target], session, relabel=None)
        session.by_products["deposit"] = deposit
        session.notes["deposit"] = "apart from the model; with it the classes can be recovered"
        return model

    def upper_layers(self, model: nn.Module) -> list[nn.Module]:
        """The layers that stay as they are. Raises ValueError for a network that can't be split."""
        count = len(weighted_layers(model))
        if count < 2:
            raise ValueError(f"{self.name} splits a network of two layers or more, it has {count}")
        return last_layers(model, min(max(round(self.upper * count), 1), count - 1))

    def _target_loss(self, preserved: Tensor) -> TaughtLoss:
        def loss(logits: Tensor, taught: Tensor, batch: Batch) -> Tensor:
            kept = self._divergence(*(of.index_select(1, preserved) for of in (taught, logits)))
            return kept + (1 - self.alpha) * _wrong(logits, batch.labels)

        return loss

    def _deposit_loss(self, target: FrozenTeacher, session: Session) -> TaughtLoss:
        removed = torch.tensor(session.forget_classes, device=session.device)

        def loss(logits: Tensor, taught: Tensor, batch: Batch) -> Tensor:
            both = target.logits(session.forget, batch)
            own = logits.index_select(1, removed)
            both = both.index_copy(1, removed, own)
            kept = self._divergence(taught.index_select(1, removed), own)
            return kept + (1 - self.alpha) * cross_entropy(both, batch.labels, reduction="none")

        return loss

    def _divergence(self, taught: Tensor, logits: Tensor) -> Tensor:
        """Alpha t^2 KL(original || network) of each sample, over some of the logits."""
        kl = divergence(taught, logits, temperature=self.temperature)
        return self.alpha * self.temperature**2 * kl

    def _train(
        self,
        network: nn.Module,
        loss: TaughtLoss,
        teachers: Sequence[FrozenTeacher],
        session: Session,
        relabel: list[int] | None,
    ) -> None:
        """Train the lower layers; relabel: the classes that random labels are drawn from.

        teachers: the original, and whatever else the loss asks for the same images.
        """
        upper = self.upper_layers(network)
        held = {id(parameter) for parameter in parameters_of(upper)}
        lower = [p for p in network.parameters() if id(p) not in held]

        def epochs() -> Iterator[Round]:
            # By now the loop has put all of the network into training mode.
            for layer in upper:
                layer.eval()
            for _ in range(self.epochs):
                yield from self._epoch(loss, teachers, session, relabel)

        with trained_alone(lower, network):
            session.train(network, epochs(), self._optimizer, batch_norm=self.batch_norm)

    def _epoch(
        self,
        loss: TaughtLoss,
        teachers: Sequence[FrozenTeacher],
        session: Session,
        relabel: list[int] | None,
    ) -> Iterator[Round]:
        images: ImageSet = session.forget
        if relabel is not None:
            drawn = torch.randint(len(relabel), (len(images),), generator=session.generator)
            images = images.relabelled(torch.tensor(relabel)[drawn])

        def beside(logits: Tensor, batch: Batch) -> Tensor:
            return loss(logits, teachers[0].logits(session.forget, batch), batch)

        yield from session.epochs(images, beside, epochs=1, batch_size=self.batch_size)
        for teacher in teachers:
            teacher.count_epoch(session.forget)

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return SGD(parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)


def _wrong(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy with the random labels, (B,)."""
    return cross_entropy(logits, labels, reduction="none")
