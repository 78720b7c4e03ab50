"""The signature of the NeurIPS 2023 unlearning challenge: `unlearning(net, retain, forget, val)`.

The starting kit (unlearning-challenge/starting-kit) asks for one such function:

    from benchmark_adapters.harnesses.neurips2023 import unlearning          # SULI
    unlearning = unlearning_with("su@official", settings={"epochs": 5})      # any other method

Its forget sets are samples, so this is instance-wise, and `val_loader` is the reference set: its
accuracy decides when to stop. Rows are tuples, or the dicts of Kaggle's version of the challenge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from benchmark_adapters.harnesses.handed_over import harness_request, unlearn_in_place
from benchmark_adapters.harnesses.translation import (
    accelerator_on,
    untrained_copy,
)
from suli_plugin.unlearner import class_numbers

Unlearning = Callable[[nn.Module, Any, Any, Any], nn.Module]


def unlearning_with(
    label: str,
    *,
    settings: Mapping[str, Any] | None = None,
    forget_classes: Sequence[int] = (),
    seed: int = 0,
) -> Unlearning:
    """A function of the challenge's signature for the method of that label.

    settings: hyper-parameters. forget_classes: for class-wise unlearning in the same signature.
    It changes `net` in place and returns it in evaluation mode, as the kit's own function does.
    A method that needs an untrained model gets the net's architecture with every layer's
    `reset_parameters` called, as the kit passes no other.
    """

    classes = class_numbers(forget_classes)

    def unlearning(
        net: nn.Module, retain_loader: Any, forget_loader: Any, val_loader: Any
    ) -> nn.Module:
        request = harness_request(
            forget=forget_loader,
            retain=retain_loader,
            reference=val_loader,
            fresh_model=lambda: untrained_copy(net),
            forget_classes=classes,
        )
        accelerator = accelerator_on(next(net.parameters()).device)
        unlearn_in_place(label, net, request, settings=settings, accelerator=accelerator, seed=seed)
        return net.eval()

    return unlearning


def unlearning(
    net: nn.Module, retain_loader: Any, forget_loader: Any, val_loader: Any
) -> nn.Module:
    """SULI with its default hyper-parameters; see `unlearning_with`."""
    return unlearning_with("suli")(net, retain_loader, forget_loader, val_loader)
