"""The data of a deletion request: what is forgotten, and what the outcome is measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from benchmark_adapters.deletion.options import DataOptions
from benchmark_adapters.images.base_data import BaseData, load_base
from benchmark_adapters.images.decoded_images import EncodedImages, image_set
from benchmark_adapters.splits.recipes import Part
from benchmark_adapters.splits.split import Duplicate, Read, Split, copies_of_forgotten, part_hash
from benchmark_adapters.splits.stored import split_names
from benchmark_adapters.splits.verified import load_split
from suli_plugin.images import MEMORY_LIMIT, ImageSet, Kind

if TYPE_CHECKING:
    from accelerate import Accelerator

SetName = Literal["forget", "retain", "reference", "test"]
_KINDS: Mapping[SetName, Kind] = {"forget": "forget", "retain": "retain"}


@dataclass(frozen=True)
class Place:
    """Where the samples of a set are: rows (int64) of a base."""

    base: BaseData
    rows: Tensor

    def ids(self) -> list[str]:
        """The ids of the samples, in the order of the rows."""
        return [self.base.ids[row] for row in self.rows.tolist()]


@dataclass(frozen=True)
class DeletionData:
    """The sets of a request; `forget` is there, the others where they were asked for.

    places, images, hashes: by the set's name; a hash is SHA-256 over ids, labels and pixels, as a
    split's. forget_classes: empty for instance-wise. copies: exact copies of forgotten images
    among the other training samples, None if not looked for. split: the stored split used.
    """

    places: Mapping[SetName, Place]
    images: Mapping[SetName, ImageSet]
    hashes: Mapping[SetName, str]
    forget_classes: tuple[int, ...]
    copies: tuple[Duplicate, ...] | None
    split: Split | None = None

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
    """Find, decode once and hash what the options name; mean, std: the original's.

    Raises ValueError for options that contradict each other or the data, SplitMismatch for a
    stored split over other data, HubError where the Hub can't be used.
    """
    split = _stored_split(options, accelerator)
    if split is None:
        places, classes = _places(options, accelerator)
    else:
        places, classes = _places_of(split), split.forget_classes
    whole: dict[int, tuple[ImageSet, Read]] = {}
    for place in places.values():
        if id(place.base) not in whole:
            whole[id(place.base)] = _decoded(place.base, options, mean, std, accelerator)
    images = {
        name: whole[id(place.base)][0].subset(place.rows).of_kind(_KINDS.get(name, "reference"))
        for name, place in places.items()
    }
    hashes = {
        name: part_hash(place.base, whole[id(place.base)][1], place.rows)
        for name, place in places.items()
    }
    forget = places["forget"]
    copies = split.duplicates if split else _copies(forget, whole[id(forget.base)][1])
    return DeletionData(places, images, hashes, classes, copies, split)


def _stored_split(options: DataOptions, accelerator: Accelerator | None) -> Split | None:
    """The split that the dataset names, None if it names images."""
    source, name = options.dataset, None
    if not Path(source).exists():
        source, _, name = options.dataset.partition(":")
    found = split_names(source)
    if not found:
        if name:
            raise ValueError(f"{source} holds no stored split, so none named {name!r}")
        return None
    said = {"--forget-class": options.forget_classes, "--forget-ids": options.forget_ids}
    said |= {f"--{key}": getattr(options, key) for key in ("retain", "reference", "test")}
    for option, value in said.items():
        if value:
            raise ValueError(
                f"{options.dataset} is a stored split, which says itself what is forgotten, "
                f"retained and tested: leave out {option}"
            )
    if name is None and len(found) > 1:
        known = ", ".join(f"{source}:{each}" for each in found)
        raise ValueError(f"{source} holds several splits; name one: {known}")
    return load_split(source, name, accelerator=accelerator)


def _places_of(split: Split) -> dict[SetName, Place]:
    """The sets of a stored split; its two test parts are one test set here."""
    parts: dict[SetName, tuple[Part, ...]] = {
        "forget": ("forget",),
        "retain": ("retain",),
        "reference": ("reference",),
        "test": ("test_forget", "test_retain"),
    }
    places = {}
    for name, of in parts.items():
        there = [part for part in of if part in split.rows]
        if there:
            rows = torch.cat([split.rows[part] for part in there]).sort().values
            places[name] = Place(split.bases[split.roles[there[0]]], rows)
    return places


def _places(
    options: DataOptions, accelerator: Accelerator | None
) -> tuple[dict[SetName, Place], tuple[int, ...]]:
    """The sets over a plain dataset, and the forgotten classes."""
    _check_splits(options)
    columns = {key: getattr(options, key) for key in ("image_column", "label_column", "id_column")}
    train = load_base(
        options.dataset,
        config=options.config,
        split=options.train_split,
        accelerator=accelerator,
        **columns,
    )
    classes = tuple(sorted({train.label_of(name) for name in options.forget_classes}))
    forgotten = _forgotten(train, classes, options.forget_ids)
    places: dict[SetName, Place] = {"forget": Place(train, torch.where(forgotten)[0])}
    names: tuple[SetName, ...] = ("retain", "reference", "test")
    for name in names:
        split = getattr(options, name)
        if split == options.train_split:
            places[name] = Place(train, torch.where(~forgotten)[0])
        elif split is not None:
            # The commit that the first look resolved, not a branch, which may have moved since.
            base = load_base(
                train.pinned, config=train.config, split=split, accelerator=accelerator, **columns
            )
            outside = ~torch.isin(base.labels, torch.tensor(classes or (-1,)))
            kept = outside if name == "retain" else torch.ones(len(base), dtype=torch.bool)
            places[name] = Place(base, torch.where(kept)[0])
        if name in places and not len(places[name].rows):
            raise ValueError(f"--{name} {split}: no sample is in it that is not forgotten")
    return places, classes


def _check_splits(options: DataOptions) -> None:
    if bool(options.forget_classes) == bool(options.forget_ids):
        raise ValueError(
            "say what to forget, in one way: --forget-class, --forget-ids, or a stored split as "
            "--dataset (suli splits make)"
        )
    for name in ("reference", "test"):
        if getattr(options, name) == options.train_split:
            raise ValueError(
                f"--{name} takes data never trained on, and {options.train_split!r} is the split "
                f"that the forgotten samples were trained with"
            )
    if options.test is not None and options.test == options.reference:
        raise ValueError(
            f"--reference decides when to stop, so --test needs other data than "
            f"{options.test!r}; hold some of it out with `suli splits make --reference 0.5`"
        )


def _forgotten(train: BaseData, classes: Sequence[int], ids: Sequence[str]) -> Tensor:
    """Bool (N,): the samples of these classes or ids; all of them, where all are to go."""
    if classes:
        mask = torch.isin(train.labels, torch.tensor(classes))
        for label in classes:
            if not bool((train.labels == label).any()):
                name = train.class_names[label] if train.class_names else label
                raise ValueError(
                    f"{train.source} has no sample of class {name!r} in split {train.split!r}: "
                    f"the forget set is empty"
                )
        return mask
    wanted = set(ids)
    missing = sorted(wanted - set(train.ids))
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(wanted)} ids are not in split {train.split!r} of "
            f"{train.source}, such as {missing[0]!r}; the first there is {train.ids[0]!r}"
        )
    return torch.tensor([name in wanted for name in train.ids])


def _decoded(
    base: BaseData,
    options: DataOptions,
    mean: Sequence[float],
    std: Sequence[float],
    accelerator: Accelerator | None,
) -> tuple[ImageSet, Read]:
    """All images of a base for the model, and a reader of their pixels before any resizing."""
    size = options.image_size
    images = image_set(base, size=size, mean=mean, std=std, accelerator=accelerator)
    if size is not None:
        return images, EncodedImages(base).arrays
    cpu = torch.device("cpu")
    return images, lambda rows: list(images.pixels(torch.tensor(rows), cpu)[0].numpy())


def _copies(forget: Place, read: Read) -> tuple[Duplicate, ...] | None:
    """Copies of forgotten images among the rest of the training split, where it is in memory."""
    if EncodedImages(forget.base).decoded_bytes() > MEMORY_LIMIT:
        return None
    rest = torch.ones(len(forget.base), dtype=torch.bool)
    rest[forget.rows] = False
    rows, base = torch.where(rest)[0], forget.base
    if not len(rows):
        return ()
    return tuple(
        copies_of_forgotten({"forget": (base, read, forget.rows), "retain": (base, read, rows)})
    )
