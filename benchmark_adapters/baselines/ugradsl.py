"""UGradSL: ascent on the forget set under negatively smoothed labels, descent on the retain set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from suli_plugin.batch_norm import BATCH_NORM, BatchNorm
from suli_plugin.features import NoFeatures
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import Round, Term, cross_entropy
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class UGradSL(Unlearner):
    """Minimise p * CE(retain batch, y) - (1 - p) * CE(forget batch, y_alpha), where
    y_alpha = (1 - alpha) * y + alpha / K, with a negative smoothing rate alpha.

    Ascent on y_alpha lowers the forget images' own label and raises all others evenly, also where
    the model is so sure that plain ascent has no gradient left. An epoch goes through the forget
    set once while the retain set goes round and round; batches of both have one size.

    alpha: the same for all images; None, the source's self-adaptive form: each forget image has
    alpha_j = -c_j / |B_f|, at least -1, where c_j counts the images of the step's retain batch
    within distance `beta` of it: in a dense neighbourhood of retained images the others are
    raised most. The mean of what was used is in the notes. The features of both batches are the
    model's before the step, in evaluation mode; this pass is counted.

    Reconstruction from notes and reviews of the paper; its code and its settings could not be
    read. Ours are: the sign of alpha_j (the notes print c_j / |B_f|, and say of smoothing rates
    that they are negative), its bound, the distance (1 minus the cosine of penultimate features,
    at least 0; reviewers ask which it is), all values of fields, means over batches where the
    paper has sums, and a number of epochs where it says that the forget loss converges. A class
    that is forgotten, now or earlier, is not among the K of another class's image. BatchNorm:
    `update`, as in fine-tuning, which the method builds on. max_grad_norm: the loss has no
    bound below.
    """

    name: ClassVar[str] = "ugradsl"
    paper: ClassVar[str] = (
        "Di et al., Label Smoothing Improves Machine Unlearning, ICLR 2026, arXiv 2406.07698"
    )
    bibtex: ClassVar[str] = """@inproceedings{di2026label,
  title = {Label Smoothing Improves Machine Unlearning},
  author = {Di, Zonglin and Zhu, Zhaowei and Jia, Jinghan and Liu, Jiancheng and Takhirov, Zafar
    and Jiang, Bo and Yao, Yuanshun and Liu, Sijia and Liu, Yang},
  booktitle = {International Conference on Learning Representations},
  year = {2026}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"forget", "retain"}),
        "instance-wise": frozenset({"forget", "retain"}),
    }
    zero_steps: ClassVar[dict[str, int]] = {"epochs": 0}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
        "batch_norm": BATCH_NORM,
        "p": (0.5, 0.9, 0.95),
        "alpha": (None, -0.1, -0.5),
    }

    epochs: int = field(default=5, metadata=bounds(at_least=0))
    batch_size: int = field(default=128, metadata=bounds(at_least=1))
    p: float = field(default=0.9, metadata=bounds(at_least=0, at_most=1))
    alpha: float | None = field(default=None, metadata=bounds(at_most=0))
    beta: float = field(default=0.5, metadata=bounds(at_least=0, at_most=1))
    lr: float = field(default=1e-3, metadata=bounds(at_least=0))
    momentum: float = field(default=0.9, metadata=bounds(at_least=0, below=1))
    weight_decay: float = field(default=5e-4, metadata=bounds(at_least=0))
    max_grad_norm: float | None = field(default=None, metadata=bounds(above=0))
    batch_norm: BatchNorm = "update"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        rates = Rates(self.alpha, self.beta, model, session)
        session.train(
            model,
            (Round(self._steps(rates, session)) for _ in range(self.epochs)),
            self._optimizer,
            batch_norm=self.batch_norm,
            max_grad_norm=self.max_grad_norm,
        )
        return model

    def _steps(self, rates: Rates, session: Session) -> Iterator[Sequence[Term]]:
        """Made one by one, since the rates of a step are those of the model as it is then."""

        def smoothed(logits: Tensor, batch: Batch) -> Tensor:
            alphas = rates.of(batch.positions).to(logits.device, non_blocking=True)
            labels = smoothed_labels(
                batch.labels, logits.shape[1], alphas, session.forbidden_classes
            )
            return -(labels * logits.log_softmax(1)).sum(1)

        for forget, retain in self.pairs(session):
            rates.set(forget, retain)
            yield [
                Term(session.retain, retain, cross_entropy, weight=self.p),
                Term(session.forget, forget, smoothed, weight=self.p - 1),
            ]

    def pairs(self, session: Session) -> Iterator[tuple[Tensor, Tensor]]:
        """An epoch's batches of positions, of the forget and of the retain set."""
        forget = session.shuffled(session.forget, self.batch_size)
        return zip(forget, session.cycled(session.retain, self.batch_size), strict=False)

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return SGD(parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)


class Rates:
    """The smoothing rate of each forget image in the step that comes next."""

    def __init__(
        self, alpha: float | None, beta: float, model: nn.Module, session: Session
    ) -> None:
        self.alpha, self.beta, self.model, self.session = alpha, beta, model, session
        self._rates = torch.full((len(session.forget),), alpha or 0.0)
        self._used: list[float] = []

    def of(self, positions: Tensor) -> Tensor:
        """Float32 (B,) on the CPU."""
        return self._rates[positions]

    def set(self, forget: Tensor, retain: Tensor) -> None:
        """Find the rates of these forget images, where they are not fixed."""
        if self.alpha is not None:
            return
        one, other = self._features("forget", forget), self._features("retain", retain)
        distances = (1 - nn.functional.normalize(one) @ nn.functional.normalize(other).T).clamp(0)
        near = (distances <= self.beta).sum(1) / len(forget)
        self._rates[forget] = -near.clamp(max=1)
        self._used.append(float(self._rates[forget].mean()))
        self.session.notes["mean_alpha"] = sum(self._used) / len(self._used)

    def _features(self, name: Literal["forget", "retain"], positions: Tensor) -> Tensor:
        images = getattr(self.session, name).subset(positions)
        try:
            seen = self.session.predict(self.model, images, features=True)
        except NoFeatures as error:
            raise ValueError(
                f"{self.session.method} finds its smoothing rates by penultimate features, which "
                f"can't be told for this model ({error}); give it a rate, such as alpha=-0.1"
            ) from error
        return seen.features  # type: ignore[return-value]  # asked for


def smoothed_labels(
    labels: Tensor, outputs: int, alphas: Tensor, forbidden: Sequence[int]
) -> Tensor:
    """(1 - alpha) y + alpha u, float32 (B, K); rows sum to 1 whatever alpha is.

    u: uniform over the sample's own class and those that are not forbidden. alphas: (B,).
    """
    own = torch.zeros(len(labels), outputs, device=labels.device).scatter(1, labels[:, None], 1)
    taken = torch.tensor(forbidden, dtype=torch.int64).to(labels.device, non_blocking=True)
    allowed = torch.ones_like(own).index_fill(1, taken, 0).maximum(own)
    uniform = allowed / allowed.sum(1, keepdim=True)
    return (1 - alphas)[:, None] * own + alphas[:, None] * uniform
