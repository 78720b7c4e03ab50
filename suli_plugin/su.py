"""SU, self-unlearning: SULI's one-pass form (Lyu et al., IJCAI 2025, section 3.3, last part)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import nn
from typing_extensions import Self

from suli_plugin.hyperparameters import bounds
from suli_plugin.request import Scope
from suli_plugin.rounds import Round
from suli_plugin.self_unlearner import SelfUnlearner
from suli_plugin.session import Session
from suli_plugin.teachers import OriginalTeacher


@dataclass(frozen=True, kw_only=True)
class SU(SelfUnlearner):
    """Self-Unlearning: fine-tune on the original's adjusted outputs.

    The defaults are the preset `paper`; the preset `official` has the release's settings.
    """

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
        teacher = OriginalTeacher(self, before, session)
        rounds = (
            Round([[teacher.term(positions)] for positions in batches])
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
        Adam 6e-5, temperature 1, up to 30 epochs, the teacher's arg-max suppressed. The stop
        rule is asked after each epoch, never before the first.
        """
        if scope == "class-wise":
            return cls(temperature=4.0, stop="after_a_round")
        return cls(lr=6e-5, epochs=30, suppress="argmax", stop="after_a_round")
