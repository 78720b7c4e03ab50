"""One split of a labelled image dataset from the Hub or a folder, pinned to its commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from benchmark_adapters.command_line.main_process import from_main, main_first
from benchmark_adapters.command_line.without_tokens import Token
from benchmark_adapters.hub.access import HubSource, parse_source
from benchmark_adapters.hub.snapshot import snapshot
from benchmark_adapters.images import columns
from benchmark_adapters.images.folder_layout import README_FILES
from benchmark_adapters.images.image_data import ImageData
from benchmark_adapters.images.labels import chosen_column, class_names_of, label_named, numbered
from benchmark_adapters.images.readme_configs import data_file_patterns

if TYPE_CHECKING:
    from accelerate import Accelerator
    from datasets import Dataset

KindOfIds = Literal["column", "path", "row"]


@dataclass(frozen=True)
class BaseData(ImageData):
    """A split of a base dataset, with the labels and ids that it has.

    label_column: see `labels.numbered` for the kinds. id_column: a column of unique names. names:
    of the classes by label, where the column's feature does not have them. by_row: ids are
    SPLIT-ROW even where images are files. asked: who loads the data named the label column.
    """

    label_column: str
    id_column: str | None = None
    names: tuple[str, ...] | None = field(default=None, kw_only=True)
    by_row: bool = field(default=False, kw_only=True)
    asked: bool = field(default=False, kw_only=True)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes by label; empty if the dataset has none."""
        if self.names is not None:
            return self.names
        return tuple(getattr(self.dataset.features[self.label_column], "names", None) or ())

    @cached_property
    def labels(self) -> Tensor:
        """All labels, int64 (N,).

        Raises ValueError for samples without a label, Failure if no one asked for the column.
        """
        what = f"{self.pinned}, split {self.split!r}, column {self.label_column!r}"
        with chosen_column(asked=self.asked):
            return numbered(self.column(self.label_column), self.class_names, what)

    @property
    def kind_of_ids(self) -> KindOfIds:
        """Whether ids are values of a column, paths of files, or rows of the split."""
        if self.id_column is not None:
            return "column"
        return "row" if self.root is None or self.by_row else "path"

    @cached_property
    def ids(self) -> list[str]:
        """One name a sample: of `id_column`, its path below `root`, or else SPLIT-ROW.

        Raises ValueError if those of `id_column` are not unique.
        """
        if self.kind_of_ids == "row":
            return [f"{self.split}-{row}" for row in range(len(self))]
        if self.id_column is None:
            return list(self.file_paths or ())
        ids = [str(value) for value in self.column(self.id_column).to_pylist()]
        if len(set(ids)) < len(ids):
            raise ValueError(
                f"{self.pinned}: column {self.id_column!r} names only {len(set(ids))} of "
                f"{len(ids)} samples uniquely; leave --id-column out"
            )
        return ids

    def label_of(self, name: str | int) -> int:
        """The label of a class; see `labels.label_named`."""
        return label_named(name, self.class_names, lambda: self.labels, self.source)


def load_base(
    source: str | Path,
    *,
    config: str | None = None,
    split: str,
    image_column: str | None = None,
    label_column: str | None = None,
    id_column: str | None = None,
    by_row: bool = False,
    class_folders: int | None = None,
    accelerator: Accelerator | None = None,
    token: Token = None,
) -> BaseData:
    """A split with its labels; see `load_images`. by_row: see `BaseData`.

    Raises ValueError for an unknown config, split or column, naming those there are; Failure for
    data or a repository that can't be read.
    """
    images, every = _loaded(source, config, split, image_column, class_folders, accelerator, token)
    features, name = images.dataset.features, images.source
    labels = columns.label_column(features, label_column, name)

    def of_every_split() -> Iterator[Any]:
        return (columns.values_of(dataset, labels) for dataset in every().values())

    asked = label_column is not None
    with chosen_column(asked=asked):
        names = class_names_of(features[labels], of_every_split, f"{name}, column {labels!r}")
    shared = {item.name: getattr(images, item.name) for item in fields(ImageData)}
    shared["notes"] = (*images.notes, *columns.other_labels(features, labels))
    return BaseData(
        **shared,
        label_column=labels,
        id_column=columns.id_column(features, id_column, name),
        names=names,
        by_row=by_row,
        asked=asked,
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

    Layouts: Parquet or Arrow files (with or without configs in README.md), `save_to_disk`, or
    folders of images (see `folder_layout.image_layout`). A branch or tag is resolved to its commit
    once. class_folders: of a folder of images, look into no more than the first so many folders of
    classes. accelerator: of several processes only the main one downloads and writes.
    Raises ValueError for an unknown config, split or column, naming those there are; Failure for
    data or a repository that can't be read.
    """
    return _loaded(source, config, split, image_column, class_folders, accelerator, token)[0]


def _loaded(
    source: str | Path,
    config: str | None,
    split: str,
    image_column: str | None,
    class_folders: int | None,
    accelerator: Accelerator | None,
    token: Token,
) -> tuple[ImageData, Callable[[], Mapping[str, Dataset]]]:
    """The images, and what gives the datasets of all splits."""
    from benchmark_adapters.images.dataset_folder import LoadedSplit, load_folder

    place = parse_source(source)
    readme, revision = Path(), None
    if isinstance(place, HubSource):
        asked = place
        # Resolved here, and nowhere else: all that follows names the commit.
        readme, revision = from_main(
            accelerator, lambda: snapshot(asked, patterns=README_FILES, token=token)
        )

    def load(on_main: bool) -> LoadedSplit:
        if isinstance(place, Path):
            return load_folder(place, config=config, split=split, class_folders=class_folders)
        patterns = data_file_patterns(readme, config, str(place))
        pinned = HubSource(place.repository, revision)
        folder, _ = snapshot(pinned, patterns=patterns, local_only=not on_main, token=token)
        return load_folder(
            folder, config=config, split=split, name=str(place), class_folders=class_folders
        )

    loaded = main_first(accelerator, load)
    name = place.repository if isinstance(place, HubSource) else str(place)
    images = ImageData(
        dataset=loaded.dataset,
        source=name,
        revision=revision,
        config=loaded.config,
        split=split,
        splits=loaded.splits,
        image_column=columns.image_column(loaded.dataset.features, image_column, name),
        root=loaded.root,
        notes=loaded.notes,
    )
    return images, loaded.every
