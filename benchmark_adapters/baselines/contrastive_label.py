"""Contrastive labels: lose the forget set under labels against its own, distil what is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from suli_plugin.batch_norm import BATCH_NORM, BatchNorm
from suli_plugin.frozen_teacher import FrozenTeacher, divergence
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import cross_entropy
from suli_plugin.session import Session
from suli_plugin.spa import spa_loss, suppressed_classes
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class ContrastiveLabel(Unlearner):
    """Stage 1, on the forget set: minimise KL(contrastive label || model). Stage 2, on the retain
    set: minimise alpha * CE + beta * T^2 KL(original || model).

    contrast: a contrastive label has nothing on the sample's own class and on forgotten ones;
    `uniform`, all others share alike; `least_likely`, all is on the one to which the original
    gives least. forget_epochs, forget_lr: of stage 1; each stage has an optimiser of its own.
    Nor does stage 2 teach a forgotten class: the original's distribution is taken over the
    others. With it, digits' class 3 came back whole (forget accuracy 1 instead of 0).

    Reconstruction from the abstract, which says that the first stage makes the model lose
    information with contrastive labels on the requested data, and that the second retrains its
    result with knowledge distillation; neither text nor code could be read. What a contrastive
    label is, both losses and all values are ours. BatchNorm: `update`, as in ordinary training;
    stage 2 brings back the statistics that forget images alone have moved.
    """

    name: ClassVar[str] = "contrastive_label"
    paper: ClassVar[str] = (
        "Kim and Woo, Efficient Two-Stage Model Retraining for Machine Unlearning, CVPR Workshops "
        "2022"
    )
    bibtex: ClassVar[str] = """@inproceedings{kim2022efficient,
  title = {Efficient Two-Stage Model Retraining for Machine Unlearning},
  author = {Kim, Junyaup and Woo, Simon S.},
  booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition
    Workshops},
  pages = {4361--4369},
  year = {2022}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"forget", "retain"}),
        "instance-wise": frozenset({"forget", "retain"}),
    }
    zero_steps: ClassVar[dict[str, int]] = {"epochs": 0, "forget_epochs": 0}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-3, 3e-3, 1e-2, 3e-2),
        "forget_lr": (1e-3, 3e-3, 1e-2),
        "batch_norm": BATCH_NORM,
        "contrast": ("uniform", "least_likely"),
    }

    epochs: int = field(default=5, metadata=bounds(at_least=0))
    batch_size: int = field(default=128, metadata=bounds(at_least=1))
    lr: float = field(default=1e-2, metadata=bounds(at_least=0))
    forget_epochs: int = field(default=5, metadata=bounds(at_least=0))
    forget_lr: float = field(default=3e-3, metadata=bounds(at_least=0))
    contrast: Literal["uniform", "least_likely"] = "uniform"
    alpha: float = field(default=0.5, metadata=bounds(at_least=0))
    beta: float = field(default=0.5, metadata=bounds(at_least=0))
    temperature: float = field(default=4.0, metadata=bounds(above=0))
    momentum: float = field(default=0.9, metadata=bounds(at_least=0, below=1))
    weight_decay: float = field(default=5e-4, metadata=bounds(at_least=0))
    batch_norm: BatchNorm = "update"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        original = FrozenTeacher(model, session, session.forget, session.retain)
        forgotten = torch.tensor(session.forbidden_classes, dtype=torch.int64).to(session.device)

        def lost(logits: Tensor, taught: Tensor, batch: Batch) -> Tensor:
            targets = contrastive_labels(
                batch.labels, taught, session.forbidden_classes, self.contrast
            )
            return spa_loss(targets.log(), logits)

        def kept(logits: Tensor, taught: Tensor, batch: Batch) -> Tensor:
            taught = taught.index_fill(1, forgotten, -torch.inf)
            soft = self.temperature**2 * divergence(taught, logits, temperature=self.temperature)
            return self.alpha * cross_entropy(logits, batch) + self.beta * soft

        for images, loss, epochs, lr in (
            (session.forget, lost, self.forget_epochs, self.forget_lr),
            (session.retain, kept, self.epochs, self.lr),
        ):
            session.train(
                model,
                original.epochs(images, loss, epochs=epochs, batch_size=self.batch_size),
                self._optimizer(lr),
                batch_norm=self.batch_norm,
            )
        return model

    def _optimizer(self, lr: float) -> Callable[[list[nn.Parameter]], Optimizer]:
        return lambda parameters: SGD(
            parameters, lr=lr, momentum=self.momentum, weight_decay=self.weight_decay
        )


def contrastive_labels(
    labels: Tensor, logits: Tensor, forbidden: Sequence[int], contrast: str
) -> Tensor:
    """Probabilities (B, K) with nothing on a sample's own class and on forbidden ones.

    logits: the original's, (B, K). contrast: see `ContrastiveLabel`. Raises ValueError where no
    class is left.
    """
    lost = suppressed_classes(labels, logits.shape[1], forgotten_before=forbidden)
    if contrast == "least_likely":
        least = logits.masked_fill(lost, torch.inf).argmin(1, keepdim=True)
        return torch.zeros_like(logits).scatter(1, least, 1)
    return ~lost / (~lost).sum(1, keepdim=True)
