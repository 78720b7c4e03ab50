"""Requests that are fulfilled in turn, in the data: which part of the forget set is whose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmark_adapters.deletion.needed_images import NeededImages
from benchmark_adapters.deletion.places import Place, Places
from benchmark_adapters.deletion.requests_file import ListedRequest
from benchmark_adapters.images.sample_names import rows_named


@dataclass(frozen=True)
class Step:
    """One request of several.

    positions: int64, ascending, of its samples in the forget set of all. classes: outputs of the
    original, class_names beside them; empty for instance-wise. ids: of its samples, then. sha256:
    as of a forget set of its own.
    """

    name: str
    date: str
    positions: Tensor
    classes: tuple[int, ...]
    class_names: tuple[str, ...]
    ids: tuple[str, ...]
    sha256: str

    def as_dict(self) -> dict[str, Any]:
        """What a receipt says of the request."""
        return {
            "name": self.name,
            "date": self.date,
            "count": len(self.positions),
            "sha256": self.sha256,
            "classes": list(self.classes),
            "class_names": list(self.class_names),
            "ids": list(self.ids),
        }

    @property
    def words(self) -> str:
        """The request in words: `r1 of 2026-01-31, class three`."""
        what = ", ".join(self.class_names) or f"{len(self.positions)} by id"
        return f"{self.name} of {self.date}, {'class ' * bool(self.classes)}{what}"


def steps_of(
    places: Places, listed: Sequence[ListedRequest], readers: Mapping[int, NeededImages]
) -> tuple[Step, ...]:
    """The steps of listed requests, whose samples together are the forget set.

    Raises ValueError where two requests name the same samples.
    """
    forget = places.of["forget"]
    owner: dict[int, str] = {}
    steps = []
    for request in listed:
        step = _step(request, forget, readers[id(forget.base)])
        for position in step.positions.tolist():
            other = owner.setdefault(position, request.name)
            if other != request.name:
                raise ValueError(
                    f"requests {other!r} and {request.name!r} both name sample "
                    f"{forget.base.ids[int(forget.rows[position])]!r}"
                )
        steps.append(step)
    return tuple(steps)


def listed_of(receipt: Mapping[str, Any]) -> tuple[ListedRequest, ...]:
    """The requests that a receipt lists; none where it is of one alone."""
    return tuple(
        ListedRequest(each["name"], each["date"], tuple(each["class_names"]), tuple(each["ids"]))
        for each in receipt.get("requests", ())
    )


def _step(request: ListedRequest, forget: Place, reader: NeededImages) -> Step:
    base = forget.base
    classes = tuple(sorted({base.label_of(name) for name in request.classes}))
    if classes:
        rows = forget.rows[torch.isin(base.labels[forget.rows], torch.tensor(classes))]
    else:
        rows = torch.tensor(sorted(set(rows_named(base, request.ids))), dtype=torch.int64)
    names = tuple(base.class_names[of] if base.class_names else str(of) for of in classes)
    return Step(
        request.name,
        request.date,
        torch.searchsorted(forget.rows, rows),
        classes,
        names,
        () if classes else tuple(sorted(base.ids[row] for row in rows.tolist())),
        reader.hash_of(rows)[0],
    )
