"""LFSSD: SSD without labels, from the outputs' norm instead of the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import Self

from benchmark_adapters.baselines.dampening import Dampening
from benchmark_adapters.baselines.importances import Importance
from suli_plugin.images import Batch
from suli_plugin.unlearner import Scope


@dataclass(frozen=True, kw_only=True)
class LFSSD(Dampening):
    """Where I_f > alpha * I_D: theta <- min(lambda * I_D / I_f, 1) * theta; nothing is trained.

    I_f and I_D are those of forget set and whole training set: the magnitude of the gradient of
    the logits' squared L2 norm, its mean over a batch; nothing is squared afterwards (the README
    of if-loops/selective-synaptic-dampening at cdfdc0e). dampening: lambda. Batches, evaluation
    mode, and what is kept of the training set's are as in SSD. No label is used, except to fill
    batches class by class where a class is forgotten.
    """

    name: ClassVar[str] = "lfssd"
    paper: ClassVar[str] = "Foster et al., Loss-Free Machine Unlearning, ICLR 2024 Tiny Papers"
    bibtex: ClassVar[str] = """@inproceedings{foster2024loss,
  title = {Loss-Free Machine Unlearning},
  author = {Foster, Jack and Schoepf, Stefan and Brintrup, Alexandra},
  booktitle = {The Second Tiny Papers Track at ICLR},
  year = {2024}
}"""

    def _importance(self) -> Importance:
        return Importance("lfssd", squared_norms, torch.abs, self.batch_size)

    @classmethod
    def preset_paper(cls, scope: Scope) -> Self:
        """The paper's alpha as SUPREME 0.1.5 has it: 10 for a class (CIFAR-100), 3.5 for samples.

        Lambda is 1. For a class of CIFAR-20 it has 5. The paper's own tables were not read.
        """
        return cls(alpha=10.0 if scope == "class-wise" else 3.5)


def squared_norms(logits: Tensor, batch: Batch) -> Tensor:
    """The squared L2 norm of each image's logits, (B,)."""
    return logits.square().sum(1)
