"""SSD, selective synaptic dampening: shrink what matters far more to the forget set than to all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from typing_extensions import Self

from benchmark_adapters.baselines.dampening import Dampening
from benchmark_adapters.baselines.importances import Importance
from suli_plugin.rounds import cross_entropy
from suli_plugin.unlearner import Scope


@dataclass(frozen=True, kw_only=True)
class SSD(Dampening):
    """Where I_f > alpha * I_D: theta <- min(lambda * I_D / I_f, 1) * theta; nothing is trained.

    I_f and I_D are the importances of forget set and whole training set, the diagonal of the
    Fisher information: squared gradients of the cross-entropy, in evaluation mode.
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

    def _importance(self) -> Importance:
        return Importance("ssd", cross_entropy, torch.square, self.batch_size)

    @classmethod
    def preset_single_images(cls, scope: Scope) -> Self:
        """The Fisher diagonal itself; SUPREME 0.1.5 has it as `ssd_det`."""
        return cls(batch_size=1)

    @classmethod
    def preset_faces(cls, scope: Scope) -> Self:
        """The values for face recognition in the same code: alpha 50, lambda 0.1."""
        return cls(alpha=50.0, dampening=0.1)
