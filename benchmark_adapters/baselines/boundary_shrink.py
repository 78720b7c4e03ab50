"""Boundary Shrink: fine-tune the forget set under its nearest classes, which FGSM finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import nn
from torch.optim.optimizer import Optimizer
from typing_extensions import Self

from benchmark_adapters.baselines.adversarial_images import check_pixels, fgsm
from suli_plugin.batch_norm import BATCH_NORM
from suli_plugin.forget_only import ForgetOnly
from suli_plugin.hyperparameters import bounds
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import cross_entropy
from suli_plugin.session import Session
from suli_plugin.unlearner import Scope


@dataclass(frozen=True, kw_only=True)
class BoundaryShrink(ForgetOnly):
    """Each clean image is learnt under the label that the original gives its FGSM twin.

    epsilon: the step, in pixel units. The original is frozen, so labels are found once, on images
    without augmentation. As in the source, an image whose attack failed keeps its own label and
    is not unlearnt: hit rate and label counts are in the result's notes. Of the source's options,
    the curvature penalty, the reweighting and PGD are not here.
    """

    name: ClassVar[str] = "boundary_shrink"
    paper: ClassVar[str] = "Chen et al., Boundary Unlearning, CVPR 2023, section 3.2"
    bibtex: ClassVar[str] = """@inproceedings{chen2023boundary,
  title = {Boundary Unlearning: Rapid Forgetting of Deep Networks via Shifting the Decision
    Boundary},
  author = {Chen, Min and Gao, Weizhuo and Liu, Gaoyang and Peng, Kai and Wang, Chen},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  pages = {7766--7775},
  year = {2023}
}"""
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3),
        "batch_norm": BATCH_NORM,
        "batch_size": (64, 128),
        "epsilon": (0.03, 0.1, 0.3),
    }

    epochs: int = field(default=10, metadata=bounds(at_least=0))
    batch_size: int = field(default=64, metadata=bounds(at_least=1))
    lr: float = field(default=1e-5, metadata=bounds(at_least=0))
    momentum: float = field(default=0.9, metadata=bounds(at_least=0, below=1))
    epsilon: float = field(default=0.1, metadata=bounds(at_least=0))

    def check(self, session: Session) -> None:
        """See `Unlearner.check`."""
        check_pixels(session)

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        before = session.predict(model, session.forget)
        nearest = fgsm(session, model, session.forget, epsilon=self.epsilon)
        counts = torch.bincount(nearest.predicted, minlength=before.logits.shape[1])
        session.notes.update(hit_rate=nearest.hit_rate, label_counts=counts.tolist())
        session.train(
            model,
            session.epochs(
                session.forget.relabelled(nearest.predicted),
                cross_entropy,
                epochs=self.epochs,
                batch_size=self.batch_size,
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

        From its mirror TY-LEE-KR/Boundary-Unlearning-Code at 19f9f23: FGSM 0.1, SGD 1e-5,
        momentum 0.9, batches of 64, ten epochs without a stop rule.
        """
        return cls(stop="never")

    @classmethod
    def preset_resnet18(cls, scope: Scope) -> Self:
        """The rerun on a ResNet-18 by DELETE's authors (shaaaaron/DELETE at 60018a1).

        SGD 1e-4, batches of 128, twenty epochs without a stop rule.
        """
        return cls(lr=1e-4, batch_size=128, epochs=20, stop="never")
