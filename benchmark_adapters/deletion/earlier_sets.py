"""What earlier requests forgot, in the data of this one: apart from what is kept, and measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from benchmark_adapters.deletion.forgotten_before import ForgottenBefore
from benchmark_adapters.deletion.places import Place, Places, SetName
from benchmark_adapters.images.base_data import BaseData
from benchmark_adapters.images.encoded_images import EncodedImages
from benchmark_adapters.splits.part_hashes import part_hash

_MEASURED: Mapping[SetName, SetName] = {
    "retain": "forgotten_before",
    "test": "test_forgotten_before",
}


def set_apart(places: Places, before: ForgottenBefore) -> Places:
    """The sets of a request without what was forgotten earlier, and that in sets of its own.

    Classes are taken out of retain, reference and test; those that this request forgets once more
    are its own. Ids are taken out of the training samples that are kept. Where no retain data have
    it, what is left of it in the training split is measured. Raises ValueError where nothing is
    left of a set.
    """
    if not before.requests:
        return places
    earlier = sorted(set(before.classes) - set(places.forget_classes))
    found: dict[SetName, Place] = {"forget": places.of["forget"]}
    for name, place in places.of.items():
        if name == "forget":
            continue
        classes = torch.isin(place.base.labels[place.rows], torch.tensor(earlier).long())
        samples = torch.zeros_like(classes)
        if name == "retain" and place.base is places.of["forget"].base:
            samples = torch.isin(place.rows, _samples(place.base, before)) & ~classes
        found[name] = _kept(name, place, ~(classes | samples))
        if name in _MEASURED and bool(classes.any()):
            found[_MEASURED[name]] = place.where(classes)
        if bool(samples.any()):
            found["ids_forgotten_before"] = place.where(samples)
    if places.split is None:
        for name, place in _in_training_split(places, earlier, before).items():
            found.setdefault(name, place)
    return replace(places, of=found)


def _in_training_split(
    places: Places, earlier: list[int], before: ForgottenBefore
) -> dict[SetName, Place]:
    """What was forgotten earlier in the split that was read for the forget set."""
    forget = places.of["forget"]
    everything = torch.arange(len(forget.base))
    rest = Place(forget.base, everything[~torch.isin(everything, forget.rows)])
    classes = torch.isin(rest.base.labels[rest.rows], torch.tensor(earlier).long())
    samples = torch.isin(rest.rows, _samples(rest.base, before)) & ~classes
    found: dict[SetName, Place] = {
        "forgotten_before": rest.where(classes),
        "ids_forgotten_before": rest.where(samples),
    }
    return {name: place for name, place in found.items() if len(place.rows)}


def _kept(name: str, place: Place, mask: Tensor) -> Place:
    kept = place.where(mask)
    if not len(kept.rows):
        raise ValueError(
            f"--{name} {place.base.split}: every sample in it was forgotten, now or earlier"
        )
    return kept


def _samples(base: BaseData, before: ForgottenBefore) -> Tensor:
    """The rows (int64) of samples that were forgotten by id and are in these data still.

    A name or a path is the sample's own. A row may be another sample's by now: rows count only
    where together they still have the hash of the forget set.
    """
    found = []
    for request in before.requests:
        ids = set(request.ids or ())
        rows = torch.tensor([row for row, name in enumerate(base.ids) if name in ids]).long()
        if base.kind_of_ids != "row" or _is_forget_set(base, rows, request.sha256, len(ids)):
            found.append(rows)
    return torch.cat(found) if found else torch.tensor([], dtype=torch.int64)


def _is_forget_set(base: BaseData, rows: Tensor, sha256: str, count: int) -> bool:
    if not count or len(rows) != count:
        return False
    return part_hash(base, EncodedImages(base, channels="own").arrays, rows) == sha256
