"""From a request to a session: what a method is given, and what is refused before it begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accelerate import Accelerator
from torch import nn

from suli_plugin.failure import DoesNotApply
from suli_plugin.fit import check_fit, check_twin
from suli_plugin.images import ImageSet, as_image_set
from suli_plugin.logits import LogitsOf
from suli_plugin.request import (
    IMAGE_RESOURCES,
    RESOURCES,
    TRAINING_RECORDS,
    ForgetRequest,
    Resource,
)
from suli_plugin.session import Session
from suli_plugin.twin import twin_of
from suli_plugin.unlearner import Unlearner


def session_for(
    unlearner: Unlearner,
    request: ForgetRequest,
    accelerator: Accelerator,
    seed: int,
    logits_of: LogitsOf,
    channels_last: bool | None,
) -> Session:
    """The session of a request, before anything but records of the training is granted.

    Raises ValueError for a scope, a precision or a missing resource that the method can't take,
    DoesNotApply where the original's training is missing.
    """
    _refuse_half_precision_on_cpu(accelerator)
    declared = _declared(unlearner, request)
    return Session(
        accelerator=accelerator,
        seed=seed,
        logits_of=logits_of,
        channels_last=channels_last if channels_last is not None else _is_bf16(accelerator),
        method=unlearner.name,
        scope=request.scope,
        forget_classes=request.forget_classes,
        forgotten_before=request.forgotten_before,
        construct=request.fresh_model,
        granted=_records(unlearner, request, declared),
    )


def begun(
    unlearner: Unlearner,
    model: nn.Module,
    request: ForgetRequest,
    session: Session,
    memory_limit: int,
) -> nn.Module:
    """A twin of the model, once everything that can be refused beforehand was looked at."""
    twin, copied = twin_of(model, request.fresh_model)
    twin = session.on_device(twin)
    session.granted |= _granted(request, _declared(unlearner, request), session, memory_limit)
    check_fit(twin, session)
    if not copied:
        check_twin(twin, model, session)
    unlearner.check(session)
    return twin


def _refuse_half_precision_on_cpu(accelerator: Accelerator) -> None:
    if accelerator.mixed_precision == "fp16" and accelerator.device.type == "cpu":
        raise ValueError("fp16 on a CPU silently computes in fp32; use bf16 or no mixed precision")


def _is_bf16(accelerator: Accelerator) -> bool:
    return accelerator.mixed_precision == "bf16"


def _declared(unlearner: Unlearner, request: ForgetRequest) -> frozenset[Resource]:
    """The resources the method declares for this scope, all of which the request must bring."""
    if request.scope not in unlearner.needs:
        supported = " and ".join(unlearner.needs)
        raise ValueError(f"{unlearner.name} supports {supported} unlearning, not {request.scope}")
    needs = unlearner.resources(request.scope)
    for name in RESOURCES:
        if name in needs and request.resource(name) is None:
            what, error = "", ValueError
            if name in TRAINING_RECORDS:
                what, error = "the original's training, ", DoesNotApply
            raise error(
                f"{unlearner.name} needs {what}{name!r} for {request.scope} unlearning; "
                f"pass ForgetRequest({name}=...)"
            )
    return needs


def _records(
    unlearner: Unlearner, request: ForgetRequest, resources: frozenset[Resource]
) -> dict[Resource, Any]:
    """What the original's training left of what the method declares."""
    made: dict[Resource, Any] = {}
    for name in TRAINING_RECORDS:
        if name in resources:
            try:
                made[name] = unlearner.record(name, request.resource(name))
            except DoesNotApply as error:
                raise DoesNotApply(f"{unlearner.name} needs {error}") from error
    return made


def _granted(
    request: ForgetRequest,
    resources: frozenset[Resource],
    session: Session,
    memory_limit: int,
) -> dict[Resource, Any]:
    """What the method may touch; whatever it did not declare is not even looked at."""
    granted: dict[Resource, Any] = {}
    for name in resources - set(TRAINING_RECORDS):
        granted[name] = request.resource(name)
        if name == "fresh_model":
            granted[name] = _fresh_models(granted[name], session)
        elif name in IMAGE_RESOURCES:
            images = as_image_set(granted[name], memory_limit)
            granted[name] = _not_empty(images.of_kind(name))  # type: ignore[arg-type]  # kinds are names of resources
    return granted


def _not_empty(images: ImageSet) -> ImageSet:
    if len(images) == 0:
        reason = {
            "forget": "there is nothing to forget",
            "retain": "the forget set would be everything",
        }
        why = reason.get(images.kind, "there is nothing to decide by when to stop")
        raise ValueError(f"the {images.kind} set is empty: {why}")
    return images


def _fresh_models(make: Callable[[], nn.Module], session: Session) -> Callable[[], nn.Module]:
    return lambda: session.on_device(make())
