"""SSD, selective synaptic dampening: shrink what matters far more to the forget set than to all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import Self

from benchmark_adapters.baselines.importances import Importance
from suli_plugin.hyperparameters import bounds
from suli_plugin.rounds import cross_entropy
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class SSD(Unlearner):
    """Where I_f > alpha * I_D: theta <- min(lambda * I_D / I_f, 1) * theta; nothing is trained.

    I_f and I_D are the importances of forget set and whole training set, the diagonal of the
    Fisher information (Eq. 4): squared gradients of the cross-entropy, in evaluation mode.
    BatchNorm's scales and shifts are weights as all others; its buffers stay. dampening: lambda.
    alpha: 10 is for one class of a hundred. I_D holds the forget set's own part: of F among N
    single images nothing can be selected from alpha = N / F on, which is 10 for one class of ten.

    batch_size: the official code squares the gradient of a batch's mean, so that the size and who
    is in a batch decide the result; the paper's diagonal, of single images, is the preset
    `single_images`. As in that code batches are filled class by class where a class is forgotten,
    and mixed otherwise. There the training set's are filled from the retain set first; here from
    both, so that the importances of the training set are the original's, whatever is forgotten,
    and are computed once (see `Importance.of_training_set`).
    """

    name: ClassVar[str] = "ssd"
    paper: ClassVar[str] = (
        "Foster et al., Fast Machine Unlearning without Retraining through Selective Synaptic "
        "Dampening, AAAI 2024"
    )
    bibtex: ClassVar[str] = """@inproceedings{foster2024fast,
  title = {Fast Machine Unlearning without Retraining through Selective Synaptic Dampening},
  author = {Foster, Jack and Schoepf, Stefan and Brintrup, Alexandra},
  booktitle = {AAAI Conference on Artificial Intelligence},
  pages = {12043--12051},
  year = {2024}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"forget", "retain"}),
        "instance-wise": frozenset({"forget", "retain"}),
    }
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "alpha": (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0),
        "dampening": (0.1, 0.5, 1.0),
        "batch_size": (16, 64),
    }

    alpha: float = field(default=10.0, metadata=bounds(at_least=0))
    dampening: float = field(default=1.0, metadata=bounds(at_least=0))
    batch_size: int = field(default=64, metadata=bounds(at_least=1))

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        importance = self._importance()
        forget = importance.of_forget_set(model, session)
        whole = importance.of_training_set(model, session)
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        chosen = [selected(i_f, i_d, self.alpha) for i_f, i_d in zip(forget, whole, strict=True)]
        with session.update_clock.running(), torch.no_grad():
            for parameter, where, i_f, i_d in zip(parameters, chosen, forget, whole, strict=True):
                factor = (self.dampening * i_d / i_f).clamp(max=1)
                parameter.copy_(torch.where(where, parameter * factor, parameter))
        weights = sum(where.numel() for where in chosen)
        session.notes["dampened"] = sum(int(where.sum()) for where in chosen) / weights
        session.stop_reason = "weights dampened"
        return model

    def _importance(self) -> Importance:
        return Importance("ssd", cross_entropy, torch.square, self.batch_size)

    @classmethod
    def preset_single_images(cls, scope: Scope) -> Self:
        """The Fisher diagonal of Eq. 4 itself; SUPREME 0.1.5 has it as `ssd_det`."""
        return cls(batch_size=1)

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The code's settings for a ResNet-18 (if-loops/selective-synaptic-dampening at cdfdc0e).

        alpha 10 and lambda 1; batches of 64 class-wise and 128 for random samples.
        """
        return cls(batch_size=64 if scope == "class-wise" else 128)

    @classmethod
    def preset_faces(cls, scope: Scope) -> Self:
        """The values for face recognition in the same code: alpha 50, lambda 0.1."""
        return cls(alpha=50.0, dampening=0.1)


def selected(forget: Tensor, whole: Tensor, alpha: float) -> Tensor:
    """The weights to dampen, bool of the importances' shape (Eq. 5)."""
    return forget > alpha * whole
