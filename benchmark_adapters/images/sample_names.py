"""Which samples are meant: by id, path, file name or row, or by the value of a column."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from benchmark_adapters.images.base_data import BaseData
from benchmark_adapters.images.columns import described
from benchmark_adapters.images.distinct_images import content_hashes
from benchmark_adapters.images.encoded_hashes import hashed_now
from benchmark_adapters.images.labels import one_each
from suli_plugin.failure import Failure, Gone

HASH = "sha256:"
_SHOWN = 10


class OtherContent(Failure):
    """A sample is not the image that it was when its content was hashed."""


class ContentGone(OtherContent, Gone):
    """None of the images that were hashed is in the split any more."""


def rows_named(base: BaseData, names: Sequence[str]) -> list[int]:
    """The rows of samples, one a name.

    A name is an id. Where images are files it may also be a path (from the dataset's folder, the
    split's, or the whole one) or a file's name if no other file has it; without a column of ids
    also a row, as SPLIT-ROW or a number. After a tab it may have `sha256:` and the SHA-256 of the
    encoded image. Raises ValueError for names that mean no sample or several, OtherContent for
    a sample that has other content.
    """
    wanted = [_parts(name) for name in names]
    rows = _rows(base, [name for name, _ in wanted])
    _check_content(base, rows, wanted)
    return rows


def notes_on_rows(base: BaseData, names: Sequence[str], rows: Sequence[int]) -> tuple[str, ...]:
    """Lines on names that are rows of the split, since those come to mean other samples."""
    wanted = [_parts(name) for name in names]
    if base.kind_of_ids == "path":
        told = [
            (name, row)
            for (name, _), row in zip(wanted, rows, strict=True)
            if _row_number(base, name) == row
        ]
        return tuple(
            f"{len(told)} of the ids are rows, not paths, such as {name!r}: {base.ids[row]}"
            for name, row in told[:1]
        )
    if base.kind_of_ids == "row" and any(content is None for _, content in wanted):
        return (
            f"ids are rows of split {base.split!r}, which come to mean other images once samples "
            f"are added or removed; `suli splits ids` lists them with hashes, which are checked",
        )
    return ()


def line_of(base: BaseData, row: int, content: str) -> str:
    """A sample as a list of names has it: its id and, after a tab, its content's SHA-256."""
    return f"{base.ids[row]}\t{HASH}{content}"


def contents_at(base: BaseData, rows: Sequence[int]) -> list[str]:
    """SHA-256 of the encoded images in these rows."""
    chosen = dataclasses.replace(base, dataset=base.dataset.select(rows))
    return [bytes(row).hex() for row in hashed_now(chosen).tolist()]


def rows_where(base: BaseData, conditions: Sequence[str]) -> list[int]:
    """The rows, ascending, in which any of the conditions holds; each is COLUMN=VALUE.

    A value is compared as text: a class by its name, 3.0 as `3`. Raises ValueError for a column
    that is not there, Gone for a condition that holds for no sample.
    """
    found: set[int] = set()
    for condition in conditions:
        name, equals, value = condition.partition("=")
        if not (name and equals):
            raise ValueError(f"conditions= takes COLUMN=VALUE, got {condition!r}")
        texts = _texts(base, name)
        rows = {row for row, text in enumerate(texts) if text is not None and text == value}
        if not rows:
            there = sorted({text for text in texts if text is not None})
            some = ", ".join(there[:_SHOWN]) + (", ..." if len(there) > _SHOWN else "")
            raise Gone(
                f"{base.source}: no sample of split {base.split!r} has {name} {value!r}; there "
                f"are: {some or 'no values'}"
            )
        found |= rows
    return sorted(found)


def _parts(line: str) -> tuple[str, str | None]:
    """A name, and the SHA-256 that was told with it."""
    name, _, content = line.rpartition("\t")
    if name and re.fullmatch(f"{HASH}[0-9a-f]{{64}}", content):
        return name.strip(), content.removeprefix(HASH)
    return line, None


def _rows(base: BaseData, names: Sequence[str]) -> list[int]:
    by_id = {name: row for row, name in enumerate(base.ids)}
    found = [by_id.get(name) for name in names]
    if None in found and base.root is not None:
        found = _by_file(base, names, found)
    if None in found and base.id_column is None:
        found = [
            _row_number(base, name) if row is None else row
            for name, row in zip(names, found, strict=True)
        ]
    missing = sorted({name for name, row in zip(names, found, strict=True) if row is None})
    if missing:
        first = f"; the first there is {base.ids[0]!r}" if len(base) else ""
        raise Gone(
            f"{len(missing)} of {len(set(names))} ids are not in split {base.split!r} of "
            f"{base.source}, such as {missing[0]!r}{first}"
        )
    return [row for row in found if row is not None]


def _row_number(base: BaseData, name: str) -> int | None:
    """The row that a name says, as SPLIT-ROW or a number; None if it says none that there is."""
    number = re.fullmatch(f"(?:{re.escape(base.split)}-)?([0-9]+)", name)
    return int(number[1]) if number and int(number[1]) < len(base) else None


def _by_file(base: BaseData, names: Sequence[str], found: Sequence[int | None]) -> list[int | None]:
    """The rows with those added that names tell as paths or as the names of files."""
    by_path = {path: row for row, path in enumerate(base.file_paths or ())}
    by_name: dict[str, list[int]] = {}
    for path, row in by_path.items():
        by_name.setdefault(PurePosixPath(path).name, []).append(row)

    def row_of(name: str) -> int | None:
        path = PurePosixPath(name.replace("\\", "/")).as_posix()
        for start in (f"{base.root}/", f"{base.split}/", ""):
            if path.removeprefix(start) in by_path:
                return by_path[path.removeprefix(start)]
        rows = by_name.get(path, [])
        if len(rows) > 1:
            paths = base.file_paths or []
            raise ValueError(
                f"{name!r} is the name of {len(rows)} files in split {base.split!r}, such as "
                f"{paths[rows[0]]} and {paths[rows[1]]}: give its path"
            )
        return rows[0] if rows else None

    return [row_of(name) if row is None else row for name, row in zip(names, found, strict=True)]


def _check_content(
    base: BaseData, rows: Sequence[int], wanted: Sequence[tuple[str, str | None]]
) -> None:
    told = [(row, *each) for row, each in zip(rows, wanted, strict=True) if each[1] is not None]
    found = contents_at(base, [row for row, _, _ in told]) if told else []
    wrong = [each for each, content in zip(told, found, strict=True) if each[2] != content]
    if not wrong:
        return
    _, name, content = wrong[0]
    everywhere = content_hashes(base)
    now = (
        f"its image is {base.ids[everywhere.index(content)]!r} now"
        if content in everywhere
        else f"its image is not in split {base.split!r} any more"
    )
    gone = len(wrong) == len(told) and not any(each[2] in everywhere for each in wrong)
    raise (ContentGone if gone else OtherContent)(
        f"{len(wrong)} of {len(told)} ids name another image than when they were written, such "
        f"as {name!r}: {now} (rows move when samples are added or removed)"
    )


def _texts(base: BaseData, name: str) -> list[str | None]:
    """The values of a column as texts; None where there is none."""
    from datasets import ClassLabel

    features = base.dataset.features
    if name not in features or name == base.image_column:
        raise ValueError(f"{base.source} has no column {name!r}; {described(features)}")
    values = one_each(base.column(name), f"{base.source}, column {name!r}").to_pylist()
    names = features[name].names if isinstance(features[name], ClassLabel) else None
    if names is not None:
        known = dict(enumerate(names))
        values = [known.get(value) for value in values]
    return [_text(value) for value in values]


def _text(value: Any) -> str | None:
    if isinstance(value, float):
        return None if value != value else f"{value:.0f}" if value.is_integer() else str(value)
    return None if value is None else str(value)
