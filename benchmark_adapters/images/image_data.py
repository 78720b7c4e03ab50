"""The images of one split of a dataset, whatever their labels: where they are, and their bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_adapters.images import columns

if TYPE_CHECKING:
    from datasets import Dataset

_AT_ONCE = 1_000


@dataclass(frozen=True)
class ImageData:
    """The images of a split of a dataset, whatever their labels.

    dataset: a `datasets.Dataset` with its own features. source: `org/name`, or a folder's path.
    revision: the 40-hex commit, None for a folder. config: None where there is only one.
    splits: the names of all splits there are. image_column: an Image feature. root: where images
    are files, the folder that their paths are told from. notes: lines on how the data were read
    and what was left out, for a person.
    """

    dataset: Dataset
    source: str
    revision: str | None
    config: str | None
    split: str
    splits: tuple[str, ...]
    image_column: str
    root: Path | None = field(default=None, kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)

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

    def row_in_split(self, row: int) -> int:
        """Where a row stands in the split, for messages."""
        return row

    def column(self, name: str) -> Any:
        """The values of a column, in Arrow's chunks."""
        return columns.values_of(self.dataset, name)

    @cached_property
    def file_paths(self) -> list[str] | None:
        """Where the file of each image lies below `root`; None where images are no files."""
        if self.root is None:
            return None
        inside = f"{self.root}/"
        return [
            path.removeprefix(inside)
            for chunk in self.encoded()
            for path in chunk.field("path").to_pylist()
        ]
