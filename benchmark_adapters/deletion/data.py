"""The data of a deletion request: what is forgotten, and what the outcome is measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmark_adapters.deletion.needed_images import NeededImages, conversion, needed_images
from benchmark_adapters.deletion.options import DataOptions
from benchmark_adapters.deletion.places import Place, SetName, find_places
from benchmark_adapters.images.base_data import BaseData
from benchmark_adapters.splits.copies import Duplicate, copies_of_forgotten
from benchmark_adapters.splits.split import Split
from suli_plugin.images import MEMORY_LIMIT, ImageSet, Kind

if TYPE_CHECKING:
    from accelerate import Accelerator

_KINDS: Mapping[SetName, Kind] = {"forget": "forget", "retain": "retain"}


@dataclass(frozen=True)
class DeletionData:
    """The sets of a request; `forget` is there, the others where they were asked for.

    places, images, hashes: by the set's name; a hash is SHA-256 over ids, labels and pixels, as a
    split's. forget_classes: empty for instance-wise. copies: exact copies of forgotten images
    among the other training samples, None if not looked for. split: the stored split used. notes:
    lines on how the data were read, for a person.
    """

    places: Mapping[SetName, Place]
    images: Mapping[SetName, ImageSet]
    hashes: Mapping[SetName, str]
    forget_classes: tuple[int, ...]
    copies: tuple[Duplicate, ...] | None
    split: Split | None = None
    notes: tuple[str, ...] = ()

    @property
    def base(self) -> BaseData:
        """The training data that the forget set is part of."""
        return self.places["forget"].base

    @property
    def forget(self) -> ImageSet:
        """The forget set."""
        return self.images["forget"]

    @property
    def retain(self) -> ImageSet | None:
        """The retain set."""
        return self.images.get("retain")

    @property
    def reference(self) -> ImageSet | None:
        """Labelled data never trained on, which decides when to stop."""
        return self.images.get("reference")

    @property
    def test(self) -> ImageSet | None:
        """Data never trained on, for scores only."""
        return self.images.get("test")

    @property
    def class_names(self) -> list[str]:
        """The names of the forgotten classes; their numbers where they have no name."""
        names = self.base.class_names
        return [names[label] if names else str(label) for label in self.forget_classes]


def load_deletion_data(
    options: DataOptions,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    accelerator: Accelerator | None = None,
) -> DeletionData:
    """Find what the options name, decode it once for the original, and hash it.

    mean, std: the original's; images are made gray or colour as the mean has channels. No image
    is decoded for a set but its own. Raises as `find_places` does, and ValueError for an image
    of a set that can't be decoded.
    """
    places = find_places(options, accelerator)
    readers = needed_images(places, options.image_size, mean, accelerator)
    notes = [note for reader in readers.values() for note in reader.base.notes]
    images, hashes = {}, {}
    for name, place in places.of.items():
        reader = readers[id(place.base)]
        images[name] = reader.image_set(place.rows, mean, std, _KINDS.get(name, "reference"))
        hashes[name], converted = reader.hash_of(place.rows)
        notes += [f"{converted} of the {len(place.rows)} {name} images {conversion(mean)}"] * bool(
            converted
        )
    forget = places.of["forget"]
    if places.split is not None:
        copies: tuple[Duplicate, ...] | None = places.split.duplicates
    else:
        copies, passed_over = _copies(forget, readers[id(forget.base)])
        notes += passed_over
    return DeletionData(
        places.of,
        images,
        hashes,
        places.forget_classes,
        copies,
        places.split,
        tuple(dict.fromkeys(notes)),
    )


def _copies(forget: Place, reader: NeededImages) -> tuple[tuple[Duplicate, ...] | None, list[str]]:
    """Copies of forgotten images among the rest of the training split, unless it is too large.

    And a line on the images that were passed over.
    """
    base, rest = forget.base, torch.ones(len(forget.base), dtype=torch.bool)
    rest[forget.rows] = False
    if reader.pixels([int(forget.rows[0])])[0].size * len(base) > MEMORY_LIMIT:
        return None, []
    unreadable: list[int] = []

    def read(numbers: list[int]) -> Sequence[np.ndarray[Any, Any] | None]:
        pixels = reader.what_can_be(numbers)
        unreadable.extend(row for row, image in zip(numbers, pixels, strict=True) if image is None)
        return pixels

    rows = torch.where(rest)[0]
    found = copies_of_forgotten({"forget": (base, read, forget.rows), "retain": (base, read, rows)})
    passed_over = [
        f"{len(unreadable)} images of split {base.split!r} can't be decoded, so they were not "
        f"compared with the forgotten ones, such as {base.ids[row]!r} in row {row}"
        for row in unreadable[:1]
    ]
    return tuple(found), passed_over
