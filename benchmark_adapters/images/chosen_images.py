"""Some images of a split, under labels that are told from elsewhere than its label column."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from benchmark_adapters.images.image_data import ImageData


@dataclass(frozen=True)
class ChosenImages(ImageData):
    """The images that were chosen, in the order they were chosen in.

    labels: int64 (N,), from 0. ids: one unique name a sample. class_names: by label. rows: where
    they stand in the split.
    """

    labels: Tensor
    ids: list[str]
    class_names: tuple[str, ...]
    rows: tuple[int, ...]

    def row_in_split(self, row: int) -> int:
        """See `ImageData.row_in_split`."""
        return self.rows[row]


def chosen(
    images: ImageData,
    rows: Sequence[int],
    labels: Tensor,
    ids: Sequence[str],
    class_names: Sequence[str],
) -> ChosenImages:
    """These rows of a split, each with its label (int64, as many) and its id."""
    shared = {item.name: getattr(images, item.name) for item in dataclasses.fields(ImageData)}
    shared["dataset"] = images.dataset.select(rows)
    return ChosenImages(
        **shared,
        labels=labels,
        ids=list(ids),
        class_names=tuple(class_names),
        rows=tuple(images.row_in_split(row) for row in rows),
    )
