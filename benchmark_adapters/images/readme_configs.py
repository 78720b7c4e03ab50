"""The configs in the head of a dataset's README.md: which files each has for its splits."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from benchmark_adapters.images.folder_layout import (
    METADATA_FILES,
    README_FILES,
    ImageFiles,
    is_image,
)


def metadata_configs(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """The configs in the YAML head of README.md, by name; the library's own reading of it."""
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    readme = folder / "README.md"
    if not readme.is_file():
        return {}
    return MetadataConfigs.from_dataset_card_data(DatasetCard.load(readme).data)


def data_file_patterns(folder: Path, config: str | None, called: str) -> list[str] | None:
    """The files of a config as its README.md names them; None: the README doesn't say."""
    configs = metadata_configs(folder)
    if not configs:
        return None
    if config is None:
        config = next(
            (name for name, values in configs.items() if values.get("default")),
            "default" if "default" in configs else next(iter(configs)),
        )
    if config not in configs:
        known = ", ".join(configs)
        raise ValueError(f"{called}: there is no config {config!r}; the configs: {known}")
    named = configs[config].get("data_files")
    if named is None:
        return None
    patterns = [pattern for entry in _listed(named) for pattern in _paths(entry)]
    # A pattern may also be a folder's name.
    folders = [f"{pattern.rstrip('/')}/*" for pattern in patterns]
    return [*README_FILES, *patterns, *folders]


def readme_layout(
    folder: Path, files: Mapping[str, Sequence[Path]], config: str
) -> dict[str, ImageFiles]:
    """The files of images that a config has for each split, as the library found them.

    Class folders lie below the fixed part of the patterns that README.md has for a split.
    """
    told = metadata_configs(folder)[config].get("data_files")
    splits = {}
    for name, found in files.items():
        root = _root(folder.resolve(), name, told)
        inside = [path for path in found if root in path.parents]
        images = sorted(path.relative_to(root).as_posix() for path in inside if is_image(str(path)))
        about = tuple(path for path in inside if path.name in METADATA_FILES)
        splits[name] = ImageFiles(root, tuple(images), about)
    return splits


def _root(folder: Path, split: str, told: Any) -> Path:
    """The folder that the patterns for a split have in common; without any, the split's own."""
    if told is None:
        return folder / split if (folder / split).is_dir() else folder
    patterns = [
        pattern
        for entry in _listed(told)
        if not isinstance(entry, dict) or entry.get("split", split) == split
        for pattern in _paths(entry)
    ]
    return Path(os.path.commonpath([folder / _fixed(pattern) for pattern in patterns]))


def _fixed(pattern: str) -> str:
    """The folders at the beginning of a pattern that hold no wildcard."""
    parts = pattern.strip("/").split("/")
    fixed = takewhile(lambda part: not re.search(r"[*?\[{]", part), parts)
    return "/".join(part for part in fixed if not is_image(part))


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _paths(entry: Any) -> list[str]:
    return _listed(entry["path"]) if isinstance(entry, dict) else _listed(entry)
