"""What a deletion request says about its data, on the command line and in a receipt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """What a request says about its data.

    dataset: `org/name[@revision]` or a folder; for stored splits perhaps with `:NAME`.
    forget_classes: names or numbers. forget_ids: of samples. train_split: where both are looked
    up. retain, reference, test: names of splits of the same dataset. image_size: resize to it.
    """

    dataset: str
    forget_classes: tuple[str, ...] = ()
    forget_ids: tuple[str, ...] = ()
    train_split: str = "train"
    retain: str | None = None
    reference: str | None = None
    test: str | None = None
    config: str | None = None
    image_column: str | None = None
    label_column: str | None = None
    id_column: str | None = None
    image_size: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The options as JSON has them."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DataOptions:
        """What `as_dict` gave. Raises ValueError for anything else."""
        if set(values) != {item.name for item in fields(cls)}:
            raise ValueError(f"expected the options of a request's data, got {sorted(values)}")
        fitted: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return cls(**fitted)
