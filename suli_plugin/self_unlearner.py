"""What SU and SULI share: the targets of SPA, the divergence from them, and the optimiser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from torch import Tensor, nn
from torch.optim import Optimizer

from suli_plugin.batch_norm import BATCH_NORM
from suli_plugin.evaluation import Predictions
from suli_plugin.forget_only import ForgetOnly
from suli_plugin.hyperparameters import bounds
from suli_plugin.optimizers import SGD, Adam
from suli_plugin.session import Session
from suli_plugin.spa import spa_loss, spa_targets, suppressed_classes

PAPER = "Lyu et al., Fine-Grained and Efficient Self-Unlearning with Layered Iteration, IJCAI 2025"
Suppress = Literal["label", "argmax"]


@dataclass(frozen=True, kw_only=True)
class SelfUnlearner(ForgetOnly):
    """The adjusted targets P' of section 3.3, and how a step comes nearer to them.

    momentum: of SGD, or Adam's first beta. epsilon: total probability left to the suppressed
    classes. temperature: divides the logits of target and student alike. suppress:
    which class a sample loses instance-wise, its label or the teacher's arg-max; class-wise it
    loses all forgotten classes, and always those of earlier requests.
    """

    paper: ClassVar[str] = PAPER
    bibtex: ClassVar[str] = """@inproceedings{lyu2025suli,
  title = {Fine-Grained and Efficient Self-Unlearning with Layered Iteration},
  author = {Lyu, Hongyi and Zhang, Xuyun and Hu, Hongsheng and Wang, Shuo and He, Chaoxiang
    and Qi, Lianyong},
  booktitle = {Proceedings of the Thirty-Fourth International Joint Conference on Artificial
    Intelligence},
  year = {2025}
}"""
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "optimizer": ("adam", "sgd"),
        "lr": (1e-5, 3e-5, 1e-4, 3e-4, 1e-3),
        "batch_norm": BATCH_NORM,
        "temperature": (1.0, 2.0, 4.0),
        "epsilon": (0.0, 0.01, 0.1),
    }

    optimizer: Literal["adam", "sgd"] = "adam"
    lr: float = field(default=1e-4, metadata=bounds(at_least=0))
    momentum: float = field(default=0.9, metadata=bounds(at_least=0, below=1))
    epsilon: float = field(default=0.0, metadata=bounds(at_least=0, below=1))
    temperature: float = field(default=1.0, metadata=bounds(above=0))
    suppress: Suppress = "label"

    def targets(self, logits: Tensor, labels: Tensor, session: Session) -> Tensor:
        """P' from a teacher's logits (B, K), as log-probabilities (B, K)."""
        lost = logits.argmax(1) if self.suppress == "argmax" else labels
        suppressed = suppressed_classes(
            lost, logits.shape[1], session.forget_classes, session.forgotten_before
        )
        return spa_targets(logits, suppressed, epsilon=self.epsilon, temperature=self.temperature)

    def original_targets(self, before: Predictions, session: Session) -> Tensor:
        """P' of every forget sample under the original model, on the device, (N, K)."""
        device = session.device
        return self.targets(before.logits.to(device), before.labels.to(device), session)

    def divergence(self, targets: Tensor, logits: Tensor) -> Tensor:
        """KL(P' || P) of each sample, (B,); logits: the student's, (B, K)."""
        return spa_loss(targets, logits, temperature=self.temperature)

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        if self.optimizer == "sgd":
            return SGD(parameters, lr=self.lr, momentum=self.momentum)
        return Adam(parameters, lr=self.lr, betas=(self.momentum, 0.999))
