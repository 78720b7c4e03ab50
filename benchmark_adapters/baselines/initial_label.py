"""Initial Label: fine-tune on the forget set under the labels of an untrained network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from suli_plugin.batch_norm import BATCH_NORM
from suli_plugin.forget_only import ForgetOnly
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch, ImageSet
from suli_plugin.optimizers import Adam
from suli_plugin.rounds import Loss, cross_entropy
from suli_plugin.self_unlearner import SelfUnlearner
from suli_plugin.session import Session
from suli_plugin.spa import spa_loss
from suli_plugin.unlearner import Resource, Scope


@dataclass(frozen=True, kw_only=True)
class InitialLabel(ForgetOnly):
    """Labels come from an untrained twin of the original in evaluation mode, once.

    labels: `hard`, the twin's most likely class that is neither the sample's own nor forgotten;
    `soft`, the twin's whole distribution, as in Bad Teaching's forget loss, no class left out
    but those that were forgotten earlier. An untrained network prefers one or two classes whatever
    it sees: the count of the hard labels is in the result's notes. The paper gives no settings;
    Adam 1e-4 is the Bad Teaching repository's, epochs, batch size and stop rule are those of SU.
    """

    name: ClassVar[str] = "initial_label"
    paper: ClassVar[str] = (
        "Lyu et al., IJCAI 2025, section 4, baseline e, after Chundawat et al., Can Bad Teaching "
        "Induce Forgetting?, AAAI 2023"
    )
    bibtex: ClassVar[str] = SelfUnlearner.bibtex
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        scope: needed | {"fresh_model"} for scope, needed in ForgetOnly.needs.items()
    }
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3),
        "batch_norm": BATCH_NORM,
        "batch_size": (64, 256),
        "labels": ("hard", "soft"),
    }

    epochs: int = field(default=10, metadata=bounds(at_least=0))
    batch_size: int = field(default=256, metadata=bounds(at_least=1))
    lr: float = field(default=1e-4, metadata=bounds(at_least=0))
    labels: Literal["hard", "soft"] = "hard"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        untrained = session.predict(session.fresh_model(), session.forget).logits
        images, loss = self._lesson(untrained, session)
        session.train(
            model,
            session.epochs(images, loss, epochs=self.epochs, batch_size=self.batch_size),
            self._optimizer,
            batch_norm=self.batch_norm,
            stop=session.stop_rule(model, self.stop),
        )
        return model

    def _lesson(self, untrained: Tensor, session: Session) -> tuple[ImageSet, Loss]:
        if self.labels == "hard":
            labels = initial_labels(untrained, session.forget.labels, session.forbidden_classes)
            counts = torch.bincount(labels, minlength=untrained.shape[1])
            session.notes["label_counts"] = counts.tolist()
            return session.forget.relabelled(labels), cross_entropy
        before = torch.tensor(session.forgotten_before, dtype=torch.int64)
        targets = untrained.index_fill(1, before, -torch.inf).log_softmax(1).to(session.device)

        def loss(logits: Tensor, batch: Batch) -> Tensor:
            return spa_loss(targets[batch.positions.to(targets.device, non_blocking=True)], logits)

        return session.forget, loss

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return Adam(parameters, lr=self.lr)


def initial_labels(logits: Tensor, labels: Tensor, forbidden: Sequence[int]) -> Tensor:
    """One label a sample, int64 (N,): the largest logit but the sample's own and forbidden ones.

    logits: an untrained network's, (N, K). Raises ValueError where no class is left.
    """
    excluded = torch.nn.functional.one_hot(labels, logits.shape[1]).bool()
    excluded[:, list(forbidden)] = True
    if bool(excluded.all(1).any()):
        raise ValueError(
            f"no class is left to label with: {logits.shape[1]} outputs, forgotten {forbidden}"
        )
    return logits.masked_fill(excluded, -torch.inf).argmax(1)
