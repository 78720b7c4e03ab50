"""The audit of a case with all controls and cheats beside it, and Retrains that nobody has seen."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from accelerate import Accelerator
from cheats import CHEATS, Cheat
from torch import nn

from benchmark_adapters.audit.case_audit import LIKE, CaseAudit
from benchmark_adapters.audit.judge import HELD_OUT, Judged, judge
from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.audit.observe import observe
from benchmark_adapters.baselines.retrain import Retrain
from suli_plugin import run
from suli_plugin.benchmark import Case
from suli_plugin.plugins import load_plugins
from suli_plugin.randomness import seeded

REGISTRY = load_plugins(strict=True)
CPU = torch.device("cpu")
YARDSTICK = 5


def controls(scope: str) -> list[str]:
    """All that are registered for the scope."""
    known = REGISTRY.unlearners.items()
    return [name for name, cls in known if cls.control and scope in cls.needs]


@dataclass(frozen=True)
class Auditor:
    """Trains, cheats and looks. recipe: the original's. settings: of the controls, by label.

    trains: on what Retrains are trained; everything is scored in float32.
    """

    case: Case
    recipe: Retrain
    settings: Mapping[str, Mapping[str, Any]]
    seed: int = 0
    trains: Accelerator | None = None

    def audit(self, *, cheats: Mapping[str, Cheat] = CHEATS, fresh: int = 0) -> CaseAudit:
        """Of all controls, the cheats, and so many Retrains more, named `fresh 1` and so on."""
        first = YARDSTICK + 1
        names = controls(self.case.request.scope)
        models = {
            "original": self.seen(self.case.original),
            HELD_OUT: self.retrained(0),
            **{name: self.unlearned(name) for name in names},
            **{name: self.cheated(cheat) for name, cheat in cheats.items()},
            **{f"fresh {n + 1}": self.retrained(first + n) for n in range(fresh)},
        }
        yardstick = [self.retrained(repeat) for repeat in range(1, first)]
        classes = self.case.forget_classes
        return judge(Judged(yardstick, models, frozenset(names), classes, self.seed))

    def seen(self, model: nn.Module) -> Observation:
        case = self.case
        sets = {"forget": case.forget, "retain": case.scored_retain, "test": case.test}
        return observe(model, sets, case.forget_classes, Accelerator(cpu=True))

    def retrained(self, repeat: int) -> Observation:
        made = run(
            replace(self.recipe, repeat=repeat), self.case.original, self.case.request,
            accelerator=self.trains, seed=self.seed,
        )  # fmt: skip
        return self.seen(made.model)

    def unlearned(self, label: str) -> Observation:
        request = self.case.request
        method = REGISTRY.unlearner(label, request.scope, self.settings.get(label, {}))
        return self.seen(run(method, self.case.original, request, seed=self.seed).model)

    def cheated(self, cheat: Cheat) -> Observation:
        with seeded(self.seed, CPU):
            return self.seen(cheat(copy.deepcopy(self.case.original), self.case))


def decided(audit: CaseAudit, label: str) -> Iterator[tuple[str, bool]]:
    """The tests with power, and whether each says that the model differs from Retrain."""
    for test in audit.tests:
        if test.has_power and label in test.verdicts:
            yield test.name, test.verdicts[label] != LIKE


def telling(audit: CaseAudit, label: str) -> list[str]:
    """The tests of forgetting with power that say that the model differs."""
    asked = {test.name for test in audit.tests if test.asks_of_forgetting}
    return [name for name, differs in decided(audit, label) if differs and name in asked]
