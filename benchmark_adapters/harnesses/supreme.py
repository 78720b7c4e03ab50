"""SUPREME (PyPI `supreme-unlearning`): every method and preset of ours as one of its methods.

SUPREME finds them by its entry points: the fixed names in `supreme.unlearning_methods`, and
everything else that our registry holds by `setup` in `supreme.plugins`. It passes no
hyper-parameters, so each preset has a name, `suli_official` for `suli@official`; a name that
SUPREME has itself gets `_plugin` behind it (`neg_grad_plugin`).

Its own `supreme-unlearn` refuses every entry-point method, because both of its `main` functions
read argparse's choices before the entry points are loaded. `suli supreme` loads them first.
Upstream, one line at the start of both would do: a call of `supreme.registry._load_entry_points`.
See README.md beside this file for the commands that were run.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable
from typing import Any

from torch import nn

from benchmark_adapters.harnesses.handed_over import harness_request, unlearn_in_place
from benchmark_adapters.harnesses.installed import SUPREME, harness_module
from benchmark_adapters.harnesses.translation import (
    accelerator_on,
    names_in_harness,
    our_labels,
)

PRECISIONS = {"32-true": "no", "bf16-mixed": "bf16", "16-mixed": "fp16"}
SUPREME_METHODS = ("supreme.methods.unlearning_methods", "supreme.methods.baselines")


def setup() -> None:
    """Register every method of our registry; what the entry point `supreme.plugins` calls."""
    supreme = harness_module("supreme", SUPREME)
    for name in names():
        supreme.register_unlearning_method(name, f"{__name__}:{name}")


def names() -> dict[str, str]:
    """Our labels by their names in SUPREME; SUPREME must be installed."""
    return names_in_harness(our_labels(), _is_supremes)


def __getattr__(name: str) -> Callable[..., nn.Module]:
    """The function that SUPREME calls for the method of that name."""
    if name.startswith("_") or name not in names():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def method(**given: Any) -> nn.Module:
        try:
            return unlearn(names()[name], **given)
        except (AttributeError, ModuleNotFoundError) as error:
            # SUPREME takes these two for a missing method, and goes on with the original.
            raise RuntimeError(f"{name} failed: {type(error).__name__}: {error}") from error

    return method


def unlearn(
    label: str,
    *,
    fabric: Any,
    model: nn.Module,
    model_name: str,
    num_labels: int,
    type_of_unlearning_strategy: str,
    forget_train_dataloader: Any,
    retain_train_dataloader: Any,
    test_dataloader: Any,
    forget_label_id: int | None = None,
    distributed_strategy_name: str = "ddp",
    **_: Any,
) -> nn.Module:
    """One method of ours in SUPREME's signature; returns the unlearned model, wrapped as it came.

    `fullclass` is class-wise. `subclass` and `random_` are instance-wise: a subclass shares its
    label with the rest of its superclass, which must stay. Then the reference set is SUPREME's
    test set, as it has no other held-out data: its test accuracy decides when to stop.
    """
    class_wise = type_of_unlearning_strategy == "fullclass" and forget_label_id is not None
    raw: nn.Module = getattr(model, "module", model)
    request = harness_request(
        forget=forget_train_dataloader,
        retain=retain_train_dataloader,
        reference=test_dataloader,
        fresh_model=lambda: _fresh_model(model_name, num_labels),
        forget_classes=(int(forget_label_id or 0),) if class_wise else (),
    )
    unlearned = unlearn_in_place(
        label, raw, request, accelerator=_accelerator(fabric), seed=_seed()
    )
    accuracy = unlearned.history[-1].forget_accuracy if unlearned.history else None
    fabric.print(
        f"{label}: {unlearned.stop_reason} after {len(unlearned.history)} rounds, "
        f"forget accuracy {accuracy}, {request.scope}, seed {unlearned.seed}"
    )
    # Under FSDP and DeepSpeed SUPREME takes a raw model, as it does from its own SSD.
    wrapped: nn.Module = fabric.setup(raw) if distributed_strategy_name == "ddp" else raw
    return wrapped


def _is_supremes(name: str) -> bool:
    if importlib.util.find_spec("supreme") is None:
        return False
    return any(importlib.util.find_spec(f"{folder}.{name}") for folder in SUPREME_METHODS)


def _fresh_model(model_name: str, num_labels: int) -> nn.Module:
    from supreme.registry import resolve_callable_location

    module, attribute = resolve_callable_location("model", model_name)
    fresh: nn.Module = getattr(importlib.import_module(module), attribute)(num_labels=num_labels)
    return fresh


def _accelerator(fabric: Any) -> Any:
    if fabric.world_size > 1:
        raise ValueError(
            f"SUPREME runs {fabric.world_size} processes; our methods need one there: "
            f"set CUDA_VISIBLE_DEVICES to one device"
        )
    precision = str(getattr(fabric._precision, "precision", None))
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision}")
    return accelerator_on(fabric.device, PRECISIONS[precision])


def _seed() -> int:
    # SUPREME passes no seed to a method; Lightning keeps its `-seed` here.
    return int(os.environ.get("PL_GLOBAL_SEED", "0"))
