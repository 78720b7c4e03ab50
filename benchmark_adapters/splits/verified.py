"""Load a split with its base data, and check that they are those it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from benchmark_adapters.command_line.without_tokens import Token
from benchmark_adapters.images.base_data import BaseData, load_base
from benchmark_adapters.splits.copies import Duplicate
from benchmark_adapters.splits.part_hashes import overall_hash, part_hash, pixel_reader
from benchmark_adapters.splits.recipes import PARTS, Part, Reference, recipe_of
from benchmark_adapters.splits.split import Role, Split, SplitMismatch
from benchmark_adapters.splits.stored import StoredSplit, read_split
from suli_plugin.failure import Failure

if TYPE_CHECKING:
    from accelerate import Accelerator


def load_split(
    source: str | Path,
    name: str | None = None,
    *,
    base: str | Path | None = None,
    accelerator: Accelerator | None = None,
    token: Token = None,
) -> Split:
    """A split with its base at the commit it was made from; every hash is checked.

    base: another place of the same data, such as a folder. Raises SplitMismatch, naming the
    parts that differ; else as `read_split` and `load_base` do.
    """
    stored = read_split(source, name, accelerator=accelerator, token=token)
    place = _base_source(stored, base)
    made_of = stored.described["base"]
    columns = {key: made_of[key] for key in ("image_column", "label_column", "id_column")}
    bases = {
        role: load_base(
            place,
            config=made_of["config"],
            split=made_of["splits"][role],
            # Before paths were ids, the rows of files were.
            by_row=made_of.get("ids", "row") == "row",
            accelerator=accelerator,
            token=token,
            **columns,
        )
        for role in stored.index
    }
    return verified(stored, bases, accelerator=accelerator)


def verified(
    stored: StoredSplit,
    bases: Mapping[Role, BaseData],
    *,
    accelerator: Accelerator | None = None,
) -> Split:
    """The stored split over these data. Raises SplitMismatch, naming the parts that differ."""
    described = stored.described
    rows, problems = _rows(stored, bases)
    roles: dict[Part, Role] = {part: described["parts"][part]["of"] for part in rows}
    read = {role: pixel_reader(base, accelerator) for role, base in bases.items()}
    hashes: dict[Part, str] = {}
    for part, of in rows.items():
        if part in problems:
            continue
        role = roles[part]
        hashes[part] = part_hash(bases[role], read[role], of)
        promised = described["parts"][part]["sha256"]
        if hashes[part] != promised:
            problems[part] = f"expected SHA-256 {promised[:12]}..., got {hashes[part][:12]}..."
    if problems:
        what = "; ".join(f"{part} ({why})" for part, why in problems.items())
        raise SplitMismatch(
            f"split {stored.name!r} was not made from {bases['train'].pinned}: these parts "
            f"differ: {what}",
            tuple(problems),
        )
    if overall_hash(hashes) != described["sha256"]:
        raise SplitMismatch(
            f"split {stored.name!r}: its own SHA-256 does not fit those of its parts"
        )
    forgotten = [bases["train"].ids[row] for row in rows["forget"].tolist()]
    reference = described["reference"]
    return Split(
        name=stored.name,
        recipe=recipe_of(described["recipe"], forgotten),
        reference=None if reference is None else Reference(**reference),
        bases=bases,
        roles=roles,
        rows=rows,
        hashes=hashes,
        duplicates=tuple(Duplicate(**duplicate) for duplicate in described["duplicates"]),
        revision=stored.revision,
    )


def _base_source(stored: StoredSplit, base: str | Path | None) -> str | Path:
    if base is not None:
        return base
    made_of = stored.described["base"]
    if "repository" in made_of:
        return f"{made_of['repository']}@{made_of['revision']}"
    if not Path(made_of["folder"]).is_dir():
        raise Failure(
            f"split {stored.name!r} is over a folder {made_of['folder']!r}, which is not here: put "
            f"the data there (a link to them will do); `load_split` and `suli splits show "
            f"--verify` take another place as base="
        )
    return Path(made_of["folder"])


def _rows(
    stored: StoredSplit, bases: Mapping[Role, BaseData]
) -> tuple[dict[Part, Tensor], dict[str, str]]:
    """Where each part's samples stand in the base, and what does not fit."""
    found: dict[Part, list[int]] = {part: [] for part in PARTS if part in stored.described["parts"]}
    problems: dict[str, str] = {}
    for role, (ids, parts) in stored.index.items():
        position = {name: row for row, name in enumerate(bases[role].ids)}
        for name, part in zip(ids, parts, strict=True):
            row = position.pop(name, None)
            if row is None or part not in found:
                problems.setdefault(part, f"sample {name!r} is not in the base, or is there twice")
            else:
                found[part].append(row)
        if position:
            split = bases[role].split
            problems[split] = f"{len(position)} samples of the base's split are in no part"
    rows = {part: torch.tensor(of, dtype=torch.int64).sort().values for part, of in found.items()}
    return rows, problems
