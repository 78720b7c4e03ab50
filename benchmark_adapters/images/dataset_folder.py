"""Load a split from a folder of Parquet or Arrow files, of `save_to_disk`, or of images."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from glob import escape
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset

# Others are refused: some of the library's modules unpickle, or read what is not in the folder.
_MODULES = ("parquet", "arrow", "imagefolder")
README_FILES = ("README.md", ".huggingface.yaml")
_SPLIT_NAME = re.compile(r"\w+(\.\w+)*")
Loaded = tuple["Dataset", str | None, tuple[str, ...]]


def load_folder(
    folder: Path,
    *,
    config: str | None = None,
    split: str,
    name: str | None = None,
    class_folders: int | None = None,
) -> Loaded:
    """The split as a `datasets.Dataset`, its config (None: only one) and all splits' names.

    name: how messages call the folder. class_folders: of an imagefolder, only the first so many
    folders of classes, in the order of their names; the others are not looked into.
    Raises ValueError, in one line, for a layout that is not known, an unknown config or split,
    and files that belong to no split.
    """
    from datasets.exceptions import DatasetsError

    called = name or str(folder)
    try:
        if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
            return _from_saved(folder, split, called)
        chosen = _first_class_folders(folder, split, class_folders)
        if chosen:
            return _from_class_folders(folder, chosen, split)
        return _from_files(folder, config, split, called)
    except (DatasetsError, ValueError, FileNotFoundError, RuntimeError) as error:
        raise ValueError(_one_line(called, error)) from error


def data_file_patterns(folder: Path, config: str | None, called: str) -> list[str] | None:
    """The files of a config as its README.md names them; None: the README doesn't say."""
    configs = _metadata_configs(folder)
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


def _from_saved(folder: Path, split: str, called: str) -> Loaded:
    from datasets import DatasetDict, load_from_disk

    saved = load_from_disk(folder)
    if isinstance(saved, DatasetDict):
        return saved[_known(split, saved, called)], None, tuple(saved)
    only = str(saved.split or "train")
    _known(split, [only], called)
    return saved, None, (only,)


def _from_files(folder: Path, config: str | None, split: str, called: str) -> Loaded:
    from datasets import load_dataset_builder

    image_splits = None if _metadata_configs(folder) else _image_splits(folder)
    if image_splits is not None:
        # Left to itself, the library would drop every folder not called train, test or the like.
        builder = load_dataset_builder(
            "imagefolder",
            data_dir=str(folder),
            data_files=image_splits,
            name=config,
            cache_dir=_cache_of(folder),
        )
    else:
        builder = load_dataset_builder(str(folder), name=config, cache_dir=_cache_of(folder))
    files = {str(key): [str(f) for f in found] for key, found in builder.config.data_files.items()}
    _check_module(type(builder).__module__.rpartition(".")[2])
    _check_files(folder, files, complete=not _metadata_configs(folder))
    _known(split, files, called)
    builder.download_and_prepare()
    used = builder.config.name if _metadata_configs(folder) else None
    return builder.as_dataset(split=split), used, tuple(files)


def _from_class_folders(folder: Path, chosen: list[Path], split: str) -> Loaded:
    from datasets import load_dataset_builder

    patterns = [f"{escape(place.relative_to(folder).as_posix())}/*" for place in chosen]
    builder = load_dataset_builder(
        "imagefolder",
        data_dir=str(folder),
        data_files={split: patterns},
        cache_dir=_cache_of(*chosen),
    )
    builder.download_and_prepare()
    return builder.as_dataset(split=split), None, (split,)


def _first_class_folders(folder: Path, split: str, count: int | None) -> list[Path]:
    """The first folders with images, `SPLIT/CLASS` or else `CLASS`; none in another layout."""
    if count is None or _metadata_configs(folder):
        return []
    top = folder / split if (folder / split).is_dir() else folder
    inside = sorted(path for path in top.iterdir() if path.is_dir())
    with_images = (place for place in inside if any(_images(top, place.glob("*"))))
    return list(islice(with_images, count))


def _cache_of(*folders: Path) -> str:
    """A cache folder of the library's that only these files have.

    Its own cache (datasets 5.2) takes two folders of one name, or one whose files have changed,
    for the same dataset where README.md has configs, and gives the data of the first.
    """
    from datasets import config

    digest = hashlib.sha256()
    for folder in folders:
        digest.update(str(folder).encode())
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                state = path.stat()
                digest.update(f"\0{path}\0{path.resolve()}\0{state.st_size}\0".encode())
                digest.update(str(state.st_mtime_ns).encode())
    return str(Path(config.HF_DATASETS_CACHE) / "suli-plugin" / digest.hexdigest()[:32])


def _image_splits(folder: Path) -> dict[str, str] | None:
    """The splits of an imagefolder, with patterns; None if the folder is not one.

    `SPLIT/CLASS/x.png` and `SPLIT/x.png` with a metadata file have splits; `CLASS/x.png` is one
    split, `train`.
    """
    images = sorted(_images(folder, folder.rglob("*")))
    if not images:
        return None
    tops = sorted({path.parts[0] for path in images if len(path.parts) > 1})
    has_splits = any(len(path.parts) > 2 for path in images) or any(
        any((folder / top).glob("metadata.*")) for top in tops
    )
    if not has_splits:
        return {"train": "**"}
    if any(len(path.parts) == 1 for path in images):
        stray = next(path for path in images if len(path.parts) == 1)
        raise ValueError(f"{stray} lies beside the split folders {', '.join(tops)}; move it in")
    for top in tops:
        if not _SPLIT_NAME.fullmatch(top):
            raise ValueError(
                f"the folder {top!r} can't be a split's name: use letters, digits and _ only"
            )
    return {top: f"{top}/**" for top in tops}


def _images(folder: Path, paths: Iterable[Path]) -> Iterable[Path]:
    """Those of the paths that are visible images, as seen from the folder."""
    from datasets.packaged_modules.imagefolder.imagefolder import ImageFolder

    suffixes = set(ImageFolder.EXTENSIONS)
    for path in paths:
        inside = path.relative_to(folder)
        if path.suffix.lower() in suffixes and not _is_hidden(inside):
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
    hidden = {path for path in there if _is_hidden(path.relative_to(top))}
    dropped = sorted(path.relative_to(top) for path in there - used - hidden)
    if complete and dropped:
        some = ", ".join(map(str, dropped[:3])) + (", ..." if len(dropped) > 3 else "")
        raise ValueError(
            f"{len(dropped)} files belong to no split ({some}); name every split in README.md "
            f"(configs: data_files: split and path)"
        )


def _is_hidden(path: Path) -> bool:
    return any(part.startswith((".", "__")) for part in path.parts)


def _known(split: str, splits: Iterable[str], called: str) -> str:
    if split not in list(splits):
        raise ValueError(f"there is no split {split!r}; the splits: {', '.join(map(str, splits))}")
    return split


def _metadata_configs(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """The configs in the YAML head of README.md, by name; the library's own reading of it."""
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    readme = folder / "README.md"
    if not readme.is_file():
        return {}
    return MetadataConfigs.from_dataset_card_data(DatasetCard.load(readme).data)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _paths(entry: Any) -> list[str]:
    return _listed(entry["path"]) if isinstance(entry, dict) else _listed(entry)


def _one_line(called: str, error: Exception) -> str:
    """The library's message, and the cause that it hides, without line breaks."""
    cause = f" ({error.__cause__})" if error.__cause__ is not None else ""
    return " ".join(f"{called}: {error}{cause}".split())
