"""What the folders of an image dataset are: splits, classes or neither, and what is left out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

README_FILES = ("README.md", ".huggingface.yaml")
METADATA_FILES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
ONLY_SPLIT = "train"
_SPLIT_NAME = re.compile(r"\w+(\.\w+)*")


@dataclass(frozen=True)
class ImageFiles:
    """The files of one split.

    root: the folder that its classes' folders lie in, or its images. images: their paths from
    there, ascending. metadata: the files that describe images, for all splits perhaps.
    """

    root: Path
    images: tuple[str, ...]
    metadata: tuple[Path, ...] = ()

    def classes(self) -> tuple[str, ...]:
        """The folder below the root of each image, whatever lies deeper; none for flat images.

        Raises ValueError where some images lie in such folders and others do not.
        """
        inside = [path for path in self.images if "/" in path]
        flat = [path for path in self.images if "/" not in path]
        if inside and flat and not self.metadata:
            raise ValueError(
                f"{self.root.name}/{flat[0]} lies beside the class folders, such as "
                f"{inside[0].partition('/')[0]}; move it into the folder of its class"
            )
        return () if flat else tuple(path.partition("/")[0] for path in inside)


@dataclass(frozen=True)
class Layout:
    """The splits of a folder of images by name, and the files that are no images."""

    splits: dict[str, ImageFiles]
    left_out: tuple[str, ...] = ()


def image_layout(folder: Path, wanted: str) -> Layout | None:
    """The splits of a folder of images; None if there are no images in it.

    `SPLIT/CLASS/.../x.png` and `SPLIT/x.png` with a metadata file have splits, of any name where
    `wanted` is one of them; `CLASS/.../x.png` is one split, `train`. Raises ValueError, naming
    the file, for images that fit no such rule.
    """
    files = visible_files(folder)
    images = [path for path in files if is_image(path)]
    if not images:
        return None
    metadata = [path for path in files if Path(path).name in METADATA_FILES]
    left_out = no_images(files)
    tops = _splits(images, metadata, wanted)
    if tops is None:
        _check_depths(images, metadata)
        only = ImageFiles(folder, tuple(images), tuple(folder / path for path in metadata))
        return Layout({ONLY_SPLIT: only}, left_out)
    _check_tops(images, tops)
    return Layout({top: _below(folder, top, images, metadata) for top in tops}, left_out)


def visible_files(folder: Path) -> list[str]:
    """The paths of all files from the folder, with slashes, ascending; none that is hidden."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir())
    return sorted(path.as_posix() for path in found if not is_hidden(path))


def is_image(path: str) -> bool:
    """Whether a file's name is that of an image."""
    return os.path.splitext(path)[1].lower() in _suffixes()


def no_images(files: Iterable[str]) -> tuple[str, ...]:
    """Those of the files that are neither images nor say anything about them."""
    known = (*METADATA_FILES, *README_FILES)
    return tuple(path for path in files if not is_image(path) and Path(path).name not in known)


def is_hidden(path: Path) -> bool:
    """Whether the library, too, passes over it."""
    return any(part.startswith((".", "__")) for part in path.parts)


def counted(what: str, files: Sequence[str], why: str) -> tuple[str, ...]:
    """A line on files that are not used, counted and named; none where there are none."""
    if not files:
        return ()
    some = ", ".join(files[:5]) + (", ..." if len(files) > 5 else "")
    return (f"{what}: {len(files)} file{'s' * (len(files) > 1)} {why} ({some})",)


@lru_cache(maxsize=1)
def _suffixes() -> frozenset[str]:
    from datasets.packaged_modules.imagefolder.imagefolder import ImageFolder

    return frozenset(ImageFolder.EXTENSIONS)


def _splits(images: Iterable[str], metadata: Iterable[str], wanted: str) -> list[str] | None:
    """The top folders if they are splits, None if they are classes."""
    inside = [path.split("/") for path in images if "/" in path]
    tops = sorted({parts[0] for parts in inside})
    deep = {parts[0] for parts in inside if len(parts) > 2}
    described = {path.split("/")[0] for path in metadata if path.count("/") == 1}
    known = {top for top in tops if top.lower() in _split_words()}
    splits = (
        bool(described & set(tops))
        or bool(known and (known & deep or known == set(tops)))
        or bool(deep and (wanted in tops or wanted != ONLY_SPLIT))
    )
    return tops if splits else None


def _split_words() -> set[str]:
    from datasets.data_files import SPLIT_KEYWORDS

    return {word for words in SPLIT_KEYWORDS.values() for word in words}


def _check_tops(images: Iterable[str], tops: Sequence[str]) -> None:
    for path in images:
        if "/" not in path:
            raise ValueError(f"{path} lies beside the split folders {', '.join(tops)}; move it in")
    for top in tops:
        if not _SPLIT_NAME.fullmatch(top):
            raise ValueError(
                f"the folder {top!r} can't be a split's name: use letters, digits and _ only"
            )


def _check_depths(images: Sequence[str], metadata: Sequence[str]) -> None:
    """Of folders that are classes: none of them is a wrapping, and no image lies beside them."""
    tops = {path.partition("/")[0] for path in images if "/" in path}
    for path in images:
        parts = path.split("/")
        if len(tops) == 1 and len(parts) > 2 and parts[1].lower() in _split_words():
            raise ValueError(
                f"{path}: the split folder {parts[1]!r} lies deeper than expected; give the "
                f"folder {parts[0]!r} as the dataset"
            )
        if len(parts) == 1 and tops and not metadata:
            raise ValueError(
                f"{path} lies beside the class folders {', '.join(sorted(tops))}; move it into "
                f"the folder of its class"
            )


def _below(folder: Path, top: str, images: Iterable[str], metadata: Iterable[str]) -> ImageFiles:
    own = (path.removeprefix(f"{top}/") for path in images if path.startswith(f"{top}/"))
    about = (path for path in metadata if path.startswith(f"{top}/") or "/" not in path)
    return ImageFiles(folder / top, tuple(own), tuple(folder / path for path in about))
