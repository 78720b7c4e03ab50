"""The data of a deletion request: what is forgotten, and what the outcome is measured on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from benchmark_adapters.deletion.class_order import OrderedData, said_of_order
from benchmark_adapters.deletion.copies import copies_in_splits
from benchmark_adapters.deletion.earlier_sets import set_apart
from benchmark_adapters.deletion.forgotten_before import NOTHING, ForgottenBefore
from benchmark_adapters.deletion.needed_images import NeededImages, conversion, needed_images
from benchmark_adapters.deletion.options import DataOptions
from benchmark_adapters.deletion.places import Place, Places, SetName, find_places
from benchmark_adapters.deletion.requests_file import ListedRequest
from benchmark_adapters.deletion.steps import Step, steps_of
from benchmark_adapters.images.base_data import BaseData
from benchmark_adapters.preprocessing.preprocessing import Preprocessing
from benchmark_adapters.splits.copies import Duplicate
from benchmark_adapters.splits.split import Split
from suli_plugin.images import ImageSet, Kind

if TYPE_CHECKING:
    from accelerate import Accelerator

T = TypeVar("T")
_KINDS: Mapping[SetName, Kind] = {"forget": "forget", "retain": "retain"}


@dataclass(frozen=True)
class DeletionData:
    """The sets of a request; `forget` is there, the others where they were asked for.

    places, images, hashes: by the set's name; a hash is SHA-256 over ids, labels and pixels, as a
    split's, with labels in the original's order. forget_classes: outputs of the original, empty
    for instance-wise. copies: exact copies of forgotten images in all splits that were read, None
    if not looked for in all. split: the stored split used. notes: lines on how the data were
    read, for a person. before: what the original was made to forget earlier; it is in sets of its
    own. steps: the requests that share the forget set, where they are several.
    """

    places: Mapping[SetName, Place]
    images: Mapping[SetName, ImageSet]
    hashes: Mapping[SetName, str]
    forget_classes: tuple[int, ...]
    copies: tuple[Duplicate, ...] | None
    split: Split | None = None
    notes: tuple[str, ...] = ()
    before: ForgottenBefore = NOTHING
    steps: tuple[Step, ...] = ()

    @property
    def base(self) -> BaseData:
        """The training data that the forget set is part of."""
        return self.places["forget"].base

    @property
    def class_order(self) -> dict[str, int] | None:
        """The output of each class of the data, by its own name, where names decided; else None."""
        return self.base.order or None if isinstance(self.base, OrderedData) else None

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

    def without(self, names: Collection[str]) -> DeletionData:
        """The same without these sets."""

        def rest(of: Mapping[SetName, T]) -> dict[SetName, T]:
            return {name: value for name, value in of.items() if name not in names}

        return replace(
            self, places=rest(self.places), images=rest(self.images), hashes=rest(self.hashes)
        )

    @property
    def class_names(self) -> list[str]:
        """The names of the forgotten classes; their numbers where they have no name."""
        return [self.name_of(label) for label in self.forget_classes]

    def name_of(self, label: int) -> str:
        """The name of a class; its number where it has none."""
        names = self.base.class_names
        return names[label] if names else str(label)


def load_deletion_data(
    options: DataOptions,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    classes: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    before: ForgottenBefore = NOTHING,
    listed: Sequence[ListedRequest] = (),
    accelerator: Accelerator | None = None,
) -> DeletionData:
    """Find what the options name, decode it once for the original, and hash it.

    listed: the requests that the options' classes or ids are of, where they are several.
    mean, std, before: the original's; images are made gray or colour as the mean has channels.
    preprocessing: the original's own way to the size that the options ask for, where it says one.
    classes: the original's by output, in whose order the labels are put (see
    `class_order.ordered`). No image is decoded for a set but its own. Raises as `find_places`
    does, and ValueError for an image of a set that can't be decoded.
    """
    places = set_apart(find_places(options, classes, accelerator), before)
    size = options.image_size
    own = preprocessing.of_size(size) if preprocessing is not None and size is not None else None
    readers = needed_images(places, own or size, mean, accelerator)
    notes = [note for reader in readers.values() for note in reader.base.notes]
    if own is not None:
        notes.append(f"images are resized: {own.words}, says {own.said_by}")
    notes += [line for reader in readers.values() for line in said_of_order(reader.base)]
    images, hashes = {}, {}
    for name, place in places.of.items():
        reader = readers[id(place.base)]
        images[name] = reader.image_set(place.rows, mean, std, _KINDS.get(name, "reference"))
        hashes[name], converted = reader.hash_of(place.rows)
        if converted:
            notes.append(f"{converted} of the {len(place.rows)} {name} images {conversion(mean)}")
    copies, passed_over = _copies(places, readers)
    said = tuple(dict.fromkeys([*notes, *places.notes, *passed_over]))
    steps = steps_of(places, listed, readers)
    return DeletionData(
        places.of, images, hashes, places.forget_classes, copies, places.split, said, before, steps
    )


def _copies(
    places: Places, readers: Mapping[int, NeededImages]
) -> tuple[tuple[Duplicate, ...] | None, list[str]]:
    """Copies of forgotten images, of which a stored split tells itself, and lines on them."""
    if places.split is not None:
        return places.split.duplicates, []
    return copies_in_splits(places.of["forget"], readers)
