"""SULI, self-unlearning with layered iteration, and SU, its one-pass form.

Lyu et al., Fine-Grained and Efficient Self-Unlearning with Layered Iteration, IJCAI 2025.
Where the paper and its official release differ, the presets `paper` and `official` do, too.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer
from typing_extensions import Self

from suli_plugin.batch_norm import (
    BATCH_NORM,
    BatchNorm,
    buffers_kept,
    buffers_moved_twice,
    evaluation_mode,
)
from suli_plugin.distortions import distorted
from suli_plugin.evaluation import Predictions
from suli_plugin.forget_only import ForgetOnly
from suli_plugin.hyperparameters import added_later, bounds
from suli_plugin.images import Batch
from suli_plugin.randomness import draws_random_numbers
from suli_plugin.session import Session
from suli_plugin.spa import spa_loss, spa_targets, suppressed_classes
from suli_plugin.step_back import step_back
from suli_plugin.training import Round, Term, snapshot
from suli_plugin.unlearner import Scope

PAPER = "Lyu et al., Fine-Grained and Efficient Self-Unlearning with Layered Iteration, IJCAI 2025"
Suppress = Literal["label", "argmax"]


@dataclass(frozen=True, kw_only=True)
class SelfUnlearner(ForgetOnly):
    """What SU and SULI share: the adjusted targets, and when to stop.

    momentum: of SGD, or Adam's first beta. epsilon: total probability left to the suppressed
    classes. temperature: divides the logits of target and student alike. suppress:
    which class a sample loses instance-wise, its label or the teacher's arg-max; class-wise it
    loses all forgotten classes, and always those of earlier requests.
    distorted_weight: class-wise, of a second term of each step, on distorted
    copies of the same images with the original's adjusted outputs on them as targets;
    ours, not the papers', which have none (0). It takes pixels in [0, 1], so leave it at 0 where a
    dataset gives images that are normalised already. Instance-wise there is none: the copies stand
    for the classes that are not in the forget set.
    """

    paper: ClassVar[str] = PAPER
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "optimizer": ("adam", "sgd"),
        "lr": (1e-5, 3e-5, 1e-4, 3e-4, 1e-3),
        "batch_norm": BATCH_NORM,
        "temperature": (1.0, 2.0, 4.0),
        "epsilon": (0.0, 0.01, 0.1),
        "distorted_weight": (0.0, 1.0, 2.0, 4.0),
    }

    optimizer: Literal["adam", "sgd"] = "adam"
    lr: float = field(default=1e-4, metadata=bounds(at_least=0))
    momentum: float = field(default=0.9, metadata=bounds(at_least=0, below=1))
    epsilon: float = field(default=0.0, metadata=bounds(at_least=0, below=1))
    temperature: float = field(default=1.0, metadata=bounds(above=0))
    suppress: Suppress = "label"
    distorted_weight: float = field(default=0.0, metadata=bounds(at_least=0))

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        if self.optimizer == "sgd":
            return SGD(parameters, lr=self.lr, momentum=self.momentum)
        return Adam(parameters, lr=self.lr, betas=(self.momentum, 0.999))

    def _targets(self, logits: Tensor, labels: Tensor, session: Session) -> Tensor:
        """P' of section 3.3 from a teacher's logits (B, K)."""
        lost = logits.argmax(1) if self.suppress == "argmax" else labels
        suppressed = suppressed_classes(
            lost, logits.shape[1], session.forget_classes, session.forgotten_before
        )
        return spa_targets(logits, suppressed, epsilon=self.epsilon, temperature=self.temperature)

    def _original_teacher(self, before: Predictions, session: Session) -> Tensor:
        """P' of every forget sample under the original model, on the device, (N, K)."""
        device = session.device
        return self._targets(before.logits.to(device), before.labels.to(device), session)

    def _loss(self, targets: Tensor, logits: Tensor) -> Tensor:
        return spa_loss(targets, logits, temperature=self.temperature)


@dataclass(frozen=True, kw_only=True)
class SU(SelfUnlearner):
    """Self-Unlearning: fine-tune on the original's adjusted outputs (section 3.3, last part)."""

    name: ClassVar[str] = "su"
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        **SelfUnlearner.search_space,
        "batch_size": (64, 256),
    }

    epochs: int = field(default=10, metadata=bounds(at_least=0))
    batch_size: int = field(default=256, metadata=bounds(at_least=1))

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        before = session.predict(model, session.forget)
        # The frozen original is the teacher, so its outputs are needed only once.
        teacher = _OriginalTeacher(self, before, session)
        views = DistortedViews(self, model, session)
        rounds = (
            Round([[teacher.term(p), *views.terms(p)] for p in batches])
            for batches in (
                session.shuffled(session.forget, self.batch_size) for _ in range(self.epochs)
            )
        )
        session.train(
            model,
            rounds,
            self._optimizer,
            batch_norm=self.batch_norm,
            stop=session.stop_rule(model, self.stop, before=before),
        )
        return model

    @classmethod
    def preset_paper(cls, scope: Scope) -> Self:
        """What the paper states, the official batch size, epochs and learning rate beside it.

        Section 4: Adam, stop at forget accuracy 0 or at the reference accuracy. Learning rate
        and epsilon are in an appendix that was not published: 1e-4, and the official code's 0.
        """
        return cls()

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The settings of the official notebooks (Hongyi-Lyu-MQ/SULI at 09b9c6c).

        Class-wise: Adam 1e-4, batches of 256, temperature 4, up to 10 epochs. Instance-wise:
        Adam 6e-5, temperature 1, up to 30 epochs, the teacher's arg-max suppressed.
        """
        if scope == "class-wise":
            return cls(lr=1e-4, temperature=4.0, epochs=10, batch_size=256)
        return cls(lr=6e-5, epochs=30, batch_size=256, suppress="argmax")


@dataclass(frozen=True, kw_only=True)
class SULI(SelfUnlearner):
    """Self-Unlearning with Layered Iteration (Algorithm 1).

    n_layers or layer_size: how the forget set, in descending entropy under the original, is cut
    into layers; give one, the other is None. batch_size: a larger layer takes several updates.
    teacher: whose outputs are adjusted, the `current` model's at the start of the visit
    (Algorithm 1, line 9) or the `original`'s (section 3.3). inner_steps: passes over a layer in
    one visit, with its targets fixed. sweeps: visits to every layer at most. least_sweeps:
    class-wise, so many are made whatever the forget accuracy, since the other classes recover
    after it is 0. instance_sweeps, instance_layers: in place of `sweeps` and of `n_layers`
    instance-wise, where the stop rule soon ends them, so that thinner layers of the least certain
    samples suffice; None for the same numbers.
    renew_optimizer: a new one for each visit. roll_back: undo a visit that raised forget
    accuracy. step_back: after the last visit, go back towards the original's weights as far as the
    stop rule's target stays met; ours, for networks that forget long before they stop.
    teacher_moves_buffers: whether BatchNorm buffers also move as by a second forward pass, the
    teacher's, as they do in the official code.

    The defaults are ours, chosen on held-out training images of CIFAR-10 (leaderboards/TUNING.md
    says what was tried); the presets `paper` and `official` are the published settings.
    """

    name: ClassVar[str] = "suli"
    zero_steps: ClassVar[dict[str, Any]] = {"sweeps": 0, "instance_sweeps": None}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        **SelfUnlearner.search_space,
        "n_layers": (1, 2, 5, 10),
        "layer_size": (32, 128, 500),
        "instance_layers": (4, 16, 64),
        "teacher": ("current", "original"),
        "inner_steps": (1, 3, 10),
        "sweeps": (1, 3, 10),
        "renew_optimizer": (True, False),
        "roll_back": (False, True),
    }

    batch_norm: BatchNorm = "frozen"
    temperature: float = field(default=4.0, metadata=bounds(above=0))
    n_layers: int | None = field(default=2, metadata=bounds(at_least=1))
    layer_size: int | None = field(default=None, metadata=bounds(at_least=1))
    batch_size: int | None = field(default=256, metadata=bounds(at_least=1))
    teacher: Literal["current", "original"] = "original"
    inner_steps: int = field(default=1, metadata=bounds(at_least=1))
    sweeps: int = field(default=10, metadata=bounds(at_least=0))
    least_sweeps: int = field(default=10, metadata=bounds(at_least=0))
    instance_sweeps: int | None = field(default=30, metadata=bounds(at_least=0))
    instance_layers: int | None = field(default=16, metadata=bounds(at_least=1))
    renew_optimizer: bool = False
    roll_back: bool = False
    step_back: bool = field(default=False, metadata=added_later())
    teacher_moves_buffers: Literal["never", "always", "after_first_layer"] = "never"

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.n_layers is None) == (self.layer_size is None):
            raise ValueError(
                f"suli needs n_layers or layer_size, one of them, "
                f"got n_layers={self.n_layers} and layer_size={self.layer_size}"
            )

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        # One pass gives the entropies (line 3), the teacher's outputs and the first stop check.
        before = session.predict(model, session.forget)
        views = DistortedViews(self, model, session)
        stop = session.stop_rule(model, self.stop, before=before)
        original = snapshot(model) if self.step_back else None
        session.train(
            model,
            self._visits(
                self._layers(before, session), self._teacher(model, before, session), views, session
            ),
            self._optimizer,
            batch_norm=self.batch_norm,
            stop=stop,
            renew_optimizer=self.renew_optimizer,
            roll_back=self.roll_back,
        )
        if original is not None:
            session.notes["step_back"] = step_back(
                model, original, lambda: stop.met(session.predict(model, stop.images).accuracy())
            )
        return model

    def _layers(self, before: Predictions, session: Session) -> list[Tensor]:
        """Line 4."""
        n_layers, layer_size = self.n_layers, self.layer_size
        if session.scope == "instance-wise" and self.instance_layers is not None:
            n_layers, layer_size = self.instance_layers, None
        return entropy_layers(before.entropies(), n_layers=n_layers, layer_size=layer_size)

    def _visits(
        self,
        layers: list[Tensor],
        teacher: _OriginalTeacher | _CurrentTeacher,
        views: DistortedViews,
        session: Session,
    ) -> Iterator[Round]:
        """Lines 6 to 14, sweep after sweep."""
        sweeps = self.sweeps
        if session.scope == "instance-wise" and self.instance_sweeps is not None:
            sweeps = self.instance_sweeps
        for visit in range(sweeps * len(layers)):
            layer = visit % len(layers)
            batches = layers[layer].split(self.batch_size or len(session.forget))
            steps = [
                [teacher.term(positions, first_layer=visit == 0), *views.terms(positions)]
                for positions in batches
            ]
            late = session.scope == "instance-wise" or visit >= self.least_sweeps * len(layers)
            yield Round(steps * self.inner_steps, layer, may_stop=late)

    def _teacher(
        self, model: nn.Module, before: Predictions, session: Session
    ) -> _OriginalTeacher | _CurrentTeacher:
        if self.teacher == "original":
            return _OriginalTeacher(self, before, session)
        return _CurrentTeacher(self, model, session)

    @classmethod
    def preset_paper(cls, scope: Scope) -> Self:
        """Algorithm 1 with t = 2 layers, one sweep, no roll-back (section 4, settings).

        The paper's argmin is taken as ten Adam steps on fixed targets, the number of visits the
        official code gives a layer; learning rate and epsilon, in an appendix that was not
        published, are the official code's 1e-4 and 0.
        """
        return replace(cls._published(), n_layers=2, batch_size=500, inner_steps=10, sweeps=1)

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The settings of the official notebooks (Hongyi-Lyu-MQ/SULI at 09b9c6c).

        One step of a new Adam for each visit, up to 10 sweeps, the model its own teacher in
        training mode, so that BatchNorm buffers move twice a step. Class-wise: layers of 500,
        1e-4, roll-back. Instance-wise: layers of 32, 8e-5, the arg-max suppressed, no roll-back,
        the teacher a copy for the first layer.
        """
        shared = replace(
            cls._published(), n_layers=None, layer_size=500, batch_size=None, sweeps=10
        )
        if scope == "class-wise":
            return replace(shared, roll_back=True, teacher_moves_buffers="always")
        return replace(
            shared,
            layer_size=32,
            lr=8e-5,
            suppress="argmax",
            teacher_moves_buffers="after_first_layer",
        )

    @classmethod
    def _published(cls) -> Self:
        """What the paper and its code share: BatchNorm in training mode, the model its teacher."""
        return cls(
            batch_norm="update",
            temperature=1.0,
            teacher="current",
            least_sweeps=0,
            instance_sweeps=None,
            instance_layers=None,
            renew_optimizer=True,
        )


def entropy_layers(
    entropies: Tensor, *, n_layers: int | None = None, layer_size: int | None = None
) -> list[Tensor]:
    """Positions in descending entropy, cut into layers (section 3.3; Algorithm 1, line 4).

    entropies: (N,). Equal entropies keep their order. By count, layers differ by one sample at
    most; by size, the last is smaller. Every position is in exactly one layer; none is empty.
    """
    order = torch.argsort(entropies, descending=True, stable=True)
    if layer_size is not None:
        return list(order.split(layer_size))
    return list(order.tensor_split(min(n_layers or 1, len(order))))


class _OriginalTeacher:
    """Targets from the original model, computed once for all visits."""

    def __init__(self, suli: SelfUnlearner, before: Predictions, session: Session) -> None:
        self.suli, self.session = suli, session
        self.targets = suli._original_teacher(before, session)

    def term(self, positions: Tensor, *, first_layer: bool = False) -> Term:
        return Term(self.session.forget, positions, self._loss)

    def _loss(self, logits: Tensor, batch: Batch) -> Tensor:
        targets = self.targets[batch.positions.to(self.targets.device)]
        return self.suli._loss(targets, logits)


class DistortedViews:
    """The second term of a step: distorted copies, and what the original makes of them."""

    def __init__(self, method: SelfUnlearner, model: nn.Module, session: Session) -> None:
        self.method, self.session = method, session
        self.images = session.forget
        self.original: nn.Module | None = None
        if method.distorted_weight > 0 and session.scope == "class-wise":
            self.original = copy.deepcopy(model)
            self.images = session.forget.subset(torch.arange(len(session.forget)))
            self.images.augment = distorted

    def terms(self, positions: Tensor) -> list[Term]:
        """The term for these positions; none if its weight is 0."""
        if self.original is None:
            return []
        view = _View(self, self.original, len(positions))
        weight = self.method.distorted_weight
        return [Term(self.images, positions, view.loss, weight=weight, around=view.around)]


class _View:
    """One batch of distorted images; the original's outputs are made anew with each draw."""

    def __init__(self, views: DistortedViews, original: nn.Module, size: int) -> None:
        self.views, self.original, self.size = views, original, size

    @contextmanager
    def around(self, batch: Batch) -> Iterator[None]:
        session = self.views.session
        with evaluation_mode(self.original):
            logits = session.forward(self.original, batch)
        session.passes.forward["forget"] += self.size
        self.targets = self.views.method._targets(logits, batch.labels, session)
        yield

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        return self.views.method._loss(self.targets, logits)


class _CurrentTeacher:
    """Targets from the model itself, fixed at the first pass over a batch.

    Teacher and student are then the same function of the same batch, so one forward pass gives
    both; only a model that draws random numbers needs a pass for each.
    """

    def __init__(self, suli: SULI, model: nn.Module, session: Session) -> None:
        self.suli, self.model, self.session = suli, model, session
        probe = session.forget.batch(torch.tensor([0]), session.device)
        self.two_passes = draws_random_numbers(model, probe.images)

    def term(self, positions: Tensor, *, first_layer: bool) -> Term:
        moves = self.suli.teacher_moves_buffers
        visit = _Visit(
            self, len(positions), moves == "always" or (moves != "never" and not first_layer)
        )
        return Term(self.session.forget, positions, visit.loss, around=visit.around)


class _Visit:
    """One batch of one visit: its targets, once they are there."""

    def __init__(self, teacher: _CurrentTeacher, size: int, moves_buffers: bool) -> None:
        self.teacher, self.size, self.moves_buffers = teacher, size, moves_buffers
        self.targets: Tensor | None = None

    def around(self, batch: Batch) -> AbstractContextManager[None]:
        if self.targets is not None:
            return nullcontext()
        if self.teacher.two_passes:
            return self._teacher_pass(batch)
        return buffers_moved_twice(self.teacher.model) if self.moves_buffers else nullcontext()

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        if self.targets is None:
            self.targets = self._adjusted(logits.detach(), batch)
        return self.teacher.suli._loss(self.targets, logits)

    @contextmanager
    def _teacher_pass(self, batch: Batch) -> Iterator[None]:
        session, model = self.teacher.session, self.teacher.model
        with torch.no_grad(), nullcontext() if self.moves_buffers else buffers_kept(model):
            logits = session.forward(model, batch)
        session.passes.forward["forget"] += self.size
        self.targets = self._adjusted(logits, batch)
        yield

    def _adjusted(self, logits: Tensor, batch: Batch) -> Tensor:
        return self.teacher.suli._targets(logits, batch.labels, self.teacher.session)
