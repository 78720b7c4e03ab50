"""ARU: retain-like images are made from forget images, and forget images pulled towards them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from typing_extensions import Self

from benchmark_adapters.baselines.adversarial_images import check_pixels, linf_neighbours
from benchmark_adapters.baselines.runner_up import runner_up_labels
from suli_plugin.batch_norm import BATCH_NORM, BatchNorm
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch, ImageSet
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import Round, Term, cross_entropy
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class ARU(Unlearner):
    """Minimise mean max(0, d(a, r) - d(a, f) + margin) + CE(retain-like batch).

    d: 1 - cosine. a: the logits of a forget image; r and f: the mean logits of the retain-like
    and of the forget batch, without gradient. Logits of classes forgotten earlier count as 0.
    Retain-like: each forget image is moved towards the likeliest class that is not its own (and
    not forgotten) by `iterations` signed steps of 2 * radius / iterations within `radius` (pixel
    units, L-infinity); each gradient is taken at uniform noise of up to `radius`. Those that the
    original then takes for another class are trained on under that class. Hit rate and label
    counts are in the notes; without any hit the model is returned as it is, and the stop reason
    says so.

    The paper could not be read; all is torchunlearn's code, by the same group, except what is
    wrong in it: it clamps pixels to [-1, 1], makes retain-like images of the first batch alone, and
    leaves BatchNorm in evaluation mode for the first step. It passes all retain-like batches in
    each step and uses the last; here each step takes the next one. It omits one fixed class in
    either scope; here instance-wise forgetting omits each sample's own.

    BatchNorm, as in the code's trainer: batch statistics. The retain-like batch goes first here,
    so that the running statistics end with those of forget images.
    """

    name: ClassVar[str] = "aru"
    paper: ClassVar[str] = (
        "Yoon et al., Adversarial Retain-free Unlearning, 2026, IEEE Xplore 11414433"
    )
    bibtex: ClassVar[str] = """@misc{yoon2026adversarial,
  title = {Adversarial Retain-free Unlearning},
  author = {Yoon and others},
  howpublished = {IEEE Xplore},
  url = {https://ieeexplore.ieee.org/document/11414433},
  year = {2026}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"forget"}),
        "instance-wise": frozenset({"forget"}),
    }
    zero_steps: ClassVar[dict[str, int]] = {"epochs": 0}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
        "radius": (0.03, 0.05, 0.1),
        "margin": (0.5, 1.0),
        "batch_norm": BATCH_NORM,
    }

    epochs: int = field(default=5, metadata=bounds(at_least=0))
    batch_size: int = field(default=128, metadata=bounds(at_least=1))
    radius: float = field(default=0.05, metadata=bounds(above=0))
    iterations: int = field(default=50, metadata=bounds(at_least=1))
    margin: float = field(default=1.0, metadata=bounds(at_least=0))
    lr: float = field(default=0.01, metadata=bounds(at_least=0))
    momentum: float = field(default=0.9, metadata=bounds(at_least=0, below=1))
    weight_decay: float = field(default=5e-4, metadata=bounds(at_least=0))
    batch_norm: BatchNorm = "update"

    def check(self, session: Session) -> None:
        """See `Unlearner.check`."""
        check_pixels(session)

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        retain_like = self._retain_like(model, session)
        if len(retain_like) == 0:
            session.stop_reason = "no retain-like image was made"
            return model
        session.train(
            model, self._epochs(retain_like, session), self._optimizer, batch_norm=self.batch_norm
        )
        return model

    def _retain_like(self, model: nn.Module, session: Session) -> ImageSet:
        before = session.predict(model, session.forget)
        omitted = session.forbidden_classes
        made = linf_neighbours(
            session,
            model,
            session.forget,
            runner_up_labels(before.logits, before.labels, omitted),
            radius=self.radius,
            step=2 * self.radius / self.iterations,
            iterations=self.iterations,
            random_start=False,
            smoothing=self.radius,
        )
        logits = session.predict(model, made).logits
        predicted = logits.argmax(1)
        hits = (predicted != before.labels) & ~torch.isin(
            predicted, torch.tensor(omitted, dtype=torch.int64)
        )
        counts = torch.bincount(predicted[hits], minlength=logits.shape[1])
        session.notes.update(hit_rate=float(hits.double().mean()), label_counts=counts.tolist())
        return made.relabelled(predicted).subset(torch.where(hits)[0])

    def _epochs(self, retain_like: ImageSet, session: Session) -> Iterator[Round]:
        near = session.cycled(retain_like, self.batch_size)
        for _ in range(self.epochs):
            batches = session.shuffled(session.forget, self.batch_size)
            yield Round([self._terms(retain_like, next(near), p, session) for p in batches])

    def _terms(
        self, retain_like: ImageSet, near: Tensor, forget: Tensor, session: Session
    ) -> Sequence[Term]:
        means: list[Tensor] = []
        earlier = torch.tensor(session.forgotten_before, dtype=torch.int64)
        earlier = earlier.to(session.device, non_blocking=True)

        def kept(logits: Tensor, batch: Batch) -> Tensor:
            means.append(logits.detach().index_fill(1, earlier, 0).mean(0))
            return cross_entropy(logits, batch)

        def pulled(logits: Tensor, batch: Batch) -> Tensor:
            anchors = logits.index_fill(1, earlier, 0)
            return cosine_triplet(anchors, means.pop(), anchors.detach().mean(0), self.margin)

        # Means are of the whole batch, so that every process computes all of it.
        return [
            Term(retain_like, near, kept, whole=True),
            Term(session.forget, forget, pulled, whole=True),
        ]

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return SGD(parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)

    @classmethod
    def preset_torchunlearn(cls, scope: Scope) -> Self:
        """torchunlearn's example for CIFAR-10 (Harry24k/machine-unlearning-pytorch at 405bab1).

        The defaults: margin 1, radius 0.05 in 50 steps, SGD 0.01, momentum 0.9, weight decay
        5e-4, batches of 128, five epochs.
        """
        return cls()


def cosine_triplet(anchors: Tensor, positive: Tensor, negative: Tensor, margin: float) -> Tensor:
    """max(0, d(a, positive) - d(a, negative) + margin) of each anchor, (B,); d is 1 - cosine.

    anchors: (B, K). positive, negative: (K,).
    """
    near = nn.functional.cosine_similarity(anchors, positive[None], dim=1)
    far = nn.functional.cosine_similarity(anchors, negative[None], dim=1)
    return (far - near + margin).clamp(min=0)
