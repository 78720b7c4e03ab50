"""LFSSD: SSD without labels, from the outputs' norm instead of the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import Self

from benchmark_adapters.baselines.importances import Importance
from benchmark_adapters.baselines.ssd import SSD
from suli_plugin.images import Batch
from suli_plugin.unlearner import Scope


@dataclass(frozen=True, kw_only=True)
class LFSSD(SSD):
    """SSD whose importances are |gradient of ||logits||^2| instead of squared gradients of a loss.

    ||logits||^2 is the batch's mean squared L2 norm, and nothing is squared afterwards (the README
    of if-loops/selective-synaptic-dampening at cdfdc0e). No label is used, except to fill batches
    class by class where a class is forgotten. In the paper alpha goes with the task: see `paper`.
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
