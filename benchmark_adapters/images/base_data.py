"""One split of a labelled image dataset from the Hub or a folder, pinned to its commit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from benchmark_adapters.command_line.main_process import from_main, main_first
from benchmark_adapters.command_line.without_tokens import Token
from benchmark_adapters.hub.access import HubSource, parse_source
from benchmark_adapters.hub.snapshot import snapshot

if TYPE_CHECKING:
    from accelerate import Accelerator
    from datasets import Dataset

IMAGE_COLUMNS = ("img", "image", "images", "picture")
LABEL_COLUMNS = ("label", "labels", "fine_label", "target", "class")
_AT_ONCE = 1_000


@dataclass(frozen=True)
class ImageData:
    """The images of a split of a dataset, whatever their labels.

    dataset: a `datasets.Dataset` with its own features. source: `org/name`, or a folder's path.
    revision: the 40-hex commit, None for a folder. config: None where there is only one.
    splits: the names of all splits there are. image_column: an Image feature.
    """

    dataset: Dataset
    source: str
    revision: str | None
    config: str | None
    split: str
    splits: tuple[str, ...]
    image_column: str

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def pinned(self) -> str:
        """`org/name@commit`, or the folder."""
        return f"{self.source}@{self.revision}" if self.revision else self.source

    def encoded(self) -> Iterator[Any]:
        """The image column as Arrow chunks, a thousand rows after the other.

        A chunk is a struct array of `bytes` and `path`; see `encoded_bytes`.
        """
        rows = self.dataset.select_columns(self.image_column).with_format("arrow")
        for start in range(0, len(self), _AT_ONCE):
            yield from rows[start : start + _AT_ONCE].column(self.image_column).chunks


@dataclass(frozen=True)
class BaseData(ImageData):
    """A split of a base dataset, with the labels and ids that it has.

    label_column: ClassLabel or integers. id_column: a column of unique names, None for
    `SPLIT-ROW`.
    """

    label_column: str
    id_column: str | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes by label; empty if the dataset has none."""
        return tuple(getattr(self.dataset.features[self.label_column], "names", None) or ())

    @cached_property
    def labels(self) -> Tensor:
        """All labels, int64 (N,). Raises ValueError for samples without a label."""
        column = self._column(self.label_column)
        if column.null_count:
            raise ValueError(f"{self.pinned}: {column.null_count} samples have no label")
        labels = torch.tensor(column.to_numpy(), dtype=torch.int64)
        if len(labels) and int(labels.min()) < 0:
            raise ValueError(
                f"{self.pinned}: {int((labels < 0).sum())} samples of split {self.split!r} have "
                f"no label (-1, as unlabelled data has it)"
            )
        return labels

    @cached_property
    def ids(self) -> list[str]:
        """One stable name a sample. Raises ValueError if those of `id_column` are not unique."""
        if self.id_column is None:
            return [f"{self.split}-{row}" for row in range(len(self))]
        ids = [str(value) for value in self._column(self.id_column).to_pylist()]
        if len(set(ids)) < len(ids):
            raise ValueError(
                f"{self.pinned}: column {self.id_column!r} names only {len(set(ids))} of "
                f"{len(ids)} samples uniquely; leave id_column out to number them"
            )
        return ids

    def label_of(self, name: str | int) -> int:
        """The label of a class, given by its name or number.

        Raises ValueError naming the classes there are.
        """
        if str(name) in self.class_names:
            return self.class_names.index(str(name))
        present = sorted(set(self.labels.tolist()))
        if str(name).isdigit() and int(name) in present:
            return int(name)
        known = ", ".join(self.class_names) or f"{present[0]} to {present[-1]}"
        raise ValueError(f"{self.source} has no class {str(name)!r}; its classes: {known}")

    def _column(self, name: str) -> Any:
        return self.dataset.select_columns(name).with_format("arrow")[:].column(name)


def load_base(
    source: str | Path,
    *,
    config: str | None = None,
    split: str,
    image_column: str | None = None,
    label_column: str | None = None,
    id_column: str | None = None,
    class_folders: int | None = None,
    accelerator: Accelerator | None = None,
    token: Token = None,
) -> BaseData:
    """A split with its labels; see `load_images`.

    Raises ValueError for an unknown config, split or column, naming those there are; HubError
    where the repository can't be read.
    """
    images = load_images(
        source,
        config=config,
        split=split,
        image_column=image_column,
        class_folders=class_folders,
        accelerator=accelerator,
        token=token,
    )
    features, name = images.dataset.features, images.source
    return BaseData(
        **vars(images),
        label_column=_label_column(features, label_column, name),
        id_column=_id_column(features, id_column, name),
    )


def load_images(
    source: str | Path,
    *,
    config: str | None = None,
    split: str,
    image_column: str | None = None,
    class_folders: int | None = None,
    accelerator: Accelerator | None = None,
    token: Token = None,
) -> ImageData:
    """A split of `org/name[@revision]` or of a folder in one of the same layouts.

    Layouts: Parquet or Arrow files (with or without configs in README.md), `save_to_disk`, or an
    imagefolder whose split folders have any names. A branch or tag is resolved to its commit
    once. class_folders: of an imagefolder, look into no more than the first so many folders of
    classes. accelerator: of several processes only the main one downloads and writes.
    Raises ValueError for an unknown config, split or column, naming those there are; HubError
    where the repository can't be read.
    """
    from benchmark_adapters.images.dataset_folder import (
        README_FILES,
        data_file_patterns,
        load_folder,
    )

    place = parse_source(source)
    readme, revision = Path(), None
    if isinstance(place, HubSource):
        asked = place
        # Resolved here, and nowhere else: all that follows names the commit.
        readme, revision = from_main(
            accelerator, lambda: snapshot(asked, patterns=README_FILES, token=token)
        )

    def load(on_main: bool) -> tuple[Dataset, str | None, tuple[str, ...]]:
        if isinstance(place, Path):
            return load_folder(place, config=config, split=split, class_folders=class_folders)
        patterns = data_file_patterns(readme, config, str(place))
        pinned = HubSource(place.repository, revision)
        folder, _ = snapshot(pinned, patterns=patterns, local_only=not on_main, token=token)
        return load_folder(
            folder, config=config, split=split, name=str(place), class_folders=class_folders
        )

    dataset, used, splits = main_first(accelerator, load)
    name = place.repository if isinstance(place, HubSource) else str(place)
    return ImageData(
        dataset=dataset,
        source=name,
        revision=revision,
        config=used,
        split=split,
        splits=splits,
        image_column=_image_column(dataset.features, image_column, name),
    )


def _image_column(features: Any, asked: str | None, name: str) -> str:
    from datasets import Image

    found = [column for column, feature in features.items() if isinstance(feature, Image)]
    if asked is not None:
        if asked not in found:
            raise ValueError(f"{name} has no image column {asked!r}; {_described(features)}")
        return asked
    if len(found) == 1:
        return found[0]
    return _by_name(found, IMAGE_COLUMNS, "image", features, name)


def _label_column(features: Any, asked: str | None, name: str) -> str:
    from datasets import ClassLabel

    found = [
        column
        for column, feature in features.items()
        if isinstance(feature, ClassLabel) or str(getattr(feature, "dtype", "")).startswith("int")
    ]
    if asked is not None:
        if asked not in found:
            raise ValueError(
                f"{name} has no label column {asked!r} of class labels or integers; "
                f"{_described(features)}"
            )
        return asked
    classes = [column for column in found if isinstance(features[column], ClassLabel)]
    if len(classes) == 1:
        return classes[0]
    return _by_name(found, LABEL_COLUMNS, "label", features, name)


def _by_name(
    found: list[str], names: tuple[str, ...], what: str, features: Any, source: str
) -> str:
    for name in names:
        if name in found:
            return name
    raise ValueError(
        f"{source}: which column is the {what}? Pass {what}_column=; {_described(features)}"
    )


def _id_column(features: Any, asked: str | None, name: str) -> str | None:
    if asked is not None and asked not in features:
        raise ValueError(f"{name} has no column {asked!r} for ids; {_described(features)}")
    return asked


def _described(features: Any) -> str:
    from datasets import Value

    columns = (
        f"{name} ({feature.dtype if isinstance(feature, Value) else type(feature).__name__})"
        for name, feature in features.items()
    )
    return f"its columns: {', '.join(columns)}"
