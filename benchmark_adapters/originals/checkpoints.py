"""A checkpoint folder of ours: model.safetensors and config.json."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.originals.weight_files import check_fit
from benchmark_adapters.originals.whole_folder import CONFIG as CONFIG
from benchmark_adapters.originals.whole_folder import whole_folder
from benchmark_adapters.preprocessing.preprocessing import Preprocessing
from suli_plugin.randomness import seeded

WEIGHTS = "model.safetensors"
FORMAT = "suli_checkpoint"
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
    """What one has to know to use some weights: the contents of config.json.

    architecture, options: as `build_architecture` takes them. mean, std: per channel, applied to
    pixels in [0, 1]. input_size: (C, H, W), where known. classes: their names, in the order of
    the outputs. license: an identifier, as on the Hub. training, unlearning: how the weights
    came about, JSON. preprocessing: of images of any size, where known. Raises ValueError for a
    field that does not fit.
    """

    architecture: str
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    input_size: tuple[int, int, int] | None = None
    classes: tuple[str, ...] | None = None
    license: str | None = None
    training: Any = None
    unlearning: Any = None
    preprocessing: Preprocessing | None = None

    def __post_init__(self) -> None:
        if isinstance(self.preprocessing, Mapping):
            fitted = Preprocessing.from_dict(self.preprocessing)
            object.__setattr__(self, "preprocessing", fitted)
        for name in ("mean", "std", "input_size", "classes"):
            value = getattr(self, name)
            object.__setattr__(self, name, tuple(value) if isinstance(value, list) else value)
        for name, (fits, wanted) in _fields(self).items():
            if not fits:
                got = repr(getattr(self, name))
                raise ValueError(f"{name} must be {wanted}, got {got[:80]}")
        try:
            json.dumps(dataclasses.asdict(self), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"options, training and unlearning must be JSON: {error}") from error

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> CheckpointConfig:
        """Read config.json; keys of others are left alone. Raises ValueError."""
        inside = document.get(FORMAT)
        if isinstance(inside, Mapping):
            around = {name: value for name, value in document.items() if name != FORMAT}
            document = {**inside, "options": {**inside.get("options", {}), "config": around}}
        if document.get(FORMAT) != VERSION:
            raise ValueError(
                f"{FORMAT} must be {VERSION}, got {document.get(FORMAT)!r}: "
                f"written by another version of suli-plugin"
            )
        names = [item.name for item in dataclasses.fields(cls)]
        missing = [name for name in names[:4] if name not in document]
        if missing:
            raise ValueError(f"it lacks {', '.join(missing)}")
        return cls(**{name: document[name] for name in names if name in document})

    def as_json(self) -> dict[str, Any]:
        """The document that `from_json` reads.

        That of a transformers model is its own configuration with ours inside, under one key, so
        that transformers loads the folder, too.
        """
        ours = {FORMAT: VERSION, **dataclasses.asdict(self)}
        if self.preprocessing is None:
            del ours["preprocessing"]
        theirs = self.options.get("config")
        known = isinstance(theirs, Mapping) and "model_type" in theirs
        if not known or not self.architecture.startswith("transformers/"):
            return ours
        ours["options"] = {name: of for name, of in self.options.items() if name != "config"}
        return {**self.options["config"], FORMAT: ours}

    def build(self) -> nn.Module:
        """An untrained model, initialised from the global random state."""
        return build_architecture(self.architecture, self.num_classes, **self.options)


def save_checkpoint(
    folder: str | os.PathLike[str],
    model: nn.Module,
    config: CheckpointConfig,
    *,
    force: bool = False,
) -> str:
    """Write a checkpoint that `load_original` reads back bit for bit; its weights' sha256.

    Raises ValueError if the folder exists (force: if what it holds is not a checkpoint), if the
    config does not describe the model, and if it cannot be written.
    """
    with whole_folder(folder, force=force) as unfinished:
        return write_checkpoint(unfinished, model, config)


def write_checkpoint(folder: Path, model: nn.Module, config: CheckpointConfig) -> str:
    """Write both files into a folder that is there; sha256 of the weights (see `whole_folder`)."""
    state = {
        # A copy each: safetensors refuses tensors that share memory.
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in model.state_dict().items()
    }
    with seeded(0, torch.device("cpu")):
        described = config.build()
    check_fit(described.state_dict(), state, f"{config.architecture} as its config describes it")
    text = json.dumps(config.as_json(), indent=1, allow_nan=False, ensure_ascii=False)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
    safetensors.torch.save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    # The library makes a file for its owner alone; this one is as the user's umask says.
    shutil.copymode(folder / CONFIG, folder / WEIGHTS)
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


def _fields(config: CheckpointConfig) -> dict[str, tuple[bool, str]]:
    """Whether each field fits, and what it must be."""
    classes, size = config.classes, config.input_size
    channels = len(config.mean) if isinstance(config.mean, tuple) else 0
    return {
        "architecture": (isinstance(config.architecture, str), "a name"),
        "num_classes": (_is_count(config.num_classes), "a whole number above 0"),
        "mean": (_are_numbers(config.mean), "numbers, one a channel"),
        "std": (
            _are_numbers(config.std) and len(config.std) == channels and min(config.std) > 0,
            "numbers above 0, as many as mean has",
        ),
        "options": (isinstance(config.options, Mapping), "options by name"),
        "input_size": (
            size is None
            or (
                isinstance(size, tuple)
                and len(size) == 3
                and all(map(_is_count, size))
                and size[0] == channels
            ),
            "(channels, height, width), with as many channels as mean has",
        ),
        "classes": (
            classes is None
            or (
                isinstance(classes, tuple)
                and len(classes) == config.num_classes
                and all(isinstance(name, str) for name in classes)
            ),
            f"{config.num_classes} names, one a class",
        ),
        "license": (config.license is None or isinstance(config.license, str), "an identifier"),
        "preprocessing": (
            config.preprocessing is None or isinstance(config.preprocessing, Preprocessing),
            "its fields by name",
        ),
    }


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _are_numbers(values: Any) -> bool:
    return (
        isinstance(values, tuple)
        and len(values) > 0
        and all(type(value) in (int, float) and math.isfinite(value) for value in values)
    )
