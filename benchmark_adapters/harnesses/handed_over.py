"""What a harness hands over as a request of ours, and the methods run on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from accelerate import Accelerator
from torch import nn
from torch.utils.data import Subset

from benchmark_adapters.harnesses.translation import Pairs, dataset_of, harness_logits
from suli_plugin.images import as_image_set
from suli_plugin.plugins import registry
from suli_plugin.runner import run
from suli_plugin.unlearned import Unlearned
from suli_plugin.unlearner import TRAINING_RECORDS, ForgetRequest, Scope, Unlearner


def harness_request(
    *,
    forget: Any,
    retain: Any = None,
    reference: Any = None,
    fresh_model: Callable[[], nn.Module],
    forget_classes: tuple[int, ...] = (),
) -> ForgetRequest:
    """The request of a harness's loaders or datasets; None for a set that it does not have.

    The shape of images, for methods that make some, is the first forget image's.
    """
    images = dataset_of(forget)
    return ForgetRequest(
        forget=images,
        retain=None if retain is None else dataset_of(retain),
        reference=None if reference is None else dataset_of(reference),
        fresh_model=fresh_model,
        image_shape=_shape(images),
        forget_classes=forget_classes,
    )


def harness_unlearner(
    label: str, scope: Scope, settings: Mapping[str, Any] | None = None
) -> Unlearner:
    """The unlearner of a label. settings: hyper-parameters over the label's.

    Raises ValueError for an unknown label or hyper-parameter, and for a method that needs records
    of the original's training, which no harness keeps.
    """
    unlearner = registry().unlearner(label, scope, settings)
    wanted = sorted(set(TRAINING_RECORDS) & set(unlearner.needs.get(scope, ())))
    if wanted:
        raise ValueError(
            f"{label} needs {' and '.join(wanted)}, which the original's training leaves and a "
            f"harness does not hand over; run it in a benchmark of `suli bench list`"
        )
    return unlearner


def unlearn_in_place(
    label: str,
    model: nn.Module,
    request: ForgetRequest,
    *,
    settings: Mapping[str, Any] | None = None,
    accelerator: Accelerator,
    seed: int,
) -> Unlearned:
    """Run the method of that label by our own runner, and load the result into `model`.

    The harness's model object stays, and with it whatever refers to it: its optimiser, wrapper
    and hooks. settings: hyper-parameters over the label's. Raises ValueError or TypeError for an
    unknown label or hyper-parameter, or a request that the method can't serve.
    """
    unlearned = run(
        harness_unlearner(label, request.scope, settings),
        model,
        request,
        accelerator=accelerator,
        seed=seed,
        logits_of=harness_logits,
    )
    try:
        model.load_state_dict(unlearned.model.state_dict())
    except RuntimeError as error:
        raise ValueError(f"{label} returned a model of another architecture") from error
    return unlearned


def _shape(images: Pairs) -> tuple[int, int, int] | None:
    # None leaves it to `run` to say that there is nothing to forget.
    return as_image_set(Subset(images, [0])).image_shape if len(images) else None
