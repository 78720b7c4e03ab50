"""The images of a folder as a dataset: each with its class folder and what metadata say of it."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_adapters.images.columns import LABEL_COLUMNS
from benchmark_adapters.images.folder_layout import ImageFiles, counted
from suli_plugin.failure import Failure

if TYPE_CHECKING:
    from datasets import Dataset

_NAME = "file_name"


def image_dataset(files: ImageFiles, class_names: Sequence[str]) -> tuple[Dataset, tuple[str, ...]]:
    """The images (column `image`, by path), and lines on what was not used.

    A column `label` has the place of each image's class folder in `class_names`, unless there are
    no such folders or the metadata have labels. Where there are metadata (`file_name` and other
    columns), the rows are theirs, in their order; else the images', in the order of their paths.
    Raises Failure, naming the file, for metadata that can't be read or name an image twice.
    """
    import pyarrow
    from datasets import ClassLabel, Dataset, Features, Image

    images, table, notes = _described(files)
    columns: dict[str, Any] = {"image": _by_path(files.root, images)}
    features = {"image": Image()}
    labelled = table is not None and any(name in table.column_names for name in LABEL_COLUMNS)
    of_image = dict(zip(files.images, files.classes(), strict=False))
    if of_image and class_names and not labelled:
        number = {name: label for label, name in enumerate(class_names)}
        columns["label"] = pyarrow.array([number[of_image[path]] for path in images])
        features["label"] = ClassLabel(names=list(class_names))
    if table is not None:
        more = Features.from_arrow_schema(table.schema)
        columns |= {name: table.column(name) for name in more if name not in columns}
        features |= {name: more[name] for name in more if name not in features}
    return Dataset.from_dict(columns, features=Features(features)), notes


def _by_path(root: Path, images: Sequence[str]) -> Any:
    """What an Image column stores: no bytes, and where the file is."""
    import pyarrow

    paths = pyarrow.array([f"{root}/{path}" for path in images], type=pyarrow.string())
    nothing = pyarrow.nulls(len(images), pyarrow.binary())
    return pyarrow.StructArray.from_arrays([nothing, paths], names=["bytes", "path"])


def _described(files: ImageFiles) -> tuple[list[str], Any, tuple[str, ...]]:
    """The images in the order of their metadata, the metadata without names, and notes."""
    import pyarrow

    if not files.metadata:
        return list(files.images), None, ()
    there = set(files.images)
    images: dict[str, int] = {}
    tables: list[Any] = []
    gone, before = [], 0
    for path in files.metadata:
        table = _read(path)
        for row, name in enumerate(_names(path, table, files.root)):
            if name in images:
                raise Failure(f"{path} names the image {name} twice")
            if name in there:
                images[name] = before + row
            elif not name.startswith("../"):
                gone.append(name)
        tables.append(table.drop_columns([_NAME]))
        before += len(table)
    whole = pyarrow.concat_tables(tables, promote_options="permissive")
    undescribed = sorted(there - set(images))
    notes = (
        *counted("left out", undescribed, "that no metadata describe"),
        *counted("not there", gone, "that the metadata describe"),
    )
    return list(images), whole.take(list(images.values())), notes


def _names(path: Path, table: Any, root: Path) -> list[str]:
    """The images that a metadata file names, as paths from the root of the split."""
    if _NAME not in table.column_names:
        raise Failure(f"{path} has no column {_NAME!r} of the images' paths")
    inside = f"{root.as_posix()}/"
    names = (str(name).replace("\\", "/") for name in table.column(_NAME).to_pylist())
    paths = (posixpath.normpath(posixpath.join(path.parent.as_posix(), name)) for name in names)
    # Of another split, where the file describes several.
    return [at.removeprefix(inside) if at.startswith(inside) else f"../{at}" for at in paths]


def _read(path: Path) -> Any:
    """A metadata file as an Arrow table."""
    from pyarrow import csv, json, parquet

    readers: dict[str, Callable[[Path], Any]] = {
        ".csv": csv.read_csv,
        ".jsonl": json.read_json,
        ".parquet": parquet.read_table,
    }
    try:
        return readers[path.suffix](path)
    except (ValueError, OSError) as error:
        raise Failure(f"{path} can't be read: {str(error).splitlines()[0]}") from error


def union_of_classes(splits: Mapping[str, ImageFiles]) -> tuple[str, ...]:
    """The class folders of all splits, sorted, so that labels mean the same in each of them."""
    return tuple(sorted({name for files in splits.values() for name in files.classes()}))
