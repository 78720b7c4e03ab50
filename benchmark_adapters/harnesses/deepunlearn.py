"""DeepUnlearn (xcadet/deepunlearn, run from its clone): our methods as its unlearners.

    python pipeline/step_5_unlearn.py unlearner=finetune \\
        unlearner._target_=benchmark_adapters.harnesses.deepunlearn.SULI +unlearner.preset=official

Every registered method is here under its class's name, made when it is first asked for. What its
configuration says of epochs, optimiser and batches is for its own methods; ours take
    preset: one of the method's presets;
    settings: hyper-parameters over it, `+unlearner.settings.lr=1e-4`;
    forget_classes: for class-wise unlearning, as its own forget sets are samples;
    seed.
Its interface is that of the NeurIPS 2023 challenge, so the loaders mean what they mean there, and
`val_loader` decides when to stop instance-wise.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import nn

from benchmark_adapters.harnesses.handed_over import harness_unlearner
from benchmark_adapters.harnesses.neurips2023 import unlearning_with
from benchmark_adapters.harnesses.translation import our_classes
from suli_plugin.unlearner import Scope, class_numbers


def __getattr__(name: str) -> type:
    """The unlearner of that class name."""
    if name.startswith("_") or name not in our_classes():
        raise AttributeError(f"module {__name__!r} has no class {name!r}")
    return _class(name)


@cache
def _class(name: str) -> type:
    method = our_classes()[name].name

    class Method:
        def __init__(
            self,
            cfg: Any,
            device: torch.device | str,
            writer: Any = None,
            save_steps: bool = False,
            should_evaluate: bool = False,
            *,
            preset: str | None = None,
            settings: Mapping[str, Any] | None = None,
            forget_classes: Sequence[int] = (),
            seed: int = 0,
        ) -> None:
            self.cfg, self.device = cfg, device
            # What its pipeline sets for methods that write as they go; ours do not.
            self.writer, self.save_steps = writer, save_steps
            self.should_evaluate = should_evaluate
            self.label = f"{method}@{preset}" if preset else method
            self.settings = dict(settings or {})
            self.forget_classes, self.seed = class_numbers(forget_classes), seed
            scope: Scope = "class-wise" if self.forget_classes else "instance-wise"
            harness_unlearner(self.label, scope, self.settings)

        def unlearn(
            self, model: nn.Module, retain_loader: Any, forget_loader: Any, val_loader: Any
        ) -> nn.Module:
            """Unlearn the model in place on its device, and return it in evaluation mode."""
            unlearning = unlearning_with(
                self.label,
                settings=self.settings,
                forget_classes=self.forget_classes,
                seed=self.seed,
            )
            return unlearning(model.to(self.device), retain_loader, forget_loader, val_loader)

        def __str__(self) -> str:
            return f"{self.label}: {self.settings}"

    Method.__name__ = Method.__qualname__ = name
    Method.__module__ = __name__
    Method.__doc__ = inspect.getdoc(our_classes()[name])
    return Method
