"""What the adapters share: a harness's rows, loaders and outputs as requests of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import (
    DataLoader,
    Dataset,
    DistributedSampler,
    RandomSampler,
    SequentialSampler,
    Subset,
)

from suli_plugin.logits import logits_of
from suli_plugin.plugins import registry
from suli_plugin.twin import twin_of
from suli_plugin.unlearner import Unlearner

IMAGE_KEYS = ("pixel_values", "image", "img")
LABEL_KEYS = ("labels", "label", "age_group")
WHOLE_SET_SAMPLERS = (SequentialSampler, RandomSampler, DistributedSampler)


def image_and_label(row: Any) -> tuple[Any, Any]:
    """Image and label of a harness's row.

    A tuple's first and last element, `(image, label)` or SUPREME's `(image, fine label, label)`;
    of a dict `pixel_values`, `image` or `img`, and `labels`, `label` or `age_group` (Kaggle's
    unlearning challenge). Raises TypeError for anything else.
    """
    if isinstance(row, Mapping):
        image = next((row[key] for key in IMAGE_KEYS if key in row), None)
        label = next((row[key] for key in LABEL_KEYS if key in row), None)
        if image is not None and label is not None:
            return image, label
        raise TypeError(
            f"expected a row with one of {IMAGE_KEYS} and one of {LABEL_KEYS}, got {sorted(row)}"
        )
    if not isinstance(row, (tuple, list)) or len(row) < 2:
        raise TypeError(f"expected a row (image, ..., label) or a dict, got {type(row).__name__}")
    return row[0], row[-1]


class Pairs(Dataset[tuple[Any, Any]]):
    """A harness's map-style dataset as one of `(image, label)`."""

    def __init__(self, source: Any) -> None:
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, position: int) -> tuple[Any, Any]:
        return image_and_label(self.source[position])

    def __getitems__(self, positions: list[int]) -> list[tuple[Any, Any]]:
        """Many rows at once, where the harness's dataset can."""
        fetch = getattr(self.source, "__getitems__", None)
        rows = fetch(positions) if fetch else [self.source[position] for position in positions]
        return [image_and_label(row) for row in rows]


def dataset_of(source: Any) -> Pairs:
    """What a loader (or dataset) of a harness holds, in a fixed order and without `drop_last`.

    A loader that samples from a part of its dataset gives that part. Raises TypeError for a
    loader that weighs samples and for data without positions.
    """
    dataset = source.dataset if _is_loader(source) else source
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        raise TypeError(
            f"expected a DataLoader over a map-style dataset, or such a dataset, "
            f"got {type(source).__name__} over {type(dataset).__name__}"
        )
    sampler = source.sampler if _is_loader(source) else None
    if sampler is not None and not isinstance(sampler, WHOLE_SET_SAMPLERS):
        indices = getattr(sampler, "indices", None)
        if indices is None:
            raise TypeError(
                f"a loader with {type(sampler).__name__} does not say which samples it holds; "
                f"pass a loader over a torch.utils.data.Subset instead"
            )
        dataset = Subset(dataset, [int(index) for index in indices])
    return Pairs(dataset)


def harness_logits(output: Any) -> Tensor:
    """Logits (B, K): the last element of a tuple (ERASURE's `(features, logits)`), or `.logits`."""
    return logits_of(output[-1] if isinstance(output, (tuple, list)) else output)


def our_labels() -> list[str]:
    """Every label that a harness may use: all registered methods but the harnesses' own."""
    found = registry()
    return [label for label in found.labels() if not found.unlearners[label.partition("@")[0]].peer]


def our_classes() -> dict[str, type[Unlearner]]:
    """The same methods by the names of their classes."""
    classes = registry().unlearners.values()
    return {cls.__name__: cls for cls in classes if not cls.peer}


def untrained_copy(model: nn.Module) -> nn.Module:
    """The same architecture, every layer's `reset_parameters` called with the global seed.

    For harnesses that pass no way to make a model. Raises ValueError for a layer with parameters
    of its own that can't be reset.
    """
    fresh, _ = twin_of(model)
    for module in fresh.modules():
        reset = getattr(module, "reset_parameters", None)
        if reset is not None:
            reset()
        elif next(module.parameters(recurse=False), None) is not None:
            raise ValueError(
                f"{type(module).__name__} has no reset_parameters, so an untrained copy of the "
                f"model can't be made"
            )
    return fresh


def accelerator_on(device: torch.device | str, mixed_precision: str = "no") -> Accelerator:
    """An accelerator on the device that the harness chose.

    Raises ValueError where Accelerate, which the environment configures, chose another.
    """
    wanted = torch.device(device)
    accelerator = Accelerator(cpu=wanted.type == "cpu", mixed_precision=mixed_precision)
    chosen = accelerator.device
    if chosen.type != wanted.type or wanted.index not in (None, chosen.index):
        raise ValueError(
            f"the harness computes on {wanted}, Accelerate on {chosen}; "
            f"unset the ACCELERATE_* variables"
        )
    return accelerator


def names_in_harness(
    labels: Sequence[str], taken: Callable[[str], bool] = lambda name: False
) -> dict[str, str]:
    """A lower-case name for each label, `suli_official` for `suli@official`.

    A name that the harness has a method for already gets `_plugin` behind it, so that its own
    method stays reachable.
    """
    names: dict[str, str] = {}
    for label in labels:
        name = label.replace("@", "_").replace("-", "_")
        names[f"{name}_plugin" if taken(name) else name] = label
    return names


def _is_loader(source: Any) -> bool:
    # Lightning wraps a loader in a class of its own, with the loader's attributes.
    return isinstance(source, DataLoader) or (
        hasattr(source, "dataset") and hasattr(source, "sampler")
    )
