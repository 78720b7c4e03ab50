"""The records of a run folder, by benchmark and scenario; what could not be read is named."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, get_args

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.grid.retrains import HELD_OUT, RETRAIN
from benchmark_adapters.grid.sequence_tables import sequence_of, sequences
from benchmark_adapters.records.record import read_record
from benchmark_adapters.report.audit_files import Audits, fitting, read_audits
from suli_plugin.unlearner import Scope

ROUND = {"loss", "forget_accuracy", "layer", "accepted"}
FILE = re.compile(r"\d+-[0-9a-f]{12}\.json")
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Stored:
    """A record and the file it was read from."""

    path: Path
    record: Record


@dataclass(frozen=True)
class Scenario:
    """The records of one scenario of one benchmark: references, methods, controls, by seed.

    audits: by seed; none where the run had none.
    """

    benchmark: str
    name: str
    stored: tuple[Stored, ...]
    audits: Mapping[int, CaseAudit] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.benchmark} {self.name}"

    @property
    def records(self) -> list[Record]:
        """The records alone."""
        return [each.record for each in self.stored]

    @property
    def class_wise(self) -> bool:
        """Whether a class is forgotten, rather than samples."""
        return bool(self.stored[0].record["scope"] == "class-wise")

    @property
    def in_turn(self) -> bool:
        """Whether any method was asked request after request."""
        return bool(sequences(self.records))

    @property
    def labels(self) -> list[str]:
        """The methods, in the records' order."""
        return list(dict.fromkeys(r["method"] for r in self.records))

    @property
    def controls(self) -> set[str]:
        """The methods that forget nothing."""
        return {r["method"] for r in self.records if r.get("control")}

    @property
    def seeds(self) -> list[int]:
        """The seeds, ascending."""
        return sorted({r["seed"] for r in self.records})

    def of(self, label: str, seed: int) -> Stored | None:
        """The record of a method under a seed, if there is one."""
        for each in self.stored:
            if each.record["method"] == label and each.record["seed"] == seed:
                return each
        return None


@dataclass(frozen=True)
class RunFolder:
    """scenarios: what was read. set_aside: one line for each file that is not shown, and why."""

    scenarios: tuple[Scenario, ...]
    set_aside: tuple[str, ...]


def read_run_folder(folder: Path) -> RunFolder:
    """Read every record under a folder that `suli bench run` wrote, or under a part of it.

    Of several records of one method, scenario and seed the newest counts. Raises ValueError if
    there is no folder, or no whole record in it.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; expected one that `suli bench run` wrote")
    found, set_aside = _whole_records(folder)
    if not found:
        why = f": {set_aside[0]}" if set_aside else "; expected BENCHMARK/SCENARIO/METHOD/*.json"
        raise ValueError(f"no record of `suli bench run` in {folder}{why}")
    newest, older = _newest(found)
    audits, damaged = read_audits(folder)
    scenarios, others = _by_scenario(newest, audits)
    return RunFolder(scenarios, tuple(set_aside + older + damaged + others))


def matching(known: Sequence[str], patterns: Sequence[str], what: str) -> list[str]:
    """Those that a name or glob chooses, in their own order; all if there is no pattern.

    Raises ValueError for a pattern that chooses none.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise ValueError(f"no {what} {pattern!r} in this run; it has: {', '.join(known)}")
    return [name for name in known if not patterns or any(fnmatchcase(name, p) for p in patterns)]


def _whole_records(folder: Path) -> tuple[list[Stored], list[str]]:
    found, set_aside = [], []
    for path in sorted(path for path in folder.rglob("*.json") if FILE.fullmatch(path.name)):
        try:
            record = read_record(path)
            _check_parts(path, record)
            found.append(Stored(path, record))
        except ValueError as error:
            set_aside.append(str(error))
    return found, set_aside


def _check_parts(path: Path, record: Record) -> None:
    """Raise ValueError if what is drawn is not there; a record may come from anyone."""
    seconds, passes, kept = record["seconds"], record["passes"], record.get("evidence")
    wrong = [
        name
        for name, right in {
            "scope": record["scope"] in get_args(Scope),
            "seconds": all(isinstance(seconds.get(n), (int, float)) for n in ("update", "total")),
            "passes": all(isinstance(passes.get(n), dict) for n in ("forward", "backward")),
            "history": all(isinstance(e, dict) and e.keys() >= ROUND for e in record["history"]),
            "evidence": kept is None or isinstance(kept.get("model"), dict),
        }.items()
        if not right
    ]
    if wrong:
        raise ValueError(f"{path} is not a whole record: {wrong[0]!r} lacks a part")
    try:
        sequence_of(record)
    except ValueError as error:
        raise ValueError(f"{path} is not a whole record: {error}") from error


def _newest(found: Sequence[Stored]) -> tuple[list[Stored], list[str]]:
    """The newest record of each cell, and a line for each older one."""
    newest: dict[tuple[str, str, str, int], Stored] = {}
    older = []
    for each in sorted(found, key=lambda stored: str(stored.record["created"])):
        cell = each.record
        key = (cell["benchmark"], cell["scenario"], cell["method"], cell["seed"])
        if key in newest:
            older.append(f"{newest[key].path} is older than {each.path.name}")
        newest[key] = each
    return list(newest.values()), older


def _by_scenario(
    stored: Sequence[Stored], audits: Audits
) -> tuple[tuple[Scenario, ...], list[str]]:
    """The scenarios, and a line for each audit of other models than their records'."""
    groups: dict[tuple[str, str], list[Stored]] = {}
    for each in stored:
        groups.setdefault((each.record["benchmark"], each.record["scenario"]), []).append(each)
    scenarios, set_aside = [], []
    for (benchmark, name), group in sorted(groups.items(), key=lambda item: _natural(item[0])):
        fit, others = fitting(audits, ((each.path, each.record) for each in group))
        scenarios.append(Scenario(benchmark, name, tuple(sorted(group, key=_place)), fit))
        set_aside += others
    return tuple(scenarios), set_aside


def _natural(names: tuple[str, str]) -> tuple[str, str, int, str]:
    """`class-10` comes after `class-9`."""
    kind, _, number = names[1].partition("-")
    return names[0], kind, int(number) if number.isdigit() else 0, names[1]


def _place(stored: Stored) -> tuple[bool, int, str, int]:
    """References first, then SULI and SU whatever their presets, controls last."""
    record = stored.record
    method = record["method"].partition("@")[0]
    first = ("original", RETRAIN, HELD_OUT, "suli", "su")
    rank = first.index(method) if method in first else len(first)
    return bool(record.get("control")), rank, record["method"], record["seed"]
