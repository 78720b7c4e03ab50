"""MU-Mis: take back what training on a sample left behind, the model's sensitivity to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from typing_extensions import Self

from benchmark_adapters.baselines.random_label import random_labels
from suli_plugin.batch_norm import BATCH_NORM, BatchNorm, evaluation_mode
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch
from suli_plugin.input_gradients import differentiable_images, squared_sensitivity
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import Round, Term
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class MUMis(Unlearner):
    """Minimise mean |df_c/dx|^2 - |df_c'/dx|^2 over the forget images x.

    f_c: the logit of x's label; f_c': that of another class, drawn for each x in every epoch, by
    us never one that is forgotten. The loss has no bound below. What ends it (`stop`) is the
    irrelevant sensitivity |df_c'/dx|^2: in the paper it falls at first, and training stops once it
    has risen above its start. It is measured before the first epoch and after each, on the whole
    forget set in evaluation mode, one other class a sample which stays the same; the notes hold
    the means. rise: how far above the start it must be, as a fraction of it.

    Reconstruction from the paper's abstract, notes on it and torchunlearn's version: of the
    official code nothing could be read. Unknown are the paper's rates, batch size, its rise, and
    whether it asks after epochs or steps. lr is torchunlearn's, the most epochs and the rise are
    ours.

    BatchNorm is frozen by default, where |df_c/dx|^2 is of one sample; with batch statistics a
    sample's image changes all outputs of its batch. The second derivatives need the logits
    in float32: in bf16 and fp16 runs training and measuring are in float32 all the same.
    Each step costs a forward pass, two backward passes to the images, counted as such, and a
    backward pass through all three, which counts as one.
    """

    name: ClassVar[str] = "mu_mis"
    paper: ClassVar[str] = (
        "Cheng et al., Remaining-data-free Machine Unlearning by Suppressing Sample Contribution, "
        "ICLR 2026, arXiv 2402.15109"
    )
    bibtex: ClassVar[str] = """@inproceedings{cheng2026remaining,
  title = {Remaining-data-free Machine Unlearning by Suppressing Sample Contribution},
  author = {Cheng, Xinwen and Huang, Zhehao and Zhou, Wenxing and He, Zhengbao
    and Yang, Ruikai and Wu, Yingwen and Huang, Xiaolin},
  booktitle = {International Conference on Learning Representations},
  eprint = {2402.15109},
  archivePrefix = {arXiv},
  year = {2026}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"forget"}),
        "instance-wise": frozenset({"forget"}),
    }
    zero_steps: ClassVar[dict[str, int]] = {"epochs": 0}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3),
        "rise": (0.0, 0.5, 2.0),
        "batch_norm": BATCH_NORM,
    }

    epochs: int = field(default=100, metadata=bounds(at_least=0))
    batch_size: int = field(default=128, metadata=bounds(at_least=1))
    lr: float = field(default=1e-4, metadata=bounds(at_least=0))
    momentum: float = field(default=0.0, metadata=bounds(at_least=0, below=1))
    stop: Literal["sensitivity", "never"] = "sensitivity"
    rise: float = field(default=0.5, metadata=bounds(at_least=0))
    batch_norm: BatchNorm = "frozen"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        if self.epochs == 0:
            return model
        means: list[float] = []
        session.train(
            model, self._epochs(model, means, session), self._optimizer, batch_norm=self.batch_norm
        )
        if means:
            session.notes["irrelevant_sensitivity"] = means
            if self._risen(means):
                session.stop_reason = "irrelevant sensitivity risen"
        return model

    def _epochs(self, model: nn.Module, means: list[float], session: Session) -> Iterator[Round]:
        outputs = session.predict(model, session.forget.subset([0])).logits.shape[1]
        watched = other_classes(outputs, session)
        if self.stop == "sensitivity":
            means.append(irrelevant_sensitivity(model, watched, self.batch_size, session))
        for _ in range(self.epochs):
            yield Round(self._steps(other_classes(outputs, session), session))
            if self.stop == "sensitivity":
                means.append(irrelevant_sensitivity(model, watched, self.batch_size, session))
                if self._risen(means):
                    return

    def _risen(self, means: Sequence[float]) -> bool:
        """Whether the last is above the first; what was lower in between is then behind."""
        return means[-1] > means[0] * (1 + self.rise)

    def _steps(self, others: Tensor, session: Session) -> Iterator[Sequence[Term]]:
        def loss(logits: Tensor, batch: Batch) -> Tensor:
            own = squared_sensitivity(of_class(logits, batch.labels), batch.images)
            other = of_class(logits, others[batch.positions])
            return own - squared_sensitivity(other, batch.images)

        for positions in session.shuffled(session.forget, self.batch_size):
            session.passes.add({"forget": len(positions)}, forward=0, backward=2)
            term = Term(
                session.forget, positions, loss, around=differentiable_images, full_precision=True
            )
            yield [term]

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return SGD(parameters, lr=self.lr, momentum=self.momentum)

    @classmethod
    def preset_torchunlearn(cls, scope: Scope) -> Self:
        """torchunlearn's example for CIFAR-10 (Harry24k/machine-unlearning-pytorch at 405bab1).

        SGD 1e-4, batches of 128, one epoch without a stop rule, batch statistics.
        """
        return cls(epochs=1, stop="never", batch_norm="update")


def of_class(logits: Tensor, classes: Tensor) -> Tensor:
    """The logit (B,) of one class (B,) a sample."""
    return logits.gather(1, classes.to(logits.device, non_blocking=True)[:, None]).squeeze(1)


def other_classes(outputs: int, session: Session) -> Tensor:
    """A class for each forget image, neither its own nor a forgotten one, int64 (N,)."""
    return random_labels(
        session.forget.labels, outputs, session.forbidden_classes, session.generator
    )


def irrelevant_sensitivity(
    model: nn.Module, others: Tensor, batch_size: int, session: Session
) -> float:
    """The mean over the forget set of |df_c'/dx|^2 for these classes c', in evaluation mode."""
    size, accelerator = len(session.forget), session.accelerator
    session.passes.add(session.forget.kinds(torch.arange(size)), backward=1)
    shares = torch.arange(size).tensor_split(accelerator.num_processes)
    total = torch.zeros((), dtype=torch.float64, device=session.device)
    with evaluation_mode(model), torch.enable_grad():
        for positions in shares[accelerator.process_index].split(batch_size):
            if len(positions):
                batch = session.forget.batch(positions, session.device)
                with differentiable_images(batch):
                    logits = session.forward(model, batch, full_precision=True)
                other = of_class(logits, others[positions])
                total += squared_sensitivity(other, batch.images).detach().double().sum()
    return float(accelerator.reduce(total, "sum")) / size
