"""Make one run folder of several, and report where they do not agree."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark_adapters.grid.case_audits import AUDIT
from benchmark_adapters.grid.case_values import VALUES
from benchmark_adapters.grid.cell_list import (
    FAILED,
    PLANNED,
    add_planned,
    change_unmade,
    read_planned,
    read_unmade,
)
from benchmark_adapters.records.evidence import evidence_path
from benchmark_adapters.records.record import read_record, write_atomically

# What two runs of one cell may differ in and have the same result.
TIMES = ("seconds", "created", "command", "digest")
# Where it ran decides no result by itself: if it does, the result is another.
_PLACE = ("hardware", "versions", "git_commit")


@dataclass
class Merged:
    """What came of it. records: how many are in the folder now, of those that were given.

    differing: a line for each cell with two different results, of which none was taken. not_taken:
    audits that differ, which the records decide; a run makes them anew. broken: files left out.
    """

    records: int = 0
    differing: list[str] = field(default_factory=list)
    not_taken: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def merge(folders: Sequence[Path], output: Path) -> Merged:
    """Copy the cells of run folders into one; files come over byte for byte.

    What is in the output folder already counts as one of them. Of equal results the one that was
    created first stays. Raises ValueError for a folder without runs.
    """
    sources = [*([output] if output.is_dir() else []), *folders]
    for folder in folders:
        if not any(folder.glob(f"*/{PLANNED}")):
            raise ValueError(f"{folder} is no folder of a run: nothing was planned in it")
    merged = Merged()
    for name in _names(sources, "*/*/*/[0-9]*-*.json"):
        _merge_record(name, sources, output, merged)
    for kind in (AUDIT, VALUES):
        for name in _names(sources, f"*/*/[0-9]*-{kind}"):
            _merge_judgement(name, sources, output, merged)
    for folder in folders:
        _merge_lists(folder, output)
    return merged


def _names(folders: Sequence[Path], pattern: str) -> list[Path]:
    found = {path.relative_to(folder) for folder in folders for path in folder.glob(pattern)}
    return sorted(found)


def _merge_record(name: Path, sources: Sequence[Path], output: Path, merged: Merged) -> None:
    there = dict(_whole(name, sources, merged))
    if not there:
        return
    results = {folder: _result(record) for folder, record in there.items()}
    first = min(there, key=lambda folder: str(there[folder]["created"]))
    for folder, result in results.items():
        if result != results[first]:
            fields = [key for key in result.keys() | results[first].keys()
                      if result.get(key) != results[first].get(key)]  # fmt: skip
            merged.differing.append(
                f"{name}: {first} and {folder} have different results ({', '.join(sorted(fields))})"
            )
            return
    merged.records += 1
    if first != output:
        _copy(first / name, there[first], output / name)


def _whole(
    name: Path, sources: Sequence[Path], merged: Merged
) -> Iterator[tuple[Path, dict[str, Any]]]:
    for folder in sources:
        if (folder / name).is_file():
            try:
                yield folder, read_record(folder / name)
            except ValueError as error:
                merged.broken.append(str(error))


def _result(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in (*TIMES, *_PLACE)}


def _copy(source: Path, record: Mapping[str, Any], target: Path) -> None:
    """The record last, so that an interrupted copy is none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for kind in record.get("evidence") or {}:
        evidence = evidence_path(source, record, kind)
        if evidence is not None:
            unfinished = target.parent / f".{evidence.name}.part"
            shutil.copyfile(evidence, unfinished)
            unfinished.replace(target.parent / evidence.name)
    write_atomically(target, source.read_bytes())


def _merge_judgement(name: Path, sources: Sequence[Path], output: Path, merged: Merged) -> None:
    contents = {path.read_bytes() for folder in sources if (path := folder / name).is_file()}
    if len(contents) == 1:
        write_atomically(output / name, contents.pop())
        return
    (output / name).unlink(missing_ok=True)
    merged.not_taken.append(f"{name}: the same `suli bench run` on the merged folder makes it")


def _merge_lists(folder: Path, output: Path) -> None:
    """The plans together; of what failed, what nobody has a result of."""
    for listed in (PLANNED, FAILED):
        for place in (path.parent for path in folder.glob(f"*/{listed}")):
            target = output / place.name
            add_planned(target, read_planned(place))
            done = {cell.cell for cell in read_planned(target) if cell.path(target).is_file()}
            unmade = {**read_unmade(place), **dict.fromkeys(done)}
            change_unmade(target, unmade)


def as_json(merged: Merged) -> str:
    """All of it, for programs."""
    return json.dumps(vars(merged), indent=1)
