"""Spotter: masked distillation on forget images and near them, and features that scatter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from typing_extensions import Self

from benchmark_adapters.baselines.adversarial_images import check_pixels, linf_neighbours
from benchmark_adapters.baselines.runner_up import runner_up_labels
from suli_plugin.batch_norm import BATCH_NORM, BatchNorm
from suli_plugin.evaluation import Predictions
from suli_plugin.feature_terms import feature_term
from suli_plugin.forget_only import ForgetOnly
from suli_plugin.frozen_teacher import FrozenTeacher
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch, ImageSet
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import Round, Term
from suli_plugin.session import Session
from suli_plugin.spa import spa_loss, spa_targets, suppressed_classes
from suli_plugin.stopping import Stop
from suli_plugin.unlearner import Resource, Scope


@dataclass(frozen=True, kw_only=True)
class Spotter(ForgetOnly):
    """Minimise share * KD(forget) + (1 - share) * KD(neighbours) + dispersion * mean cosine.

    KD: KL from the frozen original's distribution without the forgotten classes. neighbours: one
    image near each forget image, made once by `iterations` steps of PGD of size `step` in an
    L-infinity ball (`radius`, pixel units), from a random start. cosine: of the penultimate
    features of all pairs of one label in a batch; the lower, the more the class is scattered.

    side: whether PGD goes `towards` the runner-up class, over the boundary that must not move, as
    the paper describes it, or `away` from it, which the sign in the code does. The code clamps
    normalised images to [0, 1] as if they were pixels; here pixels are attacked and normalised
    afterwards. Its neighbours are of other images than the batch beside them, ours of the same.
    BatchNorm's statistics are frozen, as in the code; it does not stop before its epochs are done.
    Of the paper only the beginning could be read: all values are the code's.
    """

    name: ClassVar[str] = "spotter"
    paper: ClassVar[str] = (
        "Ha et al., Unlearning's Blind Spots: Over-Unlearning and Prototypical Relearning Attack, "
        "ICML 2026, arXiv 2506.01318"
    )
    bibtex: ClassVar[str] = """@inproceedings{ha2026unlearning,
  title = {Unlearning's Blind Spots: Over-Unlearning and Prototypical Relearning Attack},
  author = {Ha, SeungBum and Park, Saerom and Yoon, Sung Whan},
  booktitle = {Forty-third International Conference on Machine Learning},
  eprint = {2506.01318},
  archivePrefix = {arXiv},
  year = {2026}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {"class-wise": frozenset({"forget"})}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-5, 3e-5, 1e-4, 3e-4, 1e-3),
        "batch_norm": BATCH_NORM,
        "dispersion": (0.1, 0.3, 1.0),
        "share": (0.5, 0.7, 1.0),
    }

    epochs: int = field(default=10, metadata=bounds(at_least=0))
    batch_size: int = field(default=128, metadata=bounds(at_least=1))
    lr: float = field(default=1e-4, metadata=bounds(at_least=0))
    momentum: float = field(default=0.9, metadata=bounds(at_least=0, below=1))
    weight_decay: float = field(default=5e-4, metadata=bounds(at_least=0))
    share: float = field(default=0.7, metadata=bounds(at_least=0, at_most=1))
    dispersion: float = field(default=1.0, metadata=bounds(at_least=0))
    radius: float = field(default=0.03, metadata=bounds(at_least=0))
    step: float = field(default=0.01, metadata=bounds(at_least=0))
    iterations: int = field(default=3, metadata=bounds(at_least=0))
    side: Literal["towards", "away"] = "towards"
    stop: Stop = "never"
    batch_norm: BatchNorm = "frozen"

    def check(self, session: Session) -> None:
        """See `Unlearner.check`."""
        check_pixels(session)

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        before = session.predict(model, session.forget)
        sets = [session.forget]
        if self.share < 1:
            sets.append(self._neighbours(before, model, session))
        teacher = FrozenTeacher(model, session, *sets, before=before)
        session.train(
            model,
            self._epochs(model, sets, teacher, session),
            self._optimizer,
            batch_norm=self.batch_norm,
            stop=session.stop_rule(model, self.stop, before=before),
        )
        return model

    def _neighbours(self, before: Predictions, model: nn.Module, session: Session) -> ImageSet:
        targets = runner_up_labels(before.logits, before.labels, session.forbidden_classes)
        counts = torch.bincount(targets, minlength=before.logits.shape[1])
        session.notes["runner_up_counts"] = counts.tolist()
        return linf_neighbours(
            session,
            model,
            session.forget,
            targets,
            radius=self.radius,
            step=self.step,
            iterations=self.iterations,
            away=self.side == "away",
        )

    def _epochs(
        self, model: nn.Module, sets: list[ImageSet], teacher: FrozenTeacher, session: Session
    ) -> Iterator[Round]:
        forget, *near = sets

        def distilled(images: ImageSet, logits: Tensor, batch: Batch) -> Tensor:
            return _divergence(teacher.logits(images, batch), logits, batch.labels, session)

        def on_forget(features: Tensor, logits: Tensor, batch: Batch) -> Tensor:
            scatter = self.dispersion * mean_cosine(features, batch.labels)
            return self.share * distilled(forget, logits, batch) + scatter

        def on_neighbours(logits: Tensor, batch: Batch) -> Tensor:
            return (1 - self.share) * distilled(near[0], logits, batch)

        for _ in range(self.epochs):
            teacher.count_epoch(forget)
            yield Round(
                [
                    [
                        feature_term(model, forget, positions, on_forget, whole=True),
                        *(Term(images, positions, on_neighbours) for images in near),
                    ]
                    for positions in session.shuffled(forget, self.batch_size)
                ]
            )

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return SGD(parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The released notebook's settings for a ResNet-18 on CIFAR-10, class-wise.

        Seung-B/Spotter-Unlearning at af7aac8 (the same at 6070945): the defaults, with PGD as
        its sign has it, away from the runner-up.
        """
        return cls(side="away")


def mean_cosine(features: Tensor, labels: Tensor) -> Tensor:
    """The mean cosine of all pairs of two samples with one label, a scalar; 0 without a pair.

    features: (B, D). labels: (B,).
    """
    unit = nn.functional.normalize(features, dim=1)
    pairs = (labels[:, None] == labels[None]).float().fill_diagonal_(0)
    return (unit @ unit.T * pairs).sum() / pairs.sum().clamp(min=1)


def _divergence(taught: Tensor, logits: Tensor, labels: Tensor, session: Session) -> Tensor:
    suppressed = suppressed_classes(
        labels, logits.shape[1], session.forget_classes, session.forgotten_before
    )
    return spa_loss(spa_targets(taught, suppressed), logits)
