"""Erasus (PyPI `erasus`): our methods as its strategies.

    from benchmark_adapters.harnesses import erasus
    from erasus import ErasusUnlearner

    erasus.register()
    unlearner = ErasusUnlearner(model, strategy="suli", strategy_kwargs={"forget_classes": (3,)})
    result = unlearner.fit(forget_loader, retain_loader)

Names are those of SUPREME: `suli_official` for `suli@official`, and `_plugin` behind a name that
Erasus has itself. A strategy's arguments are the method's hyper-parameters, and
    forget_classes: the forgotten classes, none for instance-wise;
    reference: a loader of held-out data, which decides when to stop instance-wise;
    seed.
`fit`'s `epochs` is for its own strategies: ours have their own. Its coreset selection shortens the
forget set that a method gets.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from benchmark_adapters.harnesses.handed_over import (
    harness_request,
    harness_unlearner,
    unlearn_in_place,
)
from benchmark_adapters.harnesses.installed import ERASUS, harness_module
from benchmark_adapters.harnesses.translation import (
    accelerator_on,
    names_in_harness,
    our_labels,
    untrained_copy,
)
from suli_plugin.unlearner import ForgetRequest, class_numbers

OURS = ("forget_classes", "reference", "seed", "device")


def register() -> None:
    """Put every method and preset into Erasus' registry of strategies; once is enough."""
    strategies = _strategies()
    for name, label in names().items():
        if name not in strategies.list():
            strategies.register(name)(_strategy(label))


def names() -> dict[str, str]:
    """Our labels by their names in Erasus, which must be installed."""
    theirs = {
        name
        for name in _strategies().list()
        if not _strategies().get(name).__module__.startswith(__name__)
    }
    return names_in_harness(our_labels(), theirs.__contains__)


def _strategies() -> Any:
    # Its own strategies are there once this is imported.
    harness_module("erasus.strategies", ERASUS)
    return harness_module("erasus.core.registry", ERASUS).strategy_registry


def _strategy(label: str) -> type:
    base: Any = harness_module("erasus.core.base_strategy", ERASUS).BaseStrategy

    class Strategy(base):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.settings = {name: value for name, value in given.items() if name not in OURS}
            self.forget_classes = class_numbers(given.get("forget_classes", ()))
            self.reference, self.seed = given.get("reference"), given.get("seed", 0)
            scope = ForgetRequest(forget_classes=self.forget_classes).scope
            harness_unlearner(label, scope, self.settings)

        def unlearn(
            self,
            model: nn.Module,
            forget_loader: Any,
            retain_loader: Any = None,
            epochs: int = 5,
            **_: Any,
        ) -> tuple[nn.Module, list[float], list[float]]:
            """Unlearn the model in place; its losses are the rounds' of the forget set."""
            request = harness_request(
                forget=forget_loader,
                retain=retain_loader,
                reference=self.reference,
                fresh_model=lambda: untrained_copy(model),
                forget_classes=self.forget_classes,
            )
            unlearned = unlearn_in_place(
                label,
                model,
                request,
                settings=self.settings,
                accelerator=accelerator_on(next(model.parameters()).device),
                seed=self.seed,
            )
            losses = [each.loss for each in unlearned.history if each.loss is not None]
            return model, losses, []

    Strategy.__name__ = Strategy.__qualname__ = label
    Strategy.__module__ = __name__
    return Strategy
