"""A record beside what today's code makes of its cell: figure by figure, and what else differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from leaderboards.board.metrics import AUDIT_COUNTS
from leaderboards.reproduction.again import Again
from leaderboards.reproduction.table import Record, Recorded, Table
from leaderboards.reproduction.tolerances import DERIVED, Tolerances
from leaderboards.verification.findings import as_run_again

Verdict = Literal["the same", "within noise", "differs", "not judged", "not run", ""]
# A sum in another order.
ROUNDED = 1e-12
# Figures that other models have a part in.
_BESIDE = DERIVED | set(AUDIT_COUNTS)


@dataclass(frozen=True)
class Compared:
    """A figure now and in the record. tolerance: by how much it may differ, None if not known."""

    column: str
    now: float | None
    recorded: float | None
    tolerance: float | None
    verdict: Verdict


@dataclass(frozen=True)
class CellAgain:
    """One cell run again. notes: what else differs. problem: why there are no figures."""

    recorded: Recorded
    again: Again
    figures: tuple[Compared, ...]
    notes: tuple[str, ...]
    problem: str = ""

    @property
    def differing(self) -> list[Compared]:
        """The figures that differ from the record's by more than is known of the noise."""
        return [each for each in self.figures if each.verdict == "differs"]

    @property
    def holds(self) -> bool:
        """Whether it could be run, on the same data, and no figure differs."""
        return not (self.problem or self.differing)


class Judge:
    """Holds what was run again against its records. table: whole, for the noise of its records."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._tolerances: dict[tuple[str, str], Tolerances] = {}

    def cell(self, again: Again) -> CellAgain:
        """One record's cell, with a verdict on each of the table's columns."""
        own, fresh = again.recorded, again.record
        if fresh is None:
            return CellAgain(own, again, (), (), again.problem)
        other_data = _other_data(own.record, fresh)
        figures = tuple(self._figure(again, fresh, name) for name in self.table.columns)
        return CellAgain(own, again, figures, tuple(_notes(own.record, fresh)), other_data)

    def _figure(self, again: Again, fresh: Record, name: str) -> Compared:
        own = again.recorded
        now, then = again.values.get(name), own.values.get(name)
        same_machine = _machine(own.record) == _machine(fresh)
        tolerance = self._of(own).of(own, name, same_machine=same_machine)
        if now is None and then is not None and (again.alone or name in _BESIDE):
            return Compared(name, now, then, tolerance, "not run")
        verdict = _verdict(name, now, then, tolerance)
        return Compared(name, now, then, tolerance, verdict)

    def _of(self, own: Recorded) -> Tolerances:
        key = (own.record["benchmark"], own.record["scope"])
        if key not in self._tolerances:
            records = [each.record for each in self.table.recorded]
            of = [r for r in records if (r["benchmark"], r["scope"]) == key]
            self._tolerances[key] = Tolerances(of)
        return self._tolerances[key]


def _verdict(name: str, now: float | None, then: float | None, tolerance: float | None) -> Verdict:
    if now is None and then is None:
        return ""
    if now is not None and then is not None and abs(now - then) <= ROUNDED:
        return "the same"
    if tolerance is None:
        return "not judged"
    return "within noise" if as_run_again(name, then, now, tolerance) else "differs"


def _machine(record: Record) -> tuple[Any, ...]:
    told = tuple(record[name] for name in ("hardware", "device", "precision", "versions"))
    return (*told, record.get("compiled"))


def _other_data(then: Record, now: Record) -> str:
    """Which sets are not those of the record, empty if none."""
    hashes = now["set_hashes"]
    other = [name for name, found in then["set_hashes"].items() if hashes.get(name) != found]
    return f"other data: {', '.join(other)} here is not that of the record" if other else ""


def _notes(then: Record, now: Record) -> Iterator[str]:
    if then["unlearned_hash"] == now["unlearned_hash"]:
        yield "the same weights, bit by bit"
    elif then["original_hash"] != now["original_hash"]:
        yield "from another original"
    for name in ("hardware", "device", "processes"):
        if then[name] != now[name]:
            yield f"{name}: {now[name]} now, {then[name]} then"
    for name, version in then["versions"].items():
        found = now["versions"].get(name)
        if found != version:
            yield f"{name}: {found} now, {version} then"


def summary(cells: Sequence[CellAgain]) -> Mapping[Verdict, int]:
    """How many figures there are of each verdict."""
    verdicts = [each.verdict for cell in cells for each in cell.figures if each.verdict]
    return {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
