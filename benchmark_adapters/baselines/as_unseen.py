"""Answers as to unseen samples, a method of our own: each sample what a stranger would get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss
from torch.optim.optimizer import Optimizer

from benchmark_adapters.baselines.adversarial_images import check_pixels
from benchmark_adapters.baselines.strong_views import views_of
from suli_plugin.batch_norm import BATCH_NORM, BatchNorm, evaluation_mode
from suli_plugin.evaluation import Predictions
from suli_plugin.feature_terms import feature_term
from suli_plugin.features import penultimate_features
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch
from suli_plugin.log_odds import label_odds
from suli_plugin.one_cycle import one_cycle
from suli_plugin.optimizers import Adam
from suli_plugin.rounds import Round, Term
from suli_plugin.session import Session
from suli_plugin.spa import spa_loss
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class AsUnseen(Unlearner):
    """The forget samples get the losses of unseen samples, the hardest of them the highest.

    A network that never saw a sample answers it as it answers others that it never saw: mostly
    right, now and then wrong, and rather wrong where the sample is hard. What it gives unseen
    samples is known from the reference set, and which forget sample is hard the original tells: it
    is less sure of it, although it has all of them by heart. So with o(x) the log-odds of a
    sample's label, F_forget and F_reference their distributions over both sets under the original,

        o*(x) = F_reference^-1( F_forget( o(x) ) )

    the map of one distribution to another that moves least. Log-odds and no probabilities, since
    .99 and .9999 are as good as one for a loss and far apart for who looks for members. Minimised
    over the student's log-odds s, features z and logits, with the original's, z_o, fixed:

        huber(s(x) - o*(x))  +  hold * E_r D(r)  +  hold * E_v D(v)
        D(a) = |z(a) - z_o(a)|^2 / S  +  KL(original at a || student at a)

    at reference samples r and at strong views v of them (see `strong_views`), so that nothing else
    moves. S: the mean of |z_o|^2 over the reference set. huber: quadratic up to 1, then linear.

    By Adam with a one-cycle learning rate; lr: its peak. iterations: updates, each on `batch_size`
    forget samples, as many reference samples and as many views. BatchNorm is frozen: few samples'
    statistics would change all answers.

    The defaults were found on the 512 samples of `cifar10-fast`, the original of seed 0, with test
    accuracies in view: figures of those samples are no evidence for other ones.
    """

    name: ClassVar[str] = "as_unseen"
    paper: ClassVar[str] = "suli-plugin's own, no paper's: Answers as to unseen samples, 2026"
    bibtex: ClassVar[str] = """@misc{suliplugin2026asunseen,
  title = {Answers as to unseen samples, a method of suli-plugin},
  author = {{suli-plugin maintainers}},
  year = {2026}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "instance-wise": frozenset({"forget", "reference"})
    }
    zero_steps: ClassVar[dict[str, int]] = {"iterations": 0}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (3e-4, 1e-3, 3e-3),
        "hold": (1.0, 3.0, 10.0, 30.0),
        "batch_norm": BATCH_NORM,
    }

    iterations: int = field(default=150, metadata=bounds(at_least=0))
    batch_size: int = field(default=128, metadata=bounds(at_least=1))
    lr: float = field(default=1e-3, metadata=bounds(at_least=0))
    hold: float = field(default=3.0, metadata=bounds(at_least=0))
    batch_norm: BatchNorm = "frozen"

    def check(self, session: Session) -> None:
        """See `Unlearner.check`; views are made of pixels."""
        check_pixels(session)

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        if self.iterations == 0:
            return model
        original = session.twin(model)
        anchors = session.predict(original, session.reference, features=True)
        odds = [
            label_odds(seen.logits, seen.labels)
            for seen in (session.predict(original, session.forget), anchors)
        ]
        targets = unseen_odds(*odds)
        session.train(
            model,
            [Round(self._steps(model, original, anchors, targets, session))],
            self._optimizer,
            batch_norm=self.batch_norm,
            schedule=one_cycle(self.lr, self.iterations),
        )
        return model

    def _steps(
        self,
        model: nn.Module,
        original: nn.Module,
        anchors: Predictions,
        targets: Tensor,
        session: Session,
    ) -> Iterator[Sequence[Term]]:
        features: Tensor = anchors.features  # type: ignore[assignment]  # asked for
        size = float(features.square().sum(1).mean())

        def held(z: Tensor, logits: Tensor, to: Tensor, taught: Tensor) -> Tensor:
            far = (z - to).square().sum(1) / size
            return self.hold * (far + spa_loss(taught.log_softmax(1), logits))

        def at_reference(z: Tensor, logits: Tensor, batch: Batch) -> Tensor:
            to, taught = (
                t[batch.positions].to(z, non_blocking=True) for t in (features, anchors.logits)
            )
            return held(z, logits, to, taught)

        def at_views(z: Tensor, logits: Tensor, batch: Batch) -> Tensor:
            with evaluation_mode(original), penultimate_features(original) as taken:
                taught = session.forward(original, batch)
                to = taken().float()
            return held(z, logits, to, taught)

        def as_unseen(logits: Tensor, batch: Batch) -> Tensor:
            wanted = targets[batch.positions].to(logits, non_blocking=True)
            return smooth_l1_loss(label_odds(logits, batch.labels), wanted, reduction="none")

        asked = session.cycled(session.forget, self.batch_size)
        known = session.cycled(session.reference, self.batch_size)
        for _ in range(self.iterations):
            positions, others = next(asked), next(known)
            views = views_of(session.reference, others, session.generator, session.device)
            everywhere = torch.arange(len(views))
            session.passes.add(views.kinds(everywhere))
            yield [
                Term(session.forget, positions, as_unseen),
                feature_term(model, session.reference, others, at_reference),
                feature_term(model, views, everywhere, at_views),
            ]

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return Adam(parameters, lr=self.lr)


def unseen_odds(known: Tensor, unseen: Tensor) -> Tensor:
    """Log-odds (N,) that are distributed as `unseen` (M,), in the order of `known` (N,)."""
    ranks = known.argsort().argsort()
    return torch.quantile(unseen, ((ranks + 0.5) / len(known)).to(unseen))
