"""Where the data of a deletion request are: from what was said to rows of base data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from benchmark_adapters.deletion.class_order import ordered
from benchmark_adapters.deletion.options import DataOptions
from benchmark_adapters.hub.access import REPOSITORY, local_folder
from benchmark_adapters.images.base_data import BaseData, load_base
from benchmark_adapters.images.sample_names import (
    contents_at,
    notes_on_rows,
    rows_named,
    rows_where,
)
from benchmark_adapters.splits.recipes import Part
from benchmark_adapters.splits.split import Split
from benchmark_adapters.splits.stored import split_names
from benchmark_adapters.splits.verified import load_split
from suli_plugin.failure import Gone

if TYPE_CHECKING:
    from accelerate import Accelerator

SetName = Literal[
    "forget",
    "retain",
    "reference",
    "test",
    # What earlier requests made the original forget: classes, their unseen images, samples by id.
    "forgotten_before",
    "test_forgotten_before",
    "ids_forgotten_before",
]


@dataclass(frozen=True)
class Place:
    """Where the samples of a set are: rows (int64, ascending) of a base."""

    base: BaseData
    rows: Tensor

    def ids(self) -> list[str]:
        """The ids of the samples, in the order of the rows."""
        return [self.base.ids[row] for row in self.rows.tolist()]

    def where(self, mask: Tensor) -> Place:
        """The samples of this place where the mask, bool (N,), is true."""
        return Place(self.base, self.rows[mask])

    def contents(self) -> dict[str, str]:
        """SHA-256 of each encoded image by its id, where ids are rows and may come to mean others.

        Else empty.
        """
        if self.base.kind_of_ids != "row":
            return {}
        return dict(zip(self.ids(), contents_at(self.base, self.rows.tolist()), strict=True))


@dataclass(frozen=True)
class Places:
    """The place of each set that was asked for; `forget` is there.

    forget_classes: empty for instance-wise. split: the stored split that they are of, if any.
    notes: lines on how ids were understood, for a person.
    """

    of: Mapping[SetName, Place]
    forget_classes: tuple[int, ...]
    split: Split | None = None
    notes: tuple[str, ...] = ()


def find_places(
    options: DataOptions,
    classes: Sequence[str] | None = None,
    accelerator: Accelerator | None = None,
) -> Places:
    """The places of the sets that the options name; each split is loaded once.

    classes: the original's, in whose order the labels are put. Raises Gone where what is to be
    forgotten is not in the data, ValueError for options that contradict each other or the data,
    SplitMismatch for a stored split over other data, OtherContent for ids whose rows have moved,
    HubError where the Hub can't be used.
    """
    source, name = source_and_split(options.dataset)
    stored = split_names(source)
    if name and not stored:
        raise ValueError(f"{source} holds no stored split, so none named {name!r}")
    if stored:
        options.check_for_stored_split()
        if name is None and len(stored) > 1:
            known = ", ".join(f"{source}:{each}" for each in stored)
            raise ValueError(f"{source} holds several splits; name one: {known}")
        return _of_stored(load_split(source, name, accelerator=accelerator), classes)
    options.check_for_images()
    return _of_images(options, classes, accelerator)


def source_and_split(dataset: str) -> tuple[str, str | None]:
    """A place and the name of a stored split there; a folder's own name may hold colons."""
    place, colon, name = dataset.rpartition(":")
    if local_folder(dataset) is not None or not colon:
        return dataset, None
    known = local_folder(place) is not None or re.match(rf"{REPOSITORY.pattern}(@|$)", place)
    return (place, name) if known else (dataset, None)


def _of_stored(split: Split, classes: Sequence[str] | None) -> Places:
    """The sets of a stored split; its two test parts are one test set here."""
    parts: dict[SetName, tuple[Part, ...]] = {
        "forget": ("forget",),
        "retain": ("retain",),
        "reference": ("reference",),
        "test": ("test_forget", "test_retain"),
    }
    bases = {role: ordered(base, classes) for role, base in split.bases.items()}
    places = {}
    for name, of in parts.items():
        there = [part for part in of if part in split.rows]
        if there:
            rows = torch.cat([split.rows[part] for part in there]).sort().values
            places[name] = Place(bases[split.roles[there[0]]], rows)
    # The split's own are labels of its data; all of its forget set are of them.
    forgotten = places["forget"].base.labels[places["forget"].rows].unique().tolist()
    return Places(places, tuple(forgotten) if split.forget_classes else (), split)


def _of_images(
    options: DataOptions, names: Sequence[str] | None, accelerator: Accelerator | None
) -> Places:
    """The sets over a plain dataset, whose splits are loaded as they are named."""
    load = partial(
        load_base,
        image_column=options.image_column,
        label_column=options.label_column,
        id_column=options.id_column,
        accelerator=accelerator,
    )
    loaded = load(options.dataset, config=options.config, split=options.train_split)
    train = ordered(loaded, names)
    classes = tuple(sorted({train.label_of(name) for name in options.forget_classes}))
    forgotten, notes = _forgotten(train, classes, options)
    places: dict[SetName, Place] = {"forget": Place(train, torch.where(forgotten)[0])}
    others: tuple[SetName, ...] = ("retain", "reference", "test")
    for name in others:
        split = getattr(options, name)
        if split == options.train_split:
            places[name] = Place(train, torch.where(~forgotten)[0])
        elif split is not None:
            # The commit that the first look resolved, not a branch, which may have moved since.
            loaded = load(train.pinned, config=train.config, split=split)
            places[name] = _of_another(ordered(loaded, names), name, classes)
        if name in places and not len(places[name].rows):
            raise ValueError(f"--{name} {split}: no sample is in it that is not forgotten")
    return Places(places, classes, notes=notes)


def _of_another(base: BaseData, name: SetName, classes: tuple[int, ...]) -> Place:
    """A set that is another split: all of it, to retain all but the forgotten classes."""
    kept = torch.ones(len(base), dtype=torch.bool)
    if name == "retain":
        kept = ~torch.isin(base.labels, torch.tensor(classes or (-1,)))
    return Place(base, torch.where(kept)[0])


def _forgotten(
    train: BaseData, classes: tuple[int, ...], options: DataOptions
) -> tuple[Tensor, tuple[str, ...]]:
    """Bool (N,): the samples to be forgotten, all of them where all are to go; and notes on ids."""
    for label in classes:
        if not bool((train.labels == label).any()):
            name = train.class_names[label] if train.class_names else label
            raise Gone(
                f"{train.source} has no sample of class {name!r} in split {train.split!r}: "
                f"the forget set is empty"
            )
    if classes:
        return torch.isin(train.labels, torch.tensor(classes)), ()
    named = options.forget_ids
    rows = rows_named(train, named) if named else rows_where(train, options.forget_where)
    mask = torch.zeros(len(train), dtype=torch.bool)
    mask[rows] = True
    return mask, notes_on_rows(train, named, rows) if named else ()
