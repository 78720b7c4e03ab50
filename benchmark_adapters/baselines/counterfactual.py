"""Counterfactual unlearning, a method of our own: forget images become what they nearly are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from benchmark_adapters.baselines.adversarial_images import check_pixels, linf_neighbours
from benchmark_adapters.baselines.attack_radius import least_radius
from benchmark_adapters.baselines.last_layer import forgotten_rows, last_layer
from benchmark_adapters.baselines.runner_up import runner_up_labels
from benchmark_adapters.baselines.strong_views import views_of
from suli_plugin.batch_norm import BATCH_NORM, BatchNorm, evaluation_mode
from suli_plugin.evaluation import Predictions
from suli_plugin.feature_terms import FeatureLoss, feature_term
from suli_plugin.features import penultimate_features
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch, ImageSet
from suli_plugin.one_cycle import one_cycle
from suli_plugin.optimizers import Adam
from suli_plugin.rounds import Round, Term
from suli_plugin.session import Session
from suli_plugin.spa import spa_loss, spa_targets, suppressed_classes
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class Counterfactual(Unlearner):
    """Features of forget images go to those of their counterfactuals, all else is held.

    What is forgotten must go to where an image of another class would be, and nothing else may
    move. Both take images of other classes, which who reads the forget data alone does not have.
    Two kinds of stand-ins are in those data.

    (1) The counterfactual x' of a forget image x: x after the least attack towards its runner-up,
    the likeliest class that is not forgotten. The original takes x' for that class, and a probe
    finds the forgotten one in the features z_o(x') less well than in those of x.

    (2) Strong views v(x): cut, turned, recoloured and mixed so much that what is in them is mostly
    not the forgotten class. What a network answers to such views of very few images carries over
    most of what it knows of all others (Asano and Saeed, The Augmented Image Prior, ICLR 2023).

    Minimised over the student's features z and logits, with the original's, z_o, fixed:

        move * D(x, x')  +  D(x', x')  +  hold * E_v[ u(v) D(v, v) ]
        D(a, b) = |z(a) - z_o(b)|^2 / S  +  answers * KL(masked original at b || student at a)

    S: the mean of |z_o(x')|^2. Masked: without the forgotten classes, as SULI's target at epsilon
    0. u(v): 1 where the original gives the forgotten classes less than `seen` of v, else 0, so that
    no view holds what is to go. The first term moves, the others hold. Before that, the forgotten
    rows of the head become the mean of the others: they say what the class looks like, so that one
    constant added to their logit would bring back what is left of it.

    By Adam with a one-cycle learning rate. lr: its peak. epochs: of the forget set, but
    so many that there are `iterations` updates, which a small set would not come to. radius: of the
    attack, in pixel units (L-infinity), in `attack_steps` signed steps of a third of it; None is
    `reach` times the least one at which attacks hit (see `least_radius`), since what is a small
    change to one network's images is none to another's. move, hold, answers, seen: see above.

    BatchNorm is frozen: statistics of forget images would change the features of all others.

    The defaults were found on class 1 of `cifar10-fast`, the original of seed 0, with test
    accuracies, probe and one constant in view: figures of that class are no evidence for others.
    """

    name: ClassVar[str] = "counterfactual"
    paper: ClassVar[str] = "suli-plugin's own, no paper's: Counterfactual unlearning, 2026"
    bibtex: ClassVar[str] = """@misc{suliplugin2026counterfactual,
  title = {Counterfactual unlearning, a method of suli-plugin},
  author = {{suli-plugin maintainers}},
  year = {2026}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {"class-wise": frozenset({"forget"})}
    zero_steps: ClassVar[dict[str, int]] = {"epochs": 0}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (5e-4, 1e-3, 2e-3, 4e-3),
        "move": (2.0, 4.0, 8.0, 16.0),
        "reach": (1.0, 2.0, 4.0),
        "batch_norm": BATCH_NORM,
    }

    epochs: int = field(default=9, metadata=bounds(at_least=0))
    iterations: int = field(default=150, metadata=bounds(at_least=0))
    batch_size: int = field(default=128, metadata=bounds(at_least=1))
    lr: float = field(default=1e-3, metadata=bounds(at_least=0))
    move: float = field(default=6.0, metadata=bounds(at_least=0))
    hold: float = field(default=2.0, metadata=bounds(at_least=0))
    answers: float = field(default=0.5, metadata=bounds(at_least=0))
    seen: float = field(default=0.05, metadata=bounds(above=0, at_most=1))
    radius: float | None = field(default=None, metadata=bounds(at_least=0))
    reach: float = field(default=2.0, metadata=bounds(above=0))
    attack_steps: int = field(default=6, metadata=bounds(at_least=0))
    batch_norm: BatchNorm = "frozen"

    def check(self, session: Session) -> None:
        """See `Unlearner.check`."""
        check_pixels(session)

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        if self.epochs == 0:
            return model
        rows = forgotten_rows(model, session)
        original = session.twin(model)
        near = self._counterfactuals(original, session)
        anchors = session.predict(original, near, features=True)
        forget_rows(last_layer(model, session), rows)
        batches = -(-len(session.forget) // self.batch_size)
        epochs = max(self.epochs, -(-self.iterations // batches))
        session.train(
            model,
            islice(self._epochs(model, original, near, anchors, session), epochs),
            self._optimizer,
            batch_norm=self.batch_norm,
            schedule=one_cycle(self.lr, epochs * batches),
        )
        return model

    def _counterfactuals(self, original: nn.Module, session: Session) -> ImageSet:
        before = session.predict(original, session.forget)
        targets = runner_up_labels(before.logits, before.labels, session.forbidden_classes)
        session.notes["runner_up_counts"] = targets.bincount(
            minlength=before.logits.shape[1]
        ).tolist()
        radius = self.radius
        if radius is None:
            radius = self.reach * least_radius(
                session, original, session.forget, targets, iterations=self.attack_steps
            )
        session.notes["radius"] = radius
        return linf_neighbours(
            session,
            original,
            session.forget,
            targets,
            radius=radius,
            step=radius / 3,
            iterations=self.attack_steps,
            random_start=False,
        )

    def _epochs(
        self,
        model: nn.Module,
        original: nn.Module,
        near: ImageSet,
        anchors: Predictions,
        session: Session,
    ) -> Iterator[Round]:
        features: Tensor = anchors.features  # type: ignore[assignment]  # asked for
        size = float(features.square().sum(1).mean())

        def distance(z: Tensor, logits: Tensor, to: Tensor, taught: Tensor) -> Tensor:
            kept = spa_targets(taught, self._suppressed(taught, session))
            return (z - to).square().sum(1) / size + self.answers * spa_loss(kept, logits)

        def to_anchor(z: Tensor, logits: Tensor, batch: Batch) -> Tensor:
            to, taught = (
                t[batch.positions].to(z, non_blocking=True) for t in (features, anchors.logits)
            )
            return distance(z, logits, to, taught)

        def held(z: Tensor, logits: Tensor, batch: Batch) -> Tensor:
            with evaluation_mode(original), penultimate_features(original) as taken:
                taught = session.forward(original, batch)
                to = taken().float()
            lost = self._suppressed(taught, session)
            unseen = (taught.softmax(1) * lost).sum(1) < self.seen
            return self.hold * unseen * distance(z, logits, to, taught)

        def moved(z: Tensor, logits: Tensor, batch: Batch) -> Tensor:
            return self.move * to_anchor(z, logits, batch)

        while True:
            batches = session.shuffled(session.forget, self.batch_size)
            yield Round(self._steps(model, near, batches, (moved, to_anchor, held), session))

    def _steps(
        self,
        model: nn.Module,
        near: ImageSet,
        batches: Sequence[Tensor],
        losses: tuple[FeatureLoss, FeatureLoss, FeatureLoss],
        session: Session,
    ) -> Iterator[Sequence[Term]]:
        moved, stays, held = losses
        for positions in batches:
            views = views_of(session.forget, positions, session.generator, session.device)
            everywhere = torch.arange(len(views))
            # The original looks at them, too.
            session.passes.add(views.kinds(everywhere))
            yield [
                feature_term(model, session.forget, positions, moved),
                feature_term(model, near, positions, stays),
                feature_term(model, views, everywhere, held),
            ]

    def _suppressed(self, logits: Tensor, session: Session) -> Tensor:
        labels = torch.zeros(len(logits), dtype=torch.int64, device=logits.device)
        return suppressed_classes(
            labels, logits.shape[1], session.forget_classes, session.forgotten_before
        )

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return Adam(parameters, lr=self.lr)


def forget_rows(head: nn.Linear | nn.Conv2d, rows: list[int]) -> None:
    """Set these rows of the last layer, and their bias, to the mean of the others'."""
    others = [row for row in range(len(head.weight)) if row not in rows]
    with torch.no_grad():
        for values in (head.weight, head.bias):
            if values is not None and values.requires_grad:
                values[rows] = values[others].mean(0)
