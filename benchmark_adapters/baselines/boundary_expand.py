"""Boundary Expand: teach the forget set an extra class, then drop that class."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from typing_extensions import Self

from benchmark_adapters.baselines.boundary_shrink import BoundaryShrink
from benchmark_adapters.baselines.last_layer import resize
from suli_plugin.batch_norm import BATCH_NORM
from suli_plugin.forget_only import ForgetOnly
from suli_plugin.hyperparameters import bounds
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import cross_entropy
from suli_plugin.session import Session
from suli_plugin.unlearner import Scope


@dataclass(frozen=True, kw_only=True)
class BoundaryExpand(ForgetOnly):
    """Cross-entropy of the forget set with an output that exists while training only.

    The stop rule asks the model that would be returned, the one without the extra output.
    """

    name: ClassVar[str] = "boundary_expand"
    paper: ClassVar[str] = "Chen et al., Boundary Unlearning, CVPR 2023, section 3.3"
    bibtex: ClassVar[str] = BoundaryShrink.bibtex
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3),
        "batch_norm": BATCH_NORM,
        "batch_size": (64, 128),
    }

    epochs: int = field(default=10, metadata=bounds(at_least=0))
    batch_size: int = field(default=64, metadata=bounds(at_least=1))
    lr: float = field(default=1e-5, metadata=bounds(at_least=0))
    momentum: float = field(default=0.9, metadata=bounds(at_least=0, below=1))

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        before = session.predict(model, session.forget)
        outputs = before.logits.shape[1]
        extra = session.forget.relabelled(torch.full((len(session.forget),), outputs))
        with one_output_more(model, outputs, session.generator):
            session.train(
                model,
                session.epochs(
                    extra, cross_entropy, epochs=self.epochs, batch_size=self.batch_size
                ),
                self._optimizer,
                batch_norm=self.batch_norm,
                stop=session.stop_rule(model, self.stop, before=before),
            )
        return model

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return SGD(parameters, lr=self.lr, momentum=self.momentum)

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The official code's settings for an All-CNN on CIFAR-10, class-wise.

        From its mirror TY-LEE-KR/Boundary-Unlearning-Code at 19f9f23: SGD 1e-5, momentum 0.9,
        batches of 64, ten epochs without a stop rule.
        """
        return cls(stop="never")

    @classmethod
    def preset_resnet18(cls, scope: Scope) -> Self:
        """The rerun on a ResNet-18 by DELETE's authors (shaaaaron/DELETE at 60018a1).

        SGD 1e-4, batches of 128, twenty epochs without a stop rule.
        """
        return cls(lr=1e-4, batch_size=128, epochs=20, stop="never")


@contextmanager
def one_output_more(
    model: nn.Module, outputs: int, generator: torch.Generator
) -> Iterator[nn.Module]:
    """The model with `outputs` + 1 logits in training mode and `outputs` in evaluation mode.

    The last logit's weights are drawn by Xavier's normal law, its bias is 0 (as in the source);
    afterwards they are dropped and the layer is as wide as it was.
    """
    layer = output_layer(model, outputs)
    _widened(layer, torch.cat([layer.weight.detach(), _new_row(layer.weight, generator)]))
    hook = layer.register_forward_hook(_without_extra_in_evaluation)
    try:
        yield model
    finally:
        hook.remove()
        _widened(layer, layer.weight.detach()[:outputs].clone())


def output_layer(model: nn.Module, outputs: int) -> nn.Linear | nn.Conv2d:
    """The last linear layer or convolution with that many outputs. Raises ValueError for none."""
    layers = [
        module
        for module in model.modules()
        if isinstance(module, (nn.Linear, nn.Conv2d)) and len(module.weight) == outputs
    ]
    if not layers:
        raise ValueError(
            f"boundary_expand widens the output layer, an nn.Linear or nn.Conv2d with {outputs} "
            f"outputs; {type(model).__name__} has none"
        )
    return layers[-1]


def _new_row(weight: Tensor, generator: torch.Generator) -> Tensor:
    receptive = weight[0, 0].numel()
    fans = receptive * weight.shape[1] + receptive * (len(weight) + 1)
    row = torch.randn(1, *weight.shape[1:], generator=generator) * math.sqrt(2 / fans)
    return row.to(weight)


def _widened(layer: nn.Linear | nn.Conv2d, weight: Tensor) -> None:
    """Give the layer this weight and as many outputs; a bias is cut or filled up with 0."""
    bias = None
    if layer.bias is not None:
        bias = layer.bias.detach().new_zeros(len(weight))
        kept = min(len(bias), len(layer.bias))
        bias[:kept] = layer.bias.detach()[:kept]
    resize(layer, weight, bias)


def _without_extra_in_evaluation(layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Any:
    # A convolution's outputs stand in dimension 1, a linear layer's in the last; (B, K) has both.
    dimension = 1 if isinstance(layer, nn.Conv2d) else -1
    width = output.shape[dimension] - 1
    return output if layer.training else output.narrow(dimension, 0, width)
