"""What may be asked: scopes, resources, and `ForgetRequest`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from torch import nn
from torch.utils.data import Dataset

from suli_plugin.training_records import LastEpochs, Shards, TrainingLog

Scope = Literal["class-wise", "instance-wise"]
Resource = Literal[
    "forget",
    "retain",
    "reference",
    "fresh_model",
    "image_shape",
    "training_log",
    "last_epochs",
    "shards",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)
RESOURCES: tuple[Resource, ...] = get_args(Resource)
IMAGE_RESOURCES: tuple[Resource, ...] = ("forget", "retain", "reference")
TRAINING_RECORDS: tuple[Resource, ...] = ("training_log", "last_epochs", "shards")
"""What only the original's training can leave; a request brings functions that make it."""


def class_numbers(given: Iterable[int], name: str = "forget_classes") -> tuple[int, ...]:
    """Forgotten classes as sorted whole numbers, each once; NumPy's and torch's integers, too.

    name: of the argument, for messages.

    Raises TypeError for anything else, a lone number or a string among it.
    """
    try:
        return tuple(sorted({_whole_number(label) for label in given}))
    except TypeError:
        raise TypeError(
            f"{name} must be a sequence of whole numbers, such as (3,), got {given!r}"
        ) from None


def _whole_number(given: Any) -> int:
    if isinstance(given, bool):
        raise TypeError
    return operator.index(given)


@dataclass(frozen=True)
class ForgetRequest:
    """What must be forgotten, and what there is to do it with.

    forget, retain, reference: map-style datasets of `(image, label)`; an image is a tensor
        (C, H, W), float as the model takes it or uint8 (then divided by 255), or a PIL image or
        uint8 array (H, W, C); a label is an int in [0, outputs of the model).
        `ImageSet` adds normalisation and augmentation. `reference` is labelled data that was
        never trained on; it decides when to stop.
    fresh_model: makes an untrained twin of the original, initialised from the global seed.
    image_shape: (C, H, W) of what the model takes, for methods that make images and read none.
    training_log, last_epochs, shards: make or read what the original's training left, see
        `TrainingRecords`; `run` calls those that the method declares, before its clock starts.
    forget_classes: the forgotten classes; empty means instance-wise. They are the classes of the
        forget set's images, no more and no fewer, which `run` compares.
    forgotten_before: classes that the model was made to forget earlier. No target teaches them
        again; the retain and reference sets must be without them, which `run` checks.
    Raises TypeError for classes that are not a sequence of whole numbers, ValueError for an image
    shape that is not three numbers above 0.
    """

    forget: Dataset[Any] | None = None
    retain: Dataset[Any] | None = None
    reference: Dataset[Any] | None = None
    fresh_model: Callable[[], nn.Module] | None = None
    image_shape: tuple[int, int, int] | None = None
    training_log: Callable[[], TrainingLog] | None = None
    last_epochs: Callable[[], LastEpochs] | None = None
    shards: Callable[[int, int], Shards] | None = None
    forget_classes: tuple[int, ...] = ()
    forgotten_before: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("forget_classes", "forgotten_before"):
            object.__setattr__(self, name, class_numbers(getattr(self, name), name))
        if self.image_shape is not None:
            object.__setattr__(self, "image_shape", _shape(self.image_shape))

    @property
    def scope(self) -> Scope:
        """`class-wise` if forgotten classes are named, else `instance-wise`."""
        return "class-wise" if self.forget_classes else "instance-wise"

    def resource(self, name: Resource) -> Any:
        """The resource of that name, or None."""
        return getattr(self, name)


def _shape(given: Iterable[int]) -> tuple[int, ...]:
    shape = tuple(operator.index(size) for size in given)
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"image_shape must be (channels, height, width), got {shape}")
    return shape
