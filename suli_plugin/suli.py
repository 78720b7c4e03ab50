"""SULI, self-unlearning with layered iteration (Lyu et al., IJCAI 2025, Algorithm 1).

Where the paper and its official release differ, the presets `paper` and `official` do, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from typing_extensions import Self

from suli_plugin.evaluation import Predictions
from suli_plugin.hyperparameters import bounds
from suli_plugin.request import Scope
from suli_plugin.rounds import Round
from suli_plugin.self_unlearner import SelfUnlearner
from suli_plugin.session import Session
from suli_plugin.teachers import CurrentTeacher, OriginalTeacher


@dataclass(frozen=True, kw_only=True)
class SULI(SelfUnlearner):
    """Self-Unlearning with Layered Iteration (Algorithm 1).

    n_layers or layer_size: how the forget set, in descending entropy under the original, is cut
    into layers; give one, the other is None. batch_size: a larger layer takes several updates.
    teacher: whose outputs are adjusted, the `current` model's at the start of the visit
    (Algorithm 1, line 9) or the `original`'s (section 3.3). inner_steps: passes over a layer in
    one visit, with its targets fixed (line 13). sweeps: visits to every layer at most.

    Beyond Algorithm 1, of the official release: renew_optimizer: a new one for each visit.
    roll_back: undo a visit that raised forget accuracy over the last one's, but never the first.
    teacher_moves_buffers: whether BatchNorm buffers also move as by a second forward pass, the
    teacher's, as they do there.

    The defaults are the preset `paper`; the preset `official` has the release's settings.
    """

    name: ClassVar[str] = "suli"
    zero_steps: ClassVar[dict[str, int]] = {"sweeps": 0}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        **SelfUnlearner.search_space,
        "n_layers": (1, 2, 4, 16, 64),
        "layer_size": (32, 128, 500),
        "teacher": ("current", "original"),
        "inner_steps": (1, 3, 10),
        "sweeps": (1, 3, 10, 30),
        "renew_optimizer": (True, False),
        "roll_back": (False, True),
    }

    n_layers: int | None = field(default=2, metadata=bounds(at_least=1))
    layer_size: int | None = field(default=None, metadata=bounds(at_least=1))
    batch_size: int | None = field(default=500, metadata=bounds(at_least=1))
    teacher: Literal["current", "original"] = "current"
    inner_steps: int = field(default=10, metadata=bounds(at_least=1))
    sweeps: int = field(default=1, metadata=bounds(at_least=0))
    renew_optimizer: bool = True
    roll_back: bool = False
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
        layers = entropy_layers(  # line 4
            before.entropies(), n_layers=self.n_layers, layer_size=self.layer_size
        )
        stop = session.stop_rule(model, self.stop, before=before)
        session.train(
            model,
            self._visits(layers, self._teacher(model, before, session), len(session.forget)),
            self._optimizer,
            batch_norm=self.batch_norm,
            stop=stop,
            renew_optimizer=self.renew_optimizer,
            roll_back=self.roll_back,
        )
        return model  # line 15

    def _visits(
        self, layers: list[Tensor], teacher: OriginalTeacher | CurrentTeacher, samples: int
    ) -> Iterator[Round]:
        """Lines 6 to 14, sweep after sweep."""
        for visit in range(self.sweeps * len(layers)):
            layer = visit % len(layers)
            batches = layers[layer].split(self.batch_size or samples)
            steps = [[teacher.term(batch, first_layer=visit == 0)] for batch in batches]
            yield Round(steps * self.inner_steps, layer)

    def _teacher(
        self, model: nn.Module, before: Predictions, session: Session
    ) -> OriginalTeacher | CurrentTeacher:
        if self.teacher == "original":
            return OriginalTeacher(self, before, session)
        return CurrentTeacher(self, model, session, moves_buffers=self.teacher_moves_buffers)

    @classmethod
    def preset_paper(cls, scope: Scope) -> Self:
        """Algorithm 1 with t = 2 layers, one sweep, no roll-back (section 4, settings).

        The paper's argmin is taken as ten Adam steps on fixed targets, the number of visits the
        official code gives a layer; learning rate and epsilon, in an appendix that was not
        published, are the official code's 1e-4 and 0.
        """
        return cls()

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The settings of the official notebooks (Hongyi-Lyu-MQ/SULI at 09b9c6c).

        One step of a new Adam for each visit, up to 10 sweeps, the model its own teacher in
        training mode, so that BatchNorm buffers move twice a step. Class-wise: layers of 500,
        1e-4, roll-back. Instance-wise: layers of 32, 8e-5, the arg-max suppressed, no roll-back,
        the teacher a copy for the first layer. The stop rule is asked after each visit, never
        before the first.
        """
        class_wise = scope == "class-wise"
        return cls(
            stop="after_a_round",
            lr=1e-4 if class_wise else 8e-5,
            suppress="label" if class_wise else "argmax",
            n_layers=None,
            layer_size=500 if class_wise else 32,
            batch_size=None,
            inner_steps=1,
            sweeps=10,
            roll_back=class_wise,
            teacher_moves_buffers="always" if class_wise else "after_first_layer",
        )

    @classmethod
    def preset_tuned(cls, scope: Scope) -> Self:
        """Ours, not the paper's: chosen on held-out training images (leaderboards/TUNING.md).

        BatchNorm frozen, the original as teacher at temperature 4, one optimiser kept, one pass
        over a layer in a visit. Class-wise: two layers, ten sweeps whatever the forget accuracy.
        Instance-wise: sixteen layers, up to thirty sweeps.
        """
        class_wise = scope == "class-wise"
        return cls(
            stop="never" if class_wise else "at_or_below",
            batch_norm="frozen",
            temperature=4.0,
            n_layers=2 if class_wise else 16,
            batch_size=256,
            teacher="original",
            inner_steps=1,
            sweeps=10 if class_wise else 30,
            renew_optimizer=False,
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
