"""SEMU: random labels, learnt in the few directions of each layer's forget gradient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from typing_extensions import Self

from benchmark_adapters.baselines.random_label import random_labels
from suli_plugin.batch_norm import BATCH_NORM, BatchNorm
from suli_plugin.evaluation import Predictions
from suli_plugin.forget_only import ForgetOnly
from suli_plugin.hyperparameters import bounds
from suli_plugin.last_layers import trained_alone, weighted_layers
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import Round, cross_entropy
from suli_plugin.session import Session
from suli_plugin.unlearner import Scope
from suli_plugin.updates import Projection, trainable


@dataclass(frozen=True, kw_only=True)
class Semu(ForgetOnly):
    """Cross-entropy of random labels, minimised over R in W = W_0 + U R V of each layer.

    U, V: of the singular vectors of the layer's summed forget gradient as many as `explained` of
    its energy takes, a matrix for a linear layer and one an input channel for a convolution, whose
    channels all get as many as the one that needs most. Biases and normalisation stay. Descent on
    R, momentum and decay included, is descent on W with its gradient projected, U U' G V' V, and a
    decay towards W_0; that is how it is done here, so that the network keeps its layers.

    off_weights: leave out of the gradient what lies along W, before it is decomposed. Labels are
    drawn anew for each epoch, never a sample's own and never a forgotten class.

    The official code is followed where only the paper's beginning could be read. Not as it has it:
    it divides by |W| where a projection divides by |W|^2; it keeps one direction fewer than reach
    `explained`; its draw takes the class after a sample's own twice as often; and its early exit
    (patience 2 epochs, 0.01) reads the retain set. BatchNorm is frozen, as there.
    """

    name: ClassVar[str] = "semu"
    paper: ClassVar[str] = (
        "Sendera et al., SEMU: Singular Value Decomposition for Efficient Machine Unlearning, "
        "ICML 2025"
    )
    bibtex: ClassVar[str] = """@inproceedings{sendera2025semu,
  title = {{SEMU}: Singular Value Decomposition for Efficient Machine Unlearning},
  author = {Sendera, Marcin and Struski, {\\L}ukasz and Ksi{\\k{a}}{\\.z}ek, Kamil
    and Musiol, Kryspin and Tabor, Jacek and Rymarczyk, Dawid Damian},
  booktitle = {Proceedings of the 42nd International Conference on Machine Learning},
  series = {Proceedings of Machine Learning Research},
  volume = {267},
  pages = {53843--53866},
  year = {2025}
}"""
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-6, 1e-5, 1e-4, 1e-3, 1e-2),
        "batch_norm": BATCH_NORM,
        "explained": (0.8, 0.95, 0.99),
    }

    epochs: int = field(default=10, metadata=bounds(at_least=0))
    batch_size: int = field(default=256, metadata=bounds(at_least=1))
    lr: float = field(default=1e-5, metadata=bounds(at_least=0))
    momentum: float = field(default=0.9, metadata=bounds(at_least=0, below=1))
    weight_decay: float = field(default=5e-4, metadata=bounds(at_least=0))
    explained: float = field(default=0.95, metadata=bounds(above=0, at_most=1))
    off_weights: bool = True
    batch_norm: BatchNorm = "frozen"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        before = session.predict(model, session.forget)
        weights = (layer.weight for layer in weighted_layers(model))
        with trained_alone((w for w in weights if isinstance(w, nn.Parameter)), model):
            cores = self._cores(model, session)
            size = sum(parameter.numel() for parameter in model.parameters())
            session.notes["ranks"] = [core.rank for core in cores]
            session.notes["trained_share"] = sum(core.size for core in cores) / size
            session.train(
                model,
                self._epochs(before, session),
                self._optimizer,
                batch_norm=self.batch_norm,
                projections=self._projections(model, cores),
                stop=session.stop_rule(model, self.stop, before=before),
            )
        return model

    def _cores(self, model: nn.Module, session: Session) -> list[Core]:
        weights = trainable(model)
        summed = [torch.zeros_like(weight) for weight in weights]
        for gradients, size in session.gradients(
            model, session.forget, cross_entropy, batch_size=self.batch_size
        ):
            for total, gradient in zip(summed, gradients, strict=True):
                total.add_(gradient, alpha=size)
        if self.off_weights:
            summed = [_off(g, weight.detach()) for g, weight in zip(summed, weights, strict=True)]
        return [Core(gradient, self.explained) for gradient in summed]

    def _projections(self, model: nn.Module, cores: Sequence[Core]) -> list[Projection]:
        pairs = zip(trainable(model), cores, strict=True)
        return [self._projection(weight, core) for weight, core in pairs]

    def _projection(self, weight: nn.Parameter, core: Core) -> Projection:
        start = weight.detach().clone()

        def project(gradient: Tensor) -> Tensor:
            return core.project(gradient) + self.weight_decay * (weight.detach() - start)

        return project

    def _epochs(self, before: Predictions, session: Session) -> Iterator[Round]:
        outputs = before.logits.shape[1]
        for _ in range(self.epochs):
            labels = random_labels(
                before.labels, outputs, session.forbidden_classes, session.generator
            )
            yield from session.epochs(
                session.forget.relabelled(labels),
                cross_entropy,
                epochs=1,
                batch_size=self.batch_size,
            )

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return SGD(parameters, lr=self.lr, momentum=self.momentum)

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The settings that the official code names for a ResNet-18 on CIFAR-10.

        gmum/semu at 2c4c3f8, Classification/README.md: the defaults, ten epochs; without a stop
        rule, because its early exit reads the retain set.
        """
        return cls(stop="never")


class Core:
    """The directions of one layer's gradient (O, I, ...) that explain so much of its energy.

    rank: how many for each of its matrices; size: the numbers in R.
    """

    def __init__(self, gradient: Tensor, explained: float) -> None:
        left, sizes, right = torch.linalg.svd(
            _matrices(gradient).cpu().double(), full_matrices=False
        )
        energy = sizes.square().cumsum(1)
        # Of a matrix without any gradient, one direction is as good as all.
        reached = (energy >= explained * energy[:, -1:]).int().argmax(1)
        self.rank = int(reached.max()) + 1
        self.size = len(sizes) * self.rank**2
        self._left = left[:, :, : self.rank].to(gradient)
        self._right = right[:, : self.rank].to(gradient)

    def project(self, gradient: Tensor) -> Tensor:
        """U U' G V' V of a gradient of the layer, in its shape."""
        core = self._left.mT @ _matrices(gradient) @ self._right.mT
        made = self._left @ core @ self._right
        if gradient.dim() == 2:
            return made[0]
        return made.unflatten(2, gradient.shape[2:]).transpose(0, 1)


def _matrices(weight: Tensor) -> Tensor:
    """(N, O, S): a linear layer's one matrix (O, I), or one (O, H W) an input channel."""
    return weight[None] if weight.dim() == 2 else weight.transpose(0, 1).flatten(2)


def _off(gradient: Tensor, weight: Tensor) -> Tensor:
    """The part of the gradient that is orthogonal to the weight, as one vector each."""
    along = (gradient * weight).sum() / weight.square().sum().clamp(min=1e-30)
    return gradient - along * weight
