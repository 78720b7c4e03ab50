"""What a deletion request says about its data, on the command line and in a receipt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """What a request says about its data.

    dataset: `org/name[@revision]` or a folder; for stored splits perhaps with `:NAME`.
    forget_classes: names, or places as `#3`. forget_ids: of samples, see `rows_named`.
    forget_where: COLUMN=VALUE. train_split: where these are looked up. retain, reference, test:
    names of splits of the same dataset. image_size: resize to it.
    """

    dataset: str
    forget_classes: tuple[str, ...] = ()
    forget_ids: tuple[str, ...] = ()
    forget_where: tuple[str, ...] = ()
    train_split: str = "train"
    retain: str | None = None
    reference: str | None = None
    test: str | None = None
    config: str | None = None
    image_column: str | None = None
    label_column: str | None = None
    id_column: str | None = None
    image_size: int | None = None

    def check_for_stored_split(self) -> None:
        """Raise ValueError for what is not said beside a stored split."""
        said = {
            "--forget-class or --requests": self.forget_classes,
            "--forget-ids or --requests": self.forget_ids,
            "--forget-where": self.forget_where,
            "--retain": self.retain,
            "--reference": self.reference,
            "--test": self.test,
        }
        for option, value in said.items():
            if value:
                raise ValueError(
                    f"{self.dataset} is a stored split, which says itself what is forgotten, "
                    f"retained and tested: leave out {option}"
                )

    def check_for_images(self) -> None:
        """Raise ValueError for sets of a plain dataset that can't be, whatever the data."""
        if sum(map(bool, (self.forget_classes, self.forget_ids, self.forget_where))) != 1:
            raise ValueError(
                "say what to forget, in one way: --forget-class, --forget-ids, --forget-where, or "
                "a stored split as --dataset (suli splits make)"
            )
        for name, split in (("reference", self.reference), ("test", self.test)):
            if split == self.train_split:
                raise ValueError(
                    f"--{name} takes data never trained on, and {split!r} is the split that the "
                    f"forgotten samples were trained with"
                )
        if self.test is not None and self.test == self.reference:
            raise ValueError(
                f"--reference decides when to stop, so --test needs other data than "
                f"{self.test!r}; hold some of it out with `suli splits make --reference 0.5`"
            )

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
