"""ReGUn: answer forget images as held-out images of their classes are answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from typing_extensions import Self

from suli_plugin.batch_norm import BATCH_NORM, BatchNorm
from suli_plugin.evaluation import Predictions
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import Loss, Round, Term, cross_entropy
from suli_plugin.session import Session
from suli_plugin.spa import spa_loss
from suli_plugin.unlearner import Resource, Scope, Unlearner

Selector = Literal["class_matched", "uniform"]


@dataclass(frozen=True, kw_only=True)
class ReGUn(Unlearner):
    """Minimise (1 - w) * KL(q || model) on the forget batch + w * CE on a retain batch.

    q: one distribution for the whole batch, the mean of the original's predictions on as many
    reference images with the same classes (`selector` class_matched, the paper's), drawn with
    replacement for every step; a class of which the reference set has none draws from all of it,
    and is in the notes. uniform: the next `batch_size` reference images, whatever their class,
    which the code has as its default. w: `retain_weight`; with 0 no retain set is read. In a batch
    of many classes q is close to the frequencies of its classes, the same for every image: what
    is taught then is to be unsure, which `retain_weight` and the retain set must make good.

    An epoch goes through the forget set once, while the retain set goes round and round. The
    original's predictions are computed once; classes forgotten earlier are taken out of them.
    The reference set must be what its name says, never trained on: this method reads it for
    what it teaches. Instance-wise alone, as reference images of a forgotten class would teach that
    class. Of the code's options the nearest neighbour's prediction, the mean of logits, a moving
    reference model and the temperature (1) are not here. Of the paper only the beginning could be
    read: all values are the code's.

    BatchNorm, as in the code: batch statistics, forget batches before retain batches.
    """

    name: ClassVar[str] = "regun"
    paper: ClassVar[str] = (
        "Mirlach et al., Reference-Guided Machine Unlearning, 2026, arXiv 2603.11210"
    )
    bibtex: ClassVar[str] = """@article{mirlach2026reference,
  title = {Reference-Guided Machine Unlearning},
  author = {Mirlach, Jonas and Vogt, Julia E. and Laguna, Sonia},
  journal = {arXiv preprint arXiv:2603.11210},
  year = {2026}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "instance-wise": frozenset({"forget", "retain", "reference"})
    }
    zero_steps: ClassVar[dict[str, int]] = {"epochs": 0}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1),
        "retain_weight": (0.25, 0.5, 0.75, 0.9),
        "batch_norm": BATCH_NORM,
    }

    epochs: int = field(default=10, metadata=bounds(at_least=0))
    batch_size: int = field(default=128, metadata=bounds(at_least=1))
    selector: Selector = "class_matched"
    retain_weight: float = field(default=0.5, metadata=bounds(at_least=0, below=1))
    lr: float = field(default=0.01, metadata=bounds(at_least=0))
    momentum: float = field(default=0.9, metadata=bounds(at_least=0, below=1))
    batch_norm: BatchNorm = "update"

    def resources(self, scope: Scope) -> frozenset[Resource]:
        """See `Unlearner.resources`."""
        return self.needs[scope] if self.retain_weight else self.needs[scope] - {"retain"}

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        held_out = HeldOut(session.predict(model, session.reference), session)
        session.notes["unmatched_classes"] = held_out.unmatched(session.forget.labels)
        session.train(
            model, self._epochs(held_out, session), self._optimizer, batch_norm=self.batch_norm
        )
        return model

    def _epochs(self, held_out: HeldOut, session: Session) -> Iterator[Round]:
        others = session.cycled(session.reference, self.batch_size)
        retain = session.cycled(session.retain, self.batch_size) if self.retain_weight else None
        for _ in range(self.epochs):
            steps = []
            for positions in session.shuffled(session.forget, self.batch_size):
                if self.selector == "uniform":
                    chosen = next(others)
                else:
                    chosen = held_out.matched(session.forget.labels[positions], session.generator)
                steps.append(self._terms(positions, held_out.mean(chosen), retain, session))
            yield Round(steps)

    def _terms(
        self, forget: Tensor, target: Tensor, retain: Iterator[Tensor] | None, session: Session
    ) -> Sequence[Term]:
        towards = Term(session.forget, forget, distilled(target), weight=1 - self.retain_weight)
        if retain is None:
            return [towards]
        return [
            towards,
            Term(session.retain, next(retain), cross_entropy, weight=self.retain_weight),
        ]

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return SGD(parameters, lr=self.lr, momentum=self.momentum)

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The official code's settings for CIFAR-10 (jmirlach/ReGUn at 088d6bf).

        SGD 0.01, momentum 0.9, ten epochs, batches of 128, retain weight 0.5; reference images of
        any class, which is not what the paper says.
        """
        return cls(selector="uniform")


class HeldOut:
    """The original's answers to the reference set, by class."""

    def __init__(self, predictions: Predictions, session: Session) -> None:
        before = torch.tensor(session.forgotten_before, dtype=torch.int64)
        self._probabilities = predictions.logits.index_fill(1, before, -torch.inf).softmax(1)
        self._labels = predictions.labels

    def matched(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """For each class as many positions of it as there are labels, with replacement."""
        chosen = []
        for label, count in zip(*labels.unique(return_counts=True), strict=True):
            pool = torch.where(self._labels == label)[0]
            pool = pool if len(pool) else torch.arange(len(self._labels))
            chosen.append(pool[torch.randint(len(pool), (int(count),), generator=generator)])
        return torch.cat(chosen)

    def mean(self, positions: Tensor) -> Tensor:
        """The mean of the predicted distributions, float32 (K,)."""
        return self._probabilities[positions].mean(0)

    def unmatched(self, labels: Tensor) -> list[int]:
        """The classes among these labels of which no image is held out."""
        return sorted(set(labels.tolist()) - set(self._labels.tolist()))


def distilled(target: Tensor) -> Loss:
    """KL(target || model) of each sample, for one distribution (K,)."""

    def loss(logits: Tensor, batch: Batch) -> Tensor:
        wanted = target.log().to(logits.device, non_blocking=True)
        return spa_loss(wanted.expand_as(logits), logits)

    return loss
