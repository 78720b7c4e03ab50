"""Load a split from a folder of Parquet or Arrow files, of `save_to_disk`, or of images."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_adapters.images.folder_layout import (
    ImageFiles,
    Layout,
    counted,
    image_layout,
    is_hidden,
    is_image,
    no_images,
    visible_files,
)
from benchmark_adapters.images.image_folder import image_dataset, union_of_classes
from benchmark_adapters.images.library_cache import cache_of, plainly_named
from benchmark_adapters.images.readme_configs import metadata_configs, readme_layout
from suli_plugin.failure import Failure

if TYPE_CHECKING:
    from datasets import Dataset

# Others are refused: some of the library's modules unpickle, or read what is not in the folder.
_MODULES = ("parquet", "arrow", "imagefolder")


@dataclass(frozen=True)
class LoadedSplit:
    """A split as it was found.

    config: None where there is only one. splits: the names of all. every: gives all of them.
    root: where its images are files, the folder that their paths are told from. notes: lines on
    what was left out, for a person.
    """

    dataset: Dataset
    config: str | None
    splits: tuple[str, ...]
    every: Callable[[], Mapping[str, Dataset]]
    root: Path | None = None
    notes: tuple[str, ...] = ()


def load_folder(
    folder: Path,
    *,
    config: str | None = None,
    split: str,
    name: str | None = None,
    class_folders: int | None = None,
) -> LoadedSplit:
    """The split of a folder in one of the known layouts.

    name: how messages call the folder. class_folders: of a folder of images, only the first so
    many folders of classes, in the order of their names; the others are not looked into.
    Raises ValueError, in one line, for a layout that is not known, an unknown config or split,
    and files that belong to no split; Failure for files that can't be read.
    """
    from datasets.exceptions import DatasetGenerationError, DatasetsError
    from pyarrow import ArrowException

    called = name or str(folder)
    try:
        if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
            return _from_saved(folder, split)
        if not metadata_configs(folder):
            first = class_folders and _first_class_folders(folder, split, class_folders)
            layout = first or image_layout(folder, split)
            if layout is not None:
                return _from_images(layout, split)
        return _from_files(folder, config, split)
    except (DatasetsError, ValueError, FileNotFoundError, RuntimeError) as error:
        damaged = isinstance(error, (Failure, DatasetGenerationError, ArrowException))
        raise (Failure if damaged else ValueError)(_one_line(called, error)) from error


def _from_saved(folder: Path, split: str) -> LoadedSplit:
    from datasets import DatasetDict, load_from_disk

    saved = load_from_disk(plainly_named(folder))
    if isinstance(saved, DatasetDict):
        return LoadedSplit(saved[_known(split, saved)], None, tuple(saved), lambda: saved)
    only = str(saved.split or "train")
    _known(split, [only])
    return LoadedSplit(saved, None, (only,), lambda: {only: saved})


def _from_files(folder: Path, config: str | None, split: str) -> LoadedSplit:
    from datasets import load_dataset_builder

    plain, described = plainly_named(folder), bool(metadata_configs(folder))
    builder = load_dataset_builder(str(plain), name=config, cache_dir=cache_of(folder))
    files = {str(key): [str(f) for f in found] for key, found in builder.config.data_files.items()}
    module = type(builder).__module__.rpartition(".")[2]
    _check_module(module)
    _check_files(plain, files, complete=not described)
    _known(split, files)
    used = builder.config.name if described else None
    if module == "imagefolder":
        _check_no_archives(f for of in files.values() for f in of)
        found = {name: [_linked(Path(f), plain, folder) for f in of] for name, of in files.items()}
        splits = readme_layout(folder, found, builder.config.name)
        layout = Layout(splits, no_images(visible_files(folder)))
        return _from_images(layout, split, used)
    builder.download_and_prepare()
    whole = builder.as_dataset()
    return LoadedSplit(whole[split], used, tuple(files), lambda: whole)


def _check_no_archives(files: Iterable[str]) -> None:
    for file in files:
        if file.endswith(".zip"):
            raise ValueError(
                f"{Path(file).name} is an archive: unpack it, images are read as files"
            )


def _linked(path: Path, plain: Path, folder: Path) -> Path:
    """Where a file is that was found in a folder of links."""
    return path if plain == folder else Path(os.readlink(path))


def _from_images(layout: Layout, split: str, config: str | None = None) -> LoadedSplit:
    files, names = layout.splits[_known(split, layout.splits)], union_of_classes(layout.splits)
    dataset, notes = image_dataset(files, names)
    return LoadedSplit(
        dataset,
        config,
        tuple(layout.splits),
        lambda: {name: image_dataset(of, names)[0] for name, of in layout.splits.items()},
        files.root,
        (*counted("left out", layout.left_out, "that can't be read as images"), *notes),
    )


def _first_class_folders(folder: Path, split: str, count: int) -> Layout | None:
    """The first folders with images, `SPLIT/CLASS` or else `CLASS`; None in another layout."""
    top = folder / split if (folder / split).is_dir() else folder
    inside = sorted(path for path in top.iterdir() if path.is_dir())
    with_images = (place for place in inside if any(_images(top, place.rglob("*"))))
    chosen = list(islice(with_images, count))
    if not chosen:
        return None
    images = sorted(path.as_posix() for place in chosen for path in _images(top, place.rglob("*")))
    return Layout({split: ImageFiles(top, tuple(images))})


def _images(folder: Path, paths: Iterable[Path]) -> Iterable[Path]:
    """Those of the paths that are visible images, as seen from the folder."""
    for path in paths:
        inside = path.relative_to(folder)
        if is_image(path.name) and not is_hidden(inside):
            yield inside


def _check_module(module: str) -> None:
    if module not in _MODULES:
        raise ValueError(
            f"the files would be read as {module}; expected Parquet or Arrow files, "
            f"a folder of save_to_disk, or folders of images"
        )


def _check_files(folder: Path, files: Mapping[str, list[str]], *, complete: bool) -> None:
    """All files lie in the folder and, where no README says which count, none is left out."""
    used = {Path(os.path.normpath(file)) for found in files.values() for file in found}
    top = Path(os.path.normpath(folder.resolve()))
    for file in sorted(used):
        if top not in file.parents:
            raise ValueError(f"its README names a file outside of the folder: {file}")
    suffixes = {file.suffix for file in used} - {".csv", ".jsonl", ".json", ".txt"}
    there = {path for suffix in suffixes for path in top.rglob(f"*{suffix}")}
    hidden = {path for path in there if is_hidden(path.relative_to(top))}
    dropped = sorted(path.relative_to(top) for path in there - used - hidden)
    if complete and dropped:
        some = ", ".join(map(str, dropped[:3])) + (", ..." if len(dropped) > 3 else "")
        raise ValueError(
            f"{len(dropped)} files belong to no split ({some}); name every split in README.md "
            f"(configs: data_files: split and path)"
        )


def _known(split: str, splits: Iterable[str]) -> str:
    if split not in list(splits):
        raise ValueError(f"there is no split {split!r}; the splits: {', '.join(map(str, splits))}")
    return split


def _one_line(called: str, error: Exception) -> str:
    """The library's message, and the cause that it hides, without line breaks."""
    cause = f" ({error.__cause__})" if error.__cause__ is not None else ""
    return " ".join(f"{called}: {error}{cause}".split())
