"""GKT: a student learns what a gate lets through of the original's answers to made-up images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from torch import nn
from typing_extensions import Self

from benchmark_adapters.baselines.attention import convolutions, sees_patches_only
from benchmark_adapters.baselines.emmn import BIBTEX
from benchmark_adapters.baselines.gated_transfer import GatedTransfer
from suli_plugin.batch_norm import BATCH_NORM, BatchNorm, evaluation_mode, training_mode
from suli_plugin.history import HistoryEntry
from suli_plugin.hyperparameters import bounds
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner

# How often the source looks at its losses.
ENTRY_EVERY = 50


@dataclass(frozen=True, kw_only=True)
class Gkt(Unlearner):
    """Distil the original into an untrained student, without data and without the class.

    A generator makes `batch_size` images of random codes. The gate lets an image through if the
    original's probability of each forgotten class, now or earlier, is at most `threshold`. In each
    of `iterations` rounds, with codes of its own,

    1. the generator takes one step of Adam (`generator_lr`) up KL(original || student),
    2. the student takes `student_steps` of Adam (`lr`) down KL(original || student) +
       attention_weight * the distance of both networks' attention maps (`attention_maps`),

    both at `temperature`, over the images let through, gradients clipped to `max_grad_norm`. The
    student, of the original's form, is the result; a parameter that is frozen in the original is
    taken over. No data is read. The generator fits any image shape, the source's 32x32 and 28x28.
    A round whose gate lets nothing through makes no step, and after 100 in a row the generator
    begins anew (the source goes back to an earlier one). How much was let through, and how often
    nothing was, is in the result's notes.

    Formulas and values are those of the public code; the paper's text could not be read.

    BatchNorm: in the code an evaluation before the loop happens to leave the student in evaluation
    mode, so that it learns with running statistics of 0 and 1. That is `frozen`, the default: a
    student of batch statistics keeps those of made-up images.

    What the code does and we don't: its gate knows class 0 only, and the student's rate is halved
    when the loss on retained test images stands still, which a method without data can't see.
    kl_mean: `samples` is the KL of its definition; the code's is the mean over `elements`, a K-th
    of it, beside which attention weighs K times as much.
    """

    name: ClassVar[str] = "gkt"
    paper: ClassVar[str] = "Chundawat et al., Zero-Shot Machine Unlearning, IEEE TIFS 2023"
    bibtex: ClassVar[str] = BIBTEX
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"image_shape", "fresh_model"})
    }
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
        "attention_weight": (0.0, 25.0, 250.0, 2500.0),
        "batch_norm": BATCH_NORM,
    }

    iterations: int = field(default=4000, metadata=bounds(at_least=1))
    batch_size: int = field(default=256, metadata=bounds(at_least=1))
    code_size: int = field(default=128, metadata=bounds(at_least=1))
    threshold: float = field(default=0.01, metadata=bounds(at_least=0, at_most=1))
    student_steps: int = field(default=10, metadata=bounds(at_least=1))
    lr: float = field(default=1e-3, metadata=bounds(at_least=0))
    generator_lr: float = field(default=1e-3, metadata=bounds(at_least=0))
    attention_weight: float = field(default=250.0, metadata=bounds(at_least=0))
    temperature: float = field(default=1.0, metadata=bounds(above=0))
    kl_mean: Literal["samples", "elements"] = "samples"
    max_grad_norm: float | None = field(default=5.0, metadata=bounds(above=0))
    batch_norm: BatchNorm = "frozen"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        if self.attention_weight and (not convolutions(model) or sees_patches_only(model)):
            but = " but the one that cuts images into patches" if convolutions(model) else ""
            raise ValueError(
                f"{self.name} compares what convolutions attend to, and {type(model).__name__} "
                f"has none{but}; attention_weight=0 does without"
            )
        student = _student_like(model, session)
        model.requires_grad_(False)
        with ExitStack() as modes:
            # Without gradients; where one is taken, `GatedTransfer` says so.
            modes.enter_context(evaluation_mode(model))
            modes.enter_context(training_mode(student, self.batch_norm))
            transfer = modes.enter_context(GatedTransfer(self, model, student, session))
            self._rounds(transfer, session)
        session.notes.update(transfer.notes())
        session.stop_reason = "all rounds done" if session.steps_done else "nothing passed the gate"
        return student

    def _rounds(self, transfer: GatedTransfer, session: Session) -> None:
        losses: list[float] = []
        for number in range(1, self.iterations + 1):
            losses += transfer.round()
            if number % ENTRY_EVERY == 0 or number == self.iterations:
                loss = sum(losses) / len(losses) if losses else None
                entry = HistoryEntry(session.steps_done, loss, None, None, True)
                session.history.append(entry)
                session.progress(entry)
                losses = []

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """As the public code (ayu987/zero-shot-unlearning at e888197) for an All-CNN on MNIST.

        4,000 pseudo-batches of 256, codes of 128, gate 0.01, one generator's step to ten of the
        student, Adam 1e-3 both, attention 250, temperature 1, clipping at 5, BatchNorm in
        evaluation mode: the defaults, but for the mean of the KL over all elements.
        """
        return cls(kl_mean="elements")


def _student_like(model: nn.Module, session: Session) -> nn.Module:
    """An untrained twin; what is frozen in the original is the original's, and frozen."""
    student = session.fresh_model()
    frozen = {name: p for name, p in model.named_parameters() if not p.requires_grad}
    for name, parameter in student.named_parameters():
        if name in frozen:
            parameter.requires_grad_(False).copy_(frozen[name])
    return student
