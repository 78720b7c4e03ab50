"""JiT: smooth what the model makes of each forget image under noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from typing_extensions import Self

from suli_plugin.batch_noise import BatchNoise
from suli_plugin.batch_norm import BATCH_NORM, BatchNorm
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch, ImageSet
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import Loss, Round, Term
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner

READ_AT_ONCE = 256


@dataclass(frozen=True, kw_only=True)
class JiT(Unlearner):
    """Minimise the sum over forget images x of the mean over n of |f(x) - f(x+n)| / |n|.

    f: the logits; n: normal noise of deviation `sigma` in the units of normalised images, `draws`
    times for each image and step. No label is read, and nothing but the forget set. The official
    code is followed, as what could be read of the paper is its abstract: the gradient goes through
    f(x) alone, and a batch's losses are summed, not averaged, so that `lr` is per image.

    Not as the code has it: noisy images are clamped to the lowest and highest value of the
    normalised forget set (one more reading of it), there to those of their batch. The code
    clears gradients before the first batch only. That is SGD with momentum 1, which the preset
    `official` has; the default is descent on each batch.

    BatchNorm, as in the code: batch statistics, and the running ones are moved by every pass,
    those of noisy images included. In bf16 small changes of logits drown in rounding: on the
    ConvNet of digits ratios were off by 23 % at sigma 0.01, by 2 % at 0.1 and by 0.4 % at 0.5.
    """

    name: ClassVar[str] = "jit"
    paper: ClassVar[str] = (
        "Foster et al., An Information Theoretic Approach to Machine Unlearning, arXiv 2402.01401"
    )
    bibtex: ClassVar[str] = """@article{foster2024information,
  title = {An Information Theoretic Approach to Machine Unlearning},
  author = {Foster, Jack and Fogarty, Kyle and Schoepf, Stefan and Dugue, Zack
    and {\\"O}ztireli, Cengiz and Brintrup, Alexandra},
  journal = {arXiv preprint arXiv:2402.01401},
  year = {2024}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"forget"}),
        "instance-wise": frozenset({"forget"}),
    }
    zero_steps: ClassVar[dict[str, int]] = {"epochs": 0}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3),
        "sigma": (0.01, 0.1, 0.5),
        "batch_norm": BATCH_NORM,
    }

    epochs: int = field(default=1, metadata=bounds(at_least=0))
    batch_size: int = field(default=128, metadata=bounds(at_least=1))
    draws: int = field(default=25, metadata=bounds(at_least=1))
    sigma: float = field(default=0.5, metadata=bounds(above=0))
    lr: float = field(default=3e-4, metadata=bounds(at_least=0))
    momentum: float = field(default=0.0, metadata=bounds(at_least=0, at_most=1))
    batch_norm: BatchNorm = "update"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        if self.epochs:
            session.train(
                model, self._epochs(model, session), self._optimizer, batch_norm=self.batch_norm
            )
        return model

    def _epochs(self, model: nn.Module, session: Session) -> Iterator[Round]:
        extremes = extreme_values(session.forget, session.device)
        for _ in range(self.epochs):
            yield Round(self._steps(model, extremes, session))

    def _steps(
        self, model: nn.Module, extremes: tuple[float, float], session: Session
    ) -> Iterator[Sequence[Term]]:
        for positions in session.shuffled(session.forget, self.batch_size):
            session.passes.add({"forget": len(positions)}, forward=self.draws)
            noise = BatchNoise(positions, session.generator)
            loss = self._loss(model, noise, extremes, session)
            yield [Term(session.forget, positions, loss, weight=len(positions))]

    def _loss(
        self, model: nn.Module, noise: BatchNoise, extremes: tuple[float, float], session: Session
    ) -> Loss:
        def loss(logits: Tensor, batch: Batch) -> Tensor:
            total = torch.zeros(len(logits), device=logits.device)
            for drawn in noise.draws(batch, self.draws):
                noisy = (batch.images + self.sigma * drawn).clamp(*extremes)
                with torch.no_grad():
                    outputs = session.forward(model, replace(batch, images=noisy))
                total = total + local_lipschitz(logits - outputs, noisy - batch.images)
            return total / self.draws

        return loss

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return SGD(parameters, lr=self.lr, momentum=self.momentum)

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The official code for a VGG11 (jwf40/Information-Theoretic-Unlearning at c967614).

        SGD 3e-4 with gradients that add up, batches of 128, 25 draws, one epoch; sigma 0.5 for a
        class and 0.01 for random samples (and subclasses).
        """
        return cls(momentum=1.0, sigma=0.5 if scope == "class-wise" else 0.01)

    @classmethod
    def preset_vit(cls, scope: Scope) -> Self:
        """The official code for a ViT (jwf40/Information-Theoretic-Unlearning at c967614).

        As `official`, but lr 1.5 and sigma 0.8 for a class, lr 0.1 and sigma 0.5 for samples.
        """
        whole = scope == "class-wise"
        return cls(momentum=1.0, lr=1.5 if whole else 0.1, sigma=0.8 if whole else 0.5)


def local_lipschitz(change: Tensor, noise: Tensor) -> Tensor:
    """|change| / |noise| of each sample, (B,), of logits (B, K) and images (B, C, H, W)."""
    size = noise.flatten(1).norm(dim=1).clamp(min=1e-12)
    return torch.linalg.vector_norm(change, dim=1) / size


def extreme_values(images: ImageSet, device: torch.device) -> tuple[float, float]:
    """The lowest and the highest value of the normalised images."""
    batches = torch.arange(len(images)).split(READ_AT_ONCE)
    ends = torch.stack([torch.stack(images.batch(p, device).images.aminmax()) for p in batches])
    return float(ends.min()), float(ends.max())
