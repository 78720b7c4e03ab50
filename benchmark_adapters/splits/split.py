"""A forget/retain split over a base dataset: its parts, their hashes, and what they give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from benchmark_adapters.images.base_data import BaseData
from benchmark_adapters.images.decoded_images import image_set
from benchmark_adapters.splits.copies import Duplicate, copies_of_forgotten
from benchmark_adapters.splits.part_hashes import overall_hash, part_hash, pixel_reader
from benchmark_adapters.splits.recipes import Part, Recipe, Reference, divide
from suli_plugin.failure import Failure
from suli_plugin.images import Augment, ImageSet, Kind
from suli_plugin.pixel_store import MEMORY_LIMIT

if TYPE_CHECKING:
    from accelerate import Accelerator
    from datasets import DatasetDict

FORMAT = "suli-split/1"
Role = Literal["train", "test"]
_KINDS: Mapping[Part, Kind] = {"forget": "forget", "retain": "retain"}


class SplitMismatch(Failure):
    """The data are not those that the split was made from; parts: the names of those that differ.

    It can be pickled, as all processes of a run raise it.
    """

    def __init__(self, message: str, parts: Sequence[str] = ()) -> None:
        super().__init__(message, tuple(parts))
        self.parts = tuple(parts)

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Split:
    """A split, with the base data it is over.

    bases: the base's split in the role `train` and, if there is one, `test`. roles, rows: for
    each part the base it is of, and where its samples stand there (int64, ascending).
    hashes: SHA-256 over each part's ids, labels and pixels. duplicates: of forgotten images,
    outside of the forget set: forgetting one copy is not forgetting. revision: the 40-hex commit
    that the split itself was loaded at.
    """

    name: str
    recipe: Recipe
    reference: Reference | None
    bases: Mapping[Role, BaseData]
    roles: Mapping[Part, Role]
    rows: Mapping[Part, Tensor]
    hashes: Mapping[Part, str]
    duplicates: tuple[Duplicate, ...] = ()
    revision: str | None = None

    @property
    def sha256(self) -> str:
        """The split's content hash: SHA-256 over the hashes of its parts."""
        return overall_hash(self.hashes)

    @property
    def forget_classes(self) -> tuple[int, ...]:
        """The forgotten classes; none if the split is instance-wise."""
        return self.recipe.forget_classes

    def ids(self, part: Part) -> list[str]:
        """The ids of a part, in the order of its rows."""
        ids = self.bases[self.roles[part]].ids
        return [ids[row] for row in self.rows[part].tolist()]

    def image_sets(
        self,
        parts: Iterable[Part] | None = None,
        *,
        size: int | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        augment: Augment | None = None,
        memory_limit: int = MEMORY_LIMIT,
        accelerator: Accelerator | None = None,
    ) -> dict[Part, ImageSet]:
        """The parts (default: all) as image sets; parts of one base share its pixels.

        The kinds are forget, retain, and reference for all that was never trained on. The other
        arguments are those of `image_set`.
        """
        chosen = list(self.rows if parts is None else parts)
        whole = {
            role: image_set(
                self.bases[role],
                size=size,
                mean=mean,
                std=std,
                augment=augment,
                memory_limit=memory_limit,
                accelerator=accelerator,
            )
            for role in dict.fromkeys(self.roles[part] for part in chosen)
        }
        return {
            part: whole[self.roles[part]]
            .subset(self.rows[part])
            .of_kind(_KINDS.get(part, "reference"))
            for part in chosen
        }

    def dataset_dict(self) -> DatasetDict:
        """The parts as a `datasets.DatasetDict` with the base's features and a column `id`."""
        from datasets import DatasetDict

        whole = {}
        for role, base in self.bases.items():
            clashing = "id" in base.dataset.column_names and base.id_column != "id"
            if clashing:
                raise ValueError(
                    f"{base.pinned} has a column 'id' that does not hold the split's ids; "
                    f"make the split with id_column='id', or rename the column"
                )
            named = base.id_column == "id"
            whole[role] = base.dataset if named else base.dataset.add_column("id", base.ids)
        return DatasetDict(
            {part: whole[self.roles[part]].select(rows.numpy()) for part, rows in self.rows.items()}
        )

    def describe(self) -> dict[str, Any]:
        """All but the ids, JSON-able: the content of `split.json`."""
        train = self.bases["train"]
        return {
            "format": FORMAT,
            "name": self.name,
            "recipe": self.recipe.as_dict(),
            "reference": None if self.reference is None else asdict(self.reference),
            "class_names": list(train.class_names),
            "base": _described_base(self.bases),
            "parts": {
                part: {
                    "of": self.roles[part],
                    "count": len(self.rows[part]),
                    "sha256": self.hashes[part],
                }
                for part in self.rows
            },
            "duplicates": [asdict(duplicate) for duplicate in self.duplicates],
            "sha256": self.sha256,
            "versions": {name: version(name) for name in ("suli-plugin", "pillow")},
        }


def make_split(
    name: str,
    recipe: Recipe,
    train: BaseData,
    test: BaseData | None = None,
    *,
    reference: Reference | None = None,
    accelerator: Accelerator | None = None,
) -> Split:
    """Divide a base dataset; hash the parts and look for copies of forgotten images.

    Raises ValueError where the recipe does not fit the data (see `divide`).
    """
    bases: dict[Role, BaseData] = (
        {"train": train} if test is None else {"train": train, "test": test}
    )
    labels: dict[str, Tensor] = {role: base.labels for role, base in bases.items()}
    rows = divide(recipe, reference, labels, train.ids)
    roles = {part: _role(part, reference) for part in rows}
    read = {role: pixel_reader(base, accelerator) for role, base in bases.items()}
    hashes = {
        part: part_hash(bases[roles[part]], read[roles[part]], of) for part, of in rows.items()
    }
    copies = copies_of_forgotten(
        {part: (bases[roles[part]], read[roles[part]], of) for part, of in rows.items()}
    )
    return Split(name, recipe, reference, bases, roles, rows, hashes, tuple(copies))


def _role(part: Part, reference: Reference | None) -> Role:
    if part == "reference" and reference is not None:
        return reference.drawn_from
    return "test" if part.startswith("test") else "train"


def _described_base(bases: Mapping[Role, BaseData]) -> dict[str, Any]:
    train = bases["train"]
    place = (
        {"repository": train.source, "revision": train.revision}
        if train.revision
        else {"folder": str(Path(train.source))}
    )
    return {
        **place,
        "config": train.config,
        "splits": {role: base.split for role, base in bases.items()},
        "image_column": train.image_column,
        "label_column": train.label_column,
        "id_column": train.id_column,
        "ids": train.kind_of_ids,
    }
