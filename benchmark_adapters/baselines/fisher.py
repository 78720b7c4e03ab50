"""Fisher forgetting: noise on weights, the more the less the retained images need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from typing_extensions import Self

from benchmark_adapters.baselines.finetune import FineTune
from benchmark_adapters.baselines.last_layer import forgotten_rows, last_layer
from suli_plugin.batch_norm import evaluation_mode
from suli_plugin.batch_norm_statistics import with_statistics_of
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import ImageSet
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner
from suli_plugin.updates import trainable

# How many numbers the gradients of the images that are looked at together may hold.
_AT_ONCE = 2**25


@dataclass(frozen=True, kw_only=True)
class Fisher(Unlearner):
    """theta <- theta + sqrt(alpha * min(1 / (F + 1e-8), limit)) * noise; nothing is trained.

    F is the diagonal of the Fisher information of the retained images, the mean over images of
    sum_k p_k * (gradient of CE(f(x), k))^2: exact, a backward pass for each image and class, in
    evaluation mode. limit is 1e3, 1e2 in the last layer. Variances of matrices and kernels are
    averaged over their inputs; those of vectors (biases, BatchNorm) and of the last layer are
    multiplied by 10. Class-wise, the last layer's rows of what is forgotten get mean 0 and
    variance 1e-3. alpha 0 leaves the model as it is.

    The rule is the official code's (AdityaGolatkar/SelectiveForgetting at 4c02825); how the paper
    derives it was not compared. There any tensor of as many rows as classes is taken for the last
    layer; here only that one. Ports that square the gradients of batches compute something else.

    statistics: BatchNorm's running statistics are `kept`, stale, as by default in the code, or
    `retaken` from the retained images after the noise; its ten moving averages are one mean here.
    """

    name: ClassVar[str] = "fisher"
    paper: ClassVar[str] = FineTune.paper
    bibtex: ClassVar[str] = FineTune.bibtex
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"retain"}),
        "instance-wise": frozenset({"retain"}),
    }
    zero_steps: ClassVar[dict[str, float]] = {"alpha": 0.0}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "alpha": tuple(digit * 10.0**power for power in range(-10, -5) for digit in (1, 2, 5)),
        "statistics": ("kept", "retaken"),
    }

    alpha: float = field(default=1e-6, metadata=bounds(at_least=0))
    statistics: Literal["kept", "retaken"] = "kept"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        if self.alpha == 0:
            return model
        parameters = trainable(model)
        head, images = last_layer(model, session), session.retain
        session.passes.add({"retain": len(images)}, backward=len(head.weight))
        information = fisher_information(model, images, session)
        rows = forgotten_rows(model, session) if session.forget_classes else []
        last = [any(parameter is own for own in head.parameters()) for parameter in parameters]
        with session.update_clock.running(), torch.no_grad():
            for parameter, known, in_head in zip(parameters, information, last, strict=True):
                variance = variances(known, self.alpha, head=in_head)
                if in_head:
                    parameter[rows], variance[rows] = 0.0, 1e-3
                noise = torch.randn(parameter.shape, generator=session.generator)
                parameter.add_(variance.sqrt() * noise.to(parameter.device))
        session.stop_reason = "noise added"
        return self._with_statistics(model, session)

    def _with_statistics(self, model: nn.Module, session: Session) -> nn.Module:
        if self.statistics == "kept":
            return model
        session.passes.add({"retain": len(session.retain)})
        retaken = with_statistics_of(
            model, session.retain, session.accelerator, channels_last=session.channels_last
        )
        return model if retaken is None else retaken

    @classmethod
    def preset_large(cls, scope: Scope) -> Self:
        """The value for the larger data of the same code, alpha 1e-7."""
        return cls(alpha=1e-7)


def fisher_information(model: nn.Module, images: ImageSet, session: Session) -> list[Tensor]:
    """The diagonal, one tensor for each trainable parameter; see `Fisher`.

    As many images are looked at together as memory for their gradients allows. Not counted.
    """
    weights = {
        name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad
    }
    at_once = _AT_ONCE // sum(parameter.numel() for parameter in weights.values())
    processes = session.accelerator.num_processes
    share = torch.arange(len(images)).tensor_split(processes)[session.accelerator.process_index]
    total = [torch.zeros_like(parameter) for parameter in weights.values()]
    for positions in share.split(min(max(at_once, 1), 64)) if len(share) else ():
        _add(total, model, weights, images.batch(positions, session.device).images, session)
    total = [part / len(images) for part in total]
    if processes == 1:
        return total
    return [session.accelerator.reduce(part, "sum") for part in total]


def variances(information: Tensor, alpha: float, *, head: bool) -> Tensor:
    """The variance of the noise on each weight of a tensor; head: of the last layer."""
    variance = alpha * (1 / (information + 1e-8)).clamp(max=1e2 if head else 1e3)
    if variance.dim() > 1:
        variance = variance.mean(1, keepdim=True).expand_as(variance)
    return variance * (10 if head or variance.dim() == 1 else 1)


def _add(
    total: list[Tensor],
    model: nn.Module,
    weights: Mapping[str, Tensor],
    images: Tensor,
    session: Session,
) -> None:
    """Add what some images know: every image has weights of its own, and so gradients."""

    def logits(own: Mapping[str, Tensor], image: Tensor) -> Tensor:
        return session.logits_of(functional_call(model, dict(own), (image[None],)))[0].float()

    own = {
        name: weight.detach().expand(len(images), *weight.shape).requires_grad_()
        for name, weight in weights.items()
    }
    with evaluation_mode(model), torch.enable_grad(), session.accelerator.autocast():
        log_p = vmap(logits)(own, images).log_softmax(1)
        for k, column in enumerate(log_p.unbind(1)):
            last = k == log_p.shape[1] - 1
            gradients = torch.autograd.grad(
                -column.sum(), list(own.values()), retain_graph=not last, allow_unused=True
            )
            for part, gradient in zip(total, gradients, strict=True):
                if gradient is not None:
                    likely = column.detach().exp().view(-1, *[1] * part.dim())
                    part += (likely * gradient.square()).sum(0)
