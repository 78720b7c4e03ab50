"""Whether a request fits its model and itself; said before anything is done."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from suli_plugin.batch_norm import evaluation_mode
from suli_plugin.evaluation import check_labels, device_images
from suli_plugin.images import ImageSet
from suli_plugin.request import IMAGE_RESOURCES
from suli_plugin.session import Session

SHOWN_CLASSES = 5


def check_fit(model: nn.Module, session: Session) -> None:
    """Try one image of each granted set, and compare the classes that were named with its own.

    Where a method makes images of a shape, and reads none, one blank image is tried.

    The labels of a set that is streamed are read for the forget set alone: retained data may be
    large, and reading it is as long as a round of training.
    Raises ValueError.
    """
    for name in IMAGE_RESOURCES:
        if name in session.granted:
            images = session.granted[name]
            outputs = _logits_of_first(model, images, session).shape[1]
            _check_range(session.forbidden_classes, outputs)
            labels = images.labels if name == "forget" else images.known_labels()
            if labels is None:
                labels = images.pixels(torch.tensor([0]), torch.device("cpu"))[1]
            check_labels(images, labels, outputs)
            _check_classes(session.forget_classes, images, labels)
            _check_forgotten_before(images, session)
    if "image_shape" in session.granted:
        _check_shape(model, session)


def check_twin(twin: nn.Module, model: nn.Module, session: Session) -> None:
    """Raise ValueError where a model that was constructed computes otherwise than its original."""
    device = next(model.parameters()).device
    for name in IMAGE_RESOURCES:
        if name in session.granted:
            images = session.granted[name]
            one, other = (_logits_of_first(net, images, session) for net in (twin, model))
            if not torch.allclose(one.to(device), other, rtol=1e-3, atol=1e-3):
                raise ValueError(
                    "the model can't be copied, and what fresh_model= makes computes something "
                    "else with the same weights: it must be made with the original's options"
                )


def _logits_of_first(model: nn.Module, images: ImageSet, session: Session) -> Tensor:
    device = next((of.device for of in model.parameters()), session.device)
    first = device_images(images, torch.tensor([0]), device, session.channels_last)
    try:
        with evaluation_mode(model):
            logits = session.logits_of(model(first))
    except (RuntimeError, IndexError) as error:
        raise ValueError(
            f"the model cannot take an image of the {images.kind} set, "
            f"shape {tuple(first.shape[1:])}: {str(error).splitlines()[0]}"
        ) from error
    if logits.dim() != 2:
        raise ValueError(
            f"expected logits (B, K), got shape {tuple(logits.shape)}; pass logits_of="
        )
    if not bool(logits.isfinite().all()):
        raise ValueError(f"the original model gives non-finite logits on the {images.kind} set")
    return logits


def _check_shape(model: nn.Module, session: Session) -> None:
    """Try one blank image where the method is to make images and reads none."""
    blank = ImageSet.of_tensors(torch.zeros((1, *session.image_shape)), torch.zeros(1))
    try:
        outputs = _logits_of_first(model, blank, session).shape[1]
    except ValueError as error:
        raise ValueError(f"image_shape does not fit: {error}") from error
    _check_range(session.forbidden_classes, outputs)


def _check_range(forgotten: tuple[int, ...], outputs: int) -> None:
    for label in forgotten:
        if not 0 <= label < outputs:
            raise ValueError(
                f"forgotten class {label} is out of range: "
                f"the model has {outputs} outputs (0 to {outputs - 1})"
            )
    if len(forgotten) >= outputs:
        raise ValueError("every class is forgotten: nothing would be left to predict")


def _check_classes(forgotten: tuple[int, ...], images: ImageSet, labels: Tensor) -> None:
    """Class-wise, the forget set holds the forgotten classes, all and only, and retain none."""
    present = set(labels.unique().tolist())
    if forgotten and images.kind == "forget" and present != set(forgotten):
        raise ValueError(
            f"the request contradicts itself: it names {_named(forgotten)} to be forgotten, but "
            f"the forget set holds images of {_named(present)}; name the classes of all its "
            f"images, or none, to forget them as samples"
        )
    left = present & set(forgotten)
    if images.kind == "retain" and left:
        raise ValueError(
            f"the request contradicts itself: it names {_named(forgotten)} to be forgotten, but "
            f"the retain set holds images of {_named(left)}; take them out of it"
        )


def _check_forgotten_before(images: ImageSet, session: Session) -> None:
    """It would be learnt again as retained data, and lower the accuracy of a reference."""
    earlier = sorted(set(session.forgotten_before) - set(session.forget_classes))
    if images.kind == "forget" or not earlier:
        return
    count = int(torch.isin(images.labels, torch.tensor(earlier)).sum())
    if count:
        raise ValueError(
            f"the {images.kind} set holds {count} images of {_named(earlier)}, forgotten earlier; "
            f"take them out of it"
        )


def _named(classes: Iterable[int]) -> str:
    numbers = sorted(classes)
    shown = ", ".join(map(str, numbers[:SHOWN_CLASSES]))
    more = f" and {len(numbers) - SHOWN_CLASSES} more" if len(numbers) > SHOWN_CLASSES else ""
    return f"class {shown}" if len(numbers) == 1 else f"classes {shown}{more}"
