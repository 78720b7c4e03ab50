"""Whether method, data and original fit each other, before anything is run."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from benchmark_adapters.deletion.class_order import outputs_by_name
from benchmark_adapters.deletion.data import DeletionData
from benchmark_adapters.originals.load import LoadedOriginal
from suli_plugin.failure import Failure
from suli_plugin.unlearner import RESOURCES, TRAINING_RECORDS, Resource, Scope, Unlearner

# Of the original itself, and of any image.
_ALWAYS: tuple[Resource, ...] = ("fresh_model", "image_shape")
_NO_TRAINING = "the original's training, which a published original does not bring"
_REMEDIES: Mapping[Resource, str] = {
    "retain": "pass --retain SPLIT",
    "reference": "pass --reference SPLIT, labelled data that was never trained on",
}


def check_method(unlearner: Unlearner, scope: Scope, data: DeletionData) -> None:
    """Raise ValueError if the method does not serve the scope, or needs what is not there."""
    _check_scope(unlearner, scope, data)
    _check_resources(unlearner, scope, data)


def check_data(original: LoadedOriginal, data: DeletionData) -> None:
    """Raise ValueError if images, labels or classes are not those that the original takes."""
    _check_forgotten_before(original, data)
    _check_images(original, data)
    _check_labels(original, data)
    _check_classes(original, data)


def _check_scope(unlearner: Unlearner, scope: Scope, data: DeletionData) -> None:
    if scope not in unlearner.needs:
        asked = {"class-wise": "--forget-class", "instance-wise": "--forget-ids or --forget-where"}[
            scope
        ]
        asked = "--requests" if data.steps else asked
        raise ValueError(
            f"{unlearner.name} supports {' and '.join(unlearner.needs)} unlearning, and "
            f"{asked} asks for {scope}; `suli methods` shows what each supports"
        )


def _check_resources(unlearner: Unlearner, scope: Scope, data: DeletionData) -> None:
    needed = unlearner.resources(scope)
    # First what no option of the command can change.
    if needed & set(TRAINING_RECORDS):
        raise ValueError(f"{unlearner.name} needs {_NO_TRAINING}; choose another method")
    for name in RESOURCES:
        there = name in _ALWAYS or name in data.images
        if name in needed and not there:
            remedy = _REMEDIES.get(name, "which this command can't give; choose another method")
            raise ValueError(f"{unlearner.name} needs {name!r} for {scope} unlearning: {remedy}")


def _check_forgotten_before(original: LoadedOriginal, data: DeletionData) -> None:
    if original.config.unlearning is not None and not data.before.requests:
        raise ValueError(
            f"{original.source} was made to forget something before: pass "
            f"before=forgotten_before(original) to load_deletion_data"
        )


def _check_images(original: LoadedOriginal, data: DeletionData) -> None:
    """Channels and size of the images, so that a misfit is said in the user's words."""
    first = data.forget.pixels(torch.tensor([0]), torch.device("cpu"))[0][0]
    channels, height, width = first.shape
    config = original.config
    if channels != len(config.mean):
        raise ValueError(
            f"the images of {data.base.source} have {channels} channel{'s' * (channels > 1)}, and "
            f"{original.source} takes {len(config.mean)}"
        )
    if config.input_size is not None and (height, width) != config.input_size[1:]:
        wanted = config.input_size
        resize = f"; pass --image-size {wanted[1]}" if wanted[1] == wanted[2] else ""
        raise ValueError(
            f"the images are {width}x{height}, and {original.source} takes "
            f"{wanted[2]}x{wanted[1]}{resize}"
        )


def _check_labels(original: LoadedOriginal, data: DeletionData) -> None:
    """Every label that is read has an output, whatever becomes of its sample."""
    outputs = original.config.num_classes
    for place in data.places.values():
        labels = place.base.labels
        outside = labels[labels >= outputs]
        if len(outside):
            counted = "; they seem to count from 1" * (int(labels.min()) == 1)
            raise Failure(
                f"split {place.base.split!r} of {place.base.source} holds label "
                f"{int(outside.max())}, and {original.source} has {outputs} outputs "
                f"(0 to {outputs - 1}){counted}: data and original do not belong together"
            )


def _check_classes(original: LoadedOriginal, data: DeletionData) -> None:
    there, outputs = data.base.class_names, original.config.num_classes
    if there and len(there) != outputs:
        raise ValueError(
            f"{data.base.source} has {len(there)} classes, and {original.source} has {outputs} "
            f"outputs, whose names nothing says: name them with --class-names, or they do not "
            f"belong together"
        )
    known = original.config.classes
    if known and there and there != known and max(outputs_by_name(there, known)) >= 0:
        raise ValueError(
            f"the classes of {data.base.source} are in another order than those of "
            f"{original.source}: load the data with classes=original.config.classes"
        )
    if len(data.forget_classes) >= outputs:
        raise ValueError("every class is forgotten: nothing would be left to predict")
