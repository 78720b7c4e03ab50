"""TREW: SU's target, tilted towards the classes whose rows of the head resemble the forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from benchmark_adapters.baselines.last_layer import last_layer
from suli_plugin.batch_norm import BATCH_NORM
from suli_plugin.evaluation import Predictions
from suli_plugin.forget_only import ForgetOnly
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch
from suli_plugin.optimizers import Adam
from suli_plugin.session import Session
from suli_plugin.spa import spa_loss, spa_targets, suppressed_classes


@dataclass(frozen=True, kw_only=True)
class Trew(ForgetOnly):
    """KL from q_i ~ p_i exp(tilt * s_i) over the classes i that are not forgotten.

    p: the frozen original's distribution. s: `class_similarities` of class i to the sample's
    label. A retrained model, says the source, gives forgotten images to similar classes, more so
    than the original without the forgotten class does. With tilt 0 this is SU with epsilon 0 and
    temperature 1, to the last bit.

    A reconstruction, from notes on the paper, which has no public code: q, the cosine of
    PCA-reduced rows, that it is sharpened, and tilt 10 are its own. How sharply and how far
    reduced is not known: explained, sharpness. Optimiser, epochs and BatchNorm policy (moving
    statistics) are SU's, so that there is no preset. The source forgets classes; single samples
    tilt by their own label here.
    """

    name: ClassVar[str] = "trew"
    paper: ClassVar[str] = (
        "Ebrahimpour-Boroojeny et al., Unlearning Isn't Forgetting: Revealing Hidden Leakage in "
        "Class Unlearning Evaluations, ICML 2026, arXiv 2506.20893"
    )
    bibtex: ClassVar[str] = """@inproceedings{ebrahimpour2026unlearning,
  title = {Unlearning Isn't Forgetting: Revealing Hidden Leakage in Class Unlearning Evaluations},
  author = {Ebrahimpour-Boroojeny, Ali and Wang, Yian and Sundaram, Hari},
  booktitle = {Forty-third International Conference on Machine Learning},
  eprint = {2506.20893},
  archivePrefix = {arXiv},
  year = {2026}
}"""
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-5, 3e-5, 1e-4, 3e-4, 1e-3),
        "batch_norm": BATCH_NORM,
        "tilt": (1.0, 3.0, 10.0, 30.0),
        "sharpness": (1.0, 2.0, 4.0),
    }

    epochs: int = field(default=10, metadata=bounds(at_least=0))
    batch_size: int = field(default=256, metadata=bounds(at_least=1))
    lr: float = field(default=1e-4, metadata=bounds(at_least=0))
    tilt: float = field(default=10.0, metadata=bounds(at_least=0))
    explained: float = field(default=0.95, metadata=bounds(above=0, at_most=1))
    sharpness: float = field(default=2.0, metadata=bounds(above=0))

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        before = session.predict(model, session.forget)
        targets = self._targets(before, model, session)

        def loss(logits: Tensor, batch: Batch) -> Tensor:
            return spa_loss(targets[batch.positions.to(targets.device, non_blocking=True)], logits)

        session.train(
            model,
            session.epochs(session.forget, loss, epochs=self.epochs, batch_size=self.batch_size),
            self._optimizer,
            batch_norm=self.batch_norm,
            stop=session.stop_rule(model, self.stop, before=before),
        )
        return model

    def _targets(self, before: Predictions, model: nn.Module, session: Session) -> Tensor:
        """log q of every forget sample, float32 (N, K), on the device."""
        outputs, rows = before.logits.shape[1], last_layer(model, session).weight.detach()
        if len(rows) != outputs:
            raise ValueError(
                f"trew compares the rows of the last layer, one a class, but the last nn.Linear "
                f"or nn.Conv2d has {len(rows)} rows and the model {outputs} outputs"
            )
        similar = class_similarities(rows, explained=self.explained, sharpness=self.sharpness)
        logits, labels = before.logits.to(session.device), before.labels.to(session.device)
        similar = similar.to(session.device)[labels]
        suppressed = suppressed_classes(
            labels, outputs, session.forget_classes, session.forgotten_before
        )
        nearest = similar.masked_fill(suppressed, -torch.inf).argmax(1)
        pairs = zip(labels.tolist(), nearest.tolist(), strict=True)
        session.notes["most_similar_class"] = {str(label): other for label, other in pairs}
        return spa_targets(tilted(logits, similar, self.tilt), suppressed)

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return Adam(parameters, lr=self.lr)


def tilted(logits: Tensor, similarities: Tensor, tilt: float) -> Tensor:
    """Logits (B, K) of p_i exp(tilt * s_i), not normalised. similarities: s, (B, K)."""
    return logits + tilt * similarities


def class_similarities(rows: Tensor, *, explained: float, sharpness: float) -> Tensor:
    """How alike the classes' rows of the head are, float32 (K, K), in [-1, 1], 1 of each itself.

    The cosine c of the centred rows (K, ...) in as many of their principal components as explain
    this fraction of their variance, sharpened to sign(c) |c|^sharpness. Rows that are all equal
    have similarity 0.
    """
    flat = rows.cpu().double().flatten(1)
    directions, sizes, _ = torch.linalg.svd(flat - flat.mean(0), full_matrices=False)
    share = sizes.square().cumsum(0) / sizes.square().sum().clamp(min=1e-30)
    # Rounding may leave the last share below 1.
    count = min(int((share < explained).sum()) + 1, len(sizes))
    reduced = nn.functional.normalize((directions * sizes)[:, :count], dim=1)
    cosine = (reduced @ reduced.T).clamp(-1, 1)
    return (cosine.sign() * cosine.abs() ** sharpness).float()
