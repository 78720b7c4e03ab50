"""torchunlearn (PyPI): our methods as its trainers.

    from benchmark_adapters.harnesses.torchunlearn import SULI
    SULI(rmodel, forget_classes=(3,)).fit({"Retain": ..., "Forget": ...}, reference=test_loader)

Every registered method is here under its class's name, made when it is first asked for. A trainer
takes hyper-parameters by name and a `preset`. `fit` runs our loop, so optimiser, epochs and
iterations of its own are not asked for, and changes the `RobModel` in place.

Release 0.1.0 lacks its own `trainers` folder (they were left out of the wheel) and does not
declare matplotlib, which it imports; its base class, which is all that we need, is there.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from benchmark_adapters.harnesses.handed_over import (
    harness_request,
    harness_unlearner,
    unlearn_in_place,
)
from benchmark_adapters.harnesses.installed import TORCHUNLEARN, harness_module
from benchmark_adapters.harnesses.translation import (
    accelerator_on,
    our_classes,
    untrained_copy,
)
from suli_plugin.unlearned import Unlearned
from suli_plugin.unlearner import ForgetRequest, Scope, class_numbers


def __getattr__(name: str) -> type:
    """The trainer of that class name."""
    if name.startswith("_") or name not in our_classes():
        raise AttributeError(f"module {__name__!r} has no class {name!r}")
    return _class(name)


@cache
def _class(name: str) -> type:
    base: Any = _unlearner_base()
    method = our_classes()[name].name

    class Method(base):
        def __init__(
            self,
            rmodel: Any,
            *,
            preset: str | None = None,
            forget_classes: Sequence[int] = (),
            seed: int = 0,
            **settings: Any,
        ) -> None:
            super().__init__(rmodel)
            self.label = f"{method}@{preset}" if preset else method
            self.forget_classes, self.seed = class_numbers(forget_classes), seed
            self.settings = settings
            scope: Scope = "class-wise" if self.forget_classes else "instance-wise"
            harness_unlearner(self.label, scope, settings)

        def setup(self, *_: Any, **__: Any) -> None:
            raise ValueError(
                f"{name} has its own optimiser; give hyper-parameters to {name}(rmodel, ...)"
            )

        def fit(self, train_loaders: Any, *, reference: Any = None) -> Unlearned:
            """Unlearn `rmodel` in place.

            train_loaders: the forget set's loader, `{"Retain": ..., "Forget": ...}`, or
            `MergedLoaders` of them. reference: a loader of held-out data, which decides when to
            stop instance-wise. Raises ValueError if the method needs what is not given.
            """
            return unlearn_in_place(
                self.label,
                self.rmodel,
                self._request(train_loaders, reference),
                settings=self.settings,
                accelerator=accelerator_on(next(self.rmodel.parameters()).device),
                seed=self.seed,
            )

        def _request(self, loaders: Any, reference: Any) -> ForgetRequest:
            parts: Mapping[str, Any] = getattr(loaders, "loaders", loaders)
            if not isinstance(parts, Mapping):
                parts = {"Forget": loaders}
            if "Forget" not in parts:
                raise ValueError(f"expected a loader under 'Forget', got {sorted(parts)}")
            return harness_request(
                forget=parts["Forget"],
                retain=parts.get("Retain"),
                reference=reference,
                fresh_model=lambda: untrained_copy(self.rmodel),
                forget_classes=self.forget_classes,
            )

    Method.__name__ = Method.__qualname__ = name
    Method.__module__ = __name__
    Method.__doc__ = inspect.getdoc(our_classes()[name])
    return Method


def _unlearner_base() -> type:
    """Its `Unlearner`, or in release 0.1.0 the `Trainer` that this is a subclass of."""
    found: type
    try:
        found = importlib.import_module("torchunlearn.unlearn.trainers.unlearner").Unlearner
    except ModuleNotFoundError:
        found = harness_module("torchunlearn.unlearn.trainer", TORCHUNLEARN).Trainer
    return found
