"""ADV: ascent on the forget set, held by its own adversarial images (L2UL)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from typing_extensions import Self

from benchmark_adapters.baselines.adversarial_images import check_pixels, targeted_l2_pgd
from benchmark_adapters.baselines.random_label import random_labels
from suli_plugin.batch_norm import BATCH_NORM, training_mode
from suli_plugin.evaluation import Predictions
from suli_plugin.forget_only import ForgetOnly
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch, ImageSet
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import Round, Term, cross_entropy
from suli_plugin.session import Session
from suli_plugin.stopping import StopRule
from suli_plugin.unlearner import Resource, Scope


@dataclass(frozen=True, kw_only=True)
class Adv(ForgetOnly):
    """A step is n_f / n of ascent on n_f forget images and n_a / n of descent on n_a others.

    The others are made before the first step: for each forget image `adversarial_images` images
    that the frozen original takes for a random class, neither the image's own nor forgotten.
    They are kept as uint8 where the data are (class-wise CIFAR-10: 100,000 images, 307 MB);
    making them takes `iterations` passes over all of them. Their hit rate is in the notes; those
    that missed stay, as in the source.

    epochs: passes over the adversarial images while the forget set goes round; without any
    (`adversarial_images` 0) over the forget set, which is NegGrad. updates_per_check: how often
    the stop rule is asked, None for once an epoch. stop_at_zero: stop at forget accuracy 0
    instance-wise, too, instead of at the reference accuracy. radius, step: L2 norms, pixel units.
    adversarial_batch_norm: `frozen` takes the running statistics for the adversarial batch, as
    DELETE's authors found necessary; `same` treats it as the forget batch, as the source does.
    """

    name: ClassVar[str] = "adv"
    paper: ClassVar[str] = (
        "Cha et al., Learning to Unlearn: Instance-Wise Unlearning for Pre-trained Classifiers, "
        "AAAI 2024"
    )
    bibtex: ClassVar[str] = """@inproceedings{cha2024learning,
  title = {Learning to Unlearn: Instance-Wise Unlearning for Pre-trained Classifiers},
  author = {Cha, Sungmin and Cho, Sungjun and Hwang, Dasol and Lee, Honglak and Moon, Taesup
    and Lee, Moontae},
  booktitle = {Proceedings of the AAAI Conference on Artificial Intelligence},
  volume = {38},
  number = {10},
  pages = {11186--11194},
  year = {2024}
}"""
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
        "batch_norm": BATCH_NORM,
        "adversarial_batch_norm": ("same", "frozen"),
        "radius": (1.0, 4.0),
        "max_grad_norm": (None, 1.0),
    }

    epochs: int = field(default=10, metadata=bounds(at_least=0))
    batch_size: int = field(default=32, metadata=bounds(at_least=1))
    adversarial_batch_size: int = field(default=256, metadata=bounds(at_least=1))
    lr: float = field(default=1e-3, metadata=bounds(at_least=0))
    momentum: float = field(default=0.9, metadata=bounds(at_least=0, below=1))
    weight_decay: float = field(default=1e-4, metadata=bounds(at_least=0))
    max_grad_norm: float | None = field(default=None, metadata=bounds(above=0))
    adversarial_images: int = field(default=20, metadata=bounds(at_least=0))
    radius: float = field(default=4.0, metadata=bounds(at_least=0))
    step: float = field(default=0.1, metadata=bounds(at_least=0))
    iterations: int = field(default=100, metadata=bounds(at_least=0))
    updates_per_check: int | None = field(default=1, metadata=bounds(at_least=1))
    stop_at_zero: bool = False
    adversarial_batch_norm: Literal["same", "frozen"] = "same"

    def check(self, session: Session) -> None:
        """See `Unlearner.check`."""
        if self.adversarial_images:
            check_pixels(session)

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        before = session.predict(model, session.forget)
        adversaries = self._adversaries(model, before.logits.shape[1], session)
        session.train(
            model,
            self._rounds(model, adversaries, session),
            self._optimizer,
            batch_norm=self.batch_norm,
            stop=self._stop_rule(model, before, session),
            max_grad_norm=self.max_grad_norm,
            penalty=self._penalty(model, session),
        )
        return model

    def resources(self, scope: Scope) -> frozenset[Resource]:
        """See `Unlearner.resources`."""
        needed = super().resources(scope)
        return needed - {"reference"} if self.stop_at_zero else needed

    def _stop_rule(self, model: nn.Module, before: Predictions, session: Session) -> StopRule:
        if self.stop_at_zero:
            return StopRule(session.forget, 0.0, before.accuracy(), self.stop)
        return session.stop_rule(model, self.stop, before=before)

    def _adversaries(self, model: nn.Module, outputs: int, session: Session) -> ImageSet | None:
        if self.adversarial_images == 0:
            return None
        copies = torch.arange(len(session.forget)).repeat_interleave(self.adversarial_images)
        images = session.forget.subset(copies)
        targets = random_labels(
            images.labels, outputs, session.forbidden_classes, session.generator
        )
        made = targeted_l2_pgd(
            session,
            model,
            images,
            targets,
            radius=self.radius,
            step=self.step,
            iterations=self.iterations,
        )
        session.notes["hit_rate"] = made.hit_rate
        return made.images

    def _rounds(
        self, model: nn.Module, adversaries: ImageSet | None, session: Session
    ) -> Iterator[Round]:
        forget = session.cycled(session.forget, self.batch_size)
        for _ in range(self.epochs):
            steps = self._epoch(model, adversaries, forget, session)
            size = self.updates_per_check or len(steps)
            for start in range(0, len(steps), size):
                yield Round(steps[start : start + size])

    def _epoch(
        self,
        model: nn.Module,
        adversaries: ImageSet | None,
        forget: Iterator[Tensor],
        session: Session,
    ) -> Sequence[Sequence[Term]]:
        if adversaries is None:
            return [
                [Term(session.forget, positions, _ascent)]
                for positions in session.shuffled(session.forget, self.batch_size)
            ]
        return [
            self._terms(model, adversaries, positions, next(forget), session)
            for positions in session.shuffled(adversaries, self.adversarial_batch_size)
        ]

    def _terms(
        self,
        model: nn.Module,
        adversaries: ImageSet,
        positions: Tensor,
        forget: Tensor,
        session: Session,
    ) -> Sequence[Term]:
        total = len(positions) + len(forget)

        def around(batch: Batch) -> AbstractContextManager[None]:
            frozen = self.adversarial_batch_norm == "frozen"
            return training_mode(model, "frozen") if frozen else nullcontext()

        # In the source's order: BatchNorm's running statistics end with those of forget images.
        return [
            Term(adversaries, positions, cross_entropy, len(positions) / total, around),
            Term(session.forget, forget, _ascent, len(forget) / total),
        ]

    def _penalty(self, model: nn.Module, session: Session) -> Callable[[], Tensor] | None:
        """What is added to every step's loss, if anything."""
        return None

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return SGD(parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The settings for a ResNet-18 on CIFAR-10, instance-wise (csm9493/L2UL at 5fb777b).

        20 images each by 100 steps of 0.1 in a ball of 4, SGD 1e-3, momentum 0.9, weight decay
        1e-4, batches of 32 and 256, until forget accuracy 0, asked before the first update, as
        there, and after every one, in at most 1,000 epochs.
        """
        return cls(epochs=1000, stop_at_zero=True)


def _ascent(logits: Tensor, batch: Batch) -> Tensor:
    return -cross_entropy(logits, batch)
