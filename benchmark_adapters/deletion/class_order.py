"""The classes of data in the order of an original's outputs, found by their names.

The class list is the original's: class folders in another order, names in another case, and
classes that are gone from the data (as they must be after a deletion) change no label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property

import torch
from torch import Tensor

from benchmark_adapters.images.base_data import BaseData
from suli_plugin.failure import Failure


@dataclass(frozen=True)
class OrderedData(BaseData):
    """Base data whose labels are the outputs of an original.

    own: the data as they are. outputs: of the original, by the own label; -1 where it has none.
    classes: the original's, by output.
    """

    own: BaseData = field(kw_only=True)
    outputs: tuple[int, ...] = field(kw_only=True)
    classes: tuple[str, ...] = field(kw_only=True)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the original's classes, by output."""
        return self.classes

    @cached_property
    def labels(self) -> Tensor:
        """Outputs of the original, int64 (N,). Raises Failure for a sample of none of them."""
        if not self.outputs:
            return self.own.labels
        found = torch.tensor(self.outputs)[self.own.labels]
        strange = sorted(set(self.own.labels[found < 0].tolist()))
        if strange:
            names = ", ".join(repr(self.own.class_names[label]) for label in strange)
            raise Failure(
                f"split {self.split!r} of {self.source} holds samples of {names}, and the "
                f"original has no such class; its classes: {', '.join(self.classes)} (other "
                f"names for its outputs: classes=)"
            )
        return found

    def label_of(self, name: str | int) -> int:
        """The output of a class, called as the data or as the original call it."""
        own = self.own.class_names
        if str(name) in own:
            output = self.outputs[own.index(str(name))]
            if output >= 0:
                return output
        return super().label_of(name)

    @property
    def order(self) -> dict[str, int]:
        """The output of each class of the data, by its own name there; none if it has no name."""
        named = zip(self.own.class_names, self.outputs, strict=bool(self.outputs))
        return {name: output for name, output in named if output >= 0}


def ordered(base: BaseData, classes: Sequence[str] | None) -> BaseData:
    """The base under the labels of an original with these classes, which may be unknown.

    The base itself where there is nothing to do: names that are the same, or have nothing in
    common, whose order nothing but the original's answers can tell.
    """
    own = base.class_names
    if not classes or own == tuple(classes):
        return base
    outputs = outputs_by_name(own, classes)
    if own and max(outputs) < 0 and len(own) == len(classes):
        return base
    shared = {item.name: getattr(base, item.name) for item in fields(BaseData)}
    return OrderedData(**shared, own=base, outputs=outputs, classes=tuple(classes))


def outputs_by_name(own: Sequence[str], classes: Sequence[str]) -> tuple[int, ...]:
    """The place among `classes` of each own name; -1 where there is none.

    Upper and lower case are the same, unless that would make two names one.
    """
    places = {name: place for place, name in enumerate(classes)}
    folded = {name.casefold(): place for name, place in places.items()}
    if len(folded) == len(places) and len({name.casefold() for name in own}) == len(own):
        return tuple(folded.get(name.casefold(), -1) for name in own)
    return tuple(places.get(name, -1) for name in own)


def said_of_order(base: BaseData) -> list[str]:
    """A line for a person where labels were put in the original's order; else none."""
    if not isinstance(base, OrderedData) or not base.outputs:
        return []
    label = next((at for at, output in enumerate(base.outputs) if output not in (at, -1)), None)
    example = ""
    if label is not None:
        name, output = base.own.class_names[label], base.outputs[label]
        example = f": {name!r}, label {label} of the data, is output {output}"
    return [f"the classes of {base.source} are matched with the original's by name{example}"]
