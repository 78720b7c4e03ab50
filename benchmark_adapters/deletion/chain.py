"""The receipts of an unlearned checkpoint's original, of that one's original, and so on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark_adapters.deletion.checkpoint_files import RECEIPT
from benchmark_adapters.deletion.receipt import checked_fields
from benchmark_adapters.hub.access import HubSource, parse_source
from benchmark_adapters.hub.files import hub_files


@dataclass(frozen=True)
class Link:
    """An unlearned checkpoint that was reached. place: a folder or `org/name@revision`.

    sha256: of the receipt's file.
    """

    place: str
    receipt: Mapping[str, Any]
    sha256: str

    @property
    def folder(self) -> Path | None:
        """Where it is on this machine; None on the Hub."""
        place = parse_source(self.place)
        return None if isinstance(place, HubSource) else place

    @property
    def name(self) -> str:
        """What messages call it: a folder's own name, or all of a repository's."""
        return self.place if self.folder is None else self.folder.resolve().name


@dataclass(frozen=True)
class Chain:
    """The links, the newest first, as far as they could be reached.

    start: the folder of the weights that the oldest link was unlearned from, None where there is
    none at hand (the receipt may say where on the Hub they are). lost: why the next link can't be
    reached; None if the oldest one was unlearned from an original that had forgotten nothing.
    """

    links: tuple[Link, ...]
    start: str | None
    lost: str | None

    def original_of(self, link: Link) -> str | None:
        """The folder of the weights that a link was unlearned from, None where none is at hand."""
        before = self.links[self.links.index(link) + 1 :]
        if not before:
            return self.start
        return None if before[0].folder is None else before[0].place


def chain_of(source: str, places: Sequence[str] = ()) -> Chain:
    """Follow a checkpoint's receipt to its original's, and so on.

    source: a folder or `org/name[@revision]`. places: where earlier checkpoints and the first
    original are; folders beside the one that was unlearned from them are looked at by name
    without being told. Raises ValueError for a source without a receipt that can be read.
    """
    links = [_link(source)]
    while links[-1].receipt["forgotten_before"]:
        found = _parent(links[-1], places, {link.sha256 for link in links})
        if isinstance(found, str):
            return Chain(tuple(links), None, found)
        links.append(found)
    return Chain(tuple(links), _start(links[-1], places), None)


def _link(place: str) -> Link:
    """Raises ValueError where there is no receipt that can be read."""
    source = parse_source(place)
    if isinstance(source, HubSource):
        files = hub_files(source, None)
        place, data = f"{source.repository}@{files.commit}", files.read(RECEIPT)
    else:
        try:
            data = (source / RECEIPT).read_bytes()
        except OSError as error:
            raise ValueError(f"{place} holds no receipt ({RECEIPT}): {error.strerror}") from error
    return Link(place, checked_fields(data, f"{place}/{RECEIPT}"), hashlib.sha256(data).hexdigest())


def _parent(link: Link, places: Sequence[str], seen: set[str]) -> Link | str:
    """The link before this one, or why there is none: the very receipt, else the very weights."""
    original, told = link.receipt["original"], link.receipt.get("parent")
    looked_at, by_weights = [], None
    for place in _candidates(link, places):
        try:
            found = _link(place)
        except ValueError as error:
            looked_at.append(str(error))
            continue
        if found.sha256 == told:
            return found
        if found.receipt["result"]["sha256"] == original["sha256"] and found.sha256 not in seen:
            by_weights = by_weights or found
    if by_weights is not None:
        return by_weights
    hub = "; ".join(looked_at) if original["commit"] else ""
    where = "say where its folder is with --model"
    return hub or f"{original['source']!r} is a folder that is not at hand; {where}"


def _candidates(link: Link, places: Sequence[str]) -> Iterator[str]:
    """Where the original of a link may be."""
    original = link.receipt["original"]
    if original["commit"]:
        yield f"{original['source']}@{original['commit']}"
    yield from places
    if link.folder is not None and original["folder"]:
        # By its last part alone, whatever a receipt may say.
        yield str(link.folder.resolve().parent / Path(original["source"]).name)


def _start(link: Link, places: Sequence[str]) -> str | None:
    """The folder that has the weights which the oldest link was unlearned from, if any."""
    original = link.receipt["original"]
    there = (place for place in _candidates(link, places) if _has(Path(place), original))
    return next(there, None)


def _has(place: Path, original: Mapping[str, Any]) -> bool:
    weights = place if place.is_file() else place / Path(original["weights_file"]).name
    try:
        return hashlib.sha256(weights.read_bytes()).hexdigest() == original["sha256"]
    except OSError:
        return False
