"""ERASURE (aiim-research/ERASURE, run from its clone): our methods as classes of its configuration.

    {"class": "benchmark_adapters.harnesses.erasure.SULI", "parameters": {"lr": 0.0001}}

Every registered method is here under its class's name (`SULI`, `SU`, `NegGrad`, ...), made when it
is first asked for. Parameters are the method's hyper-parameters, and
    preset: one of the method's presets, whose values the others override;
    forget, retain, reference: names of partitions (default `forget` and `retain`, and `reference`
        where there is such a partition, else `test`: held-out data that decides when to stop);
    forget_classes: default the labels of the `DataSplitterClass` that made the forget partition,
        none (instance-wise) if another splitter made it.
`configs/` beside this file holds examples; README.md the commands that were run. ERASURE
must be the working directory, as for itself:

    cd ERASURE && python main.py /path/to/configuration.jsonc
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

from torch import nn

from benchmark_adapters.harnesses.handed_over import (
    harness_request,
    harness_unlearner,
    unlearn_in_place,
)
from benchmark_adapters.harnesses.installed import ERASURE, harness_module
from benchmark_adapters.harnesses.translation import (
    accelerator_on,
    harness_logits,
    our_classes,
)
from suli_plugin.runner import check
from suli_plugin.unlearner import ForgetRequest, Scope, class_numbers

OURS = ("preset", "forget", "retain", "reference", "forget_classes")


def __getattr__(name: str) -> type:
    """The ERASURE unlearner of that class name."""
    if name.startswith("_") or name not in our_classes():
        raise AttributeError(
            f"module {__name__!r} has no class {name!r}; it has: {', '.join(our_classes())}"
            if not name.startswith("_")
            else name
        )
    return _class(name)


@cache
def _class(name: str) -> type:
    """A subclass of ERASURE's own, which exists only where ERASURE does."""
    base: Any = harness_module("erasure.core.unlearner", ERASURE).Unlearner
    method = our_classes()[name].name

    class Method(base):
        def init(self) -> None:
            """Check everything before the first model is unlearned; a later error is swallowed."""
            self.forget_classes = _forget_classes(self.params, self.dataset)
            check(
                harness_unlearner(self._label(), self._scope(), self._settings()),
                self.predictor.model,
                self._request(),
                accelerator=accelerator_on(self.device),
                logits_of=harness_logits,
            )

        def __unlearn__(self) -> Any:
            unlearned = unlearn_in_place(
                self._label(),
                self.predictor.model,
                self._request(),
                settings=self._settings(),
                accelerator=accelerator_on(self.device),
                seed=int(self.global_ctx.config.globals["seed"]),
            )
            self.info(f"{self._label()}: {unlearned.stop_reason}, {self._scope()}")
            return self.predictor

        def _label(self) -> str:
            preset = self.params.get("preset")
            return f"{method}@{preset}" if preset else method

        def _scope(self) -> Scope:
            return "class-wise" if self.forget_classes else "instance-wise"

        def _settings(self) -> dict[str, Any]:
            return {name: value for name, value in self.params.items() if name not in OURS}

        def _request(self) -> ForgetRequest:
            held_out = "reference" if "reference" in self.dataset.partitions else "test"
            return harness_request(
                forget=self._images("forget", "forget"),
                retain=self._images("retain", "retain"),
                reference=self._images("reference", held_out),
                fresh_model=lambda: _fresh_model(self.predictor),
                forget_classes=self.forget_classes,
            )

        def _images(self, ours: str, theirs: str) -> Any:
            partition = self.params.get(ours, theirs)
            if partition not in self.dataset.partitions:
                return None
            # Without drop_last=False a forget set below one batch would be empty.
            return self.dataset.get_loader_for(partition, drop_last=False)[0]

    Method.__name__ = Method.__qualname__ = name
    Method.__module__ = __name__
    Method.__doc__ = inspect.getdoc(our_classes()[name])
    return Method


def _forget_classes(parameters: dict[str, Any], dataset: Any) -> tuple[int, ...]:
    """The parameter, or the labels that made the forget partition."""
    if "forget_classes" in parameters:
        return class_numbers(parameters["forget_classes"])
    name = parameters.get("forget", "forget")
    if name not in dataset.partitions:
        known = ", ".join(dataset.partitions)
        raise ValueError(f"there is no partition {name!r} to forget; partitions: {known}")
    for splitter in dataset.params["partitions"]:
        made = splitter["parameters"]
        if splitter["class"].endswith(".DataSplitterClass") and made["parts_names"][0] == name:
            return tuple(int(label) for label in made["labels"])
    return ()


def _fresh_model(predictor: Any) -> nn.Module:
    from erasure.core.factory_base import get_class

    model = predictor.local_config["parameters"]["model"]
    fresh: nn.Module = get_class(model["class"])(**model["parameters"])
    return fresh
