"""What an audit found, as a table for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark_adapters.audit.case_audit import CaseAudit, TestResult
from benchmark_adapters.audit.verdict import MODEL
from benchmark_adapters.checkpoint_audit.audited import CheckpointAudit

NOTHING = "-"


def printed(found: CheckpointAudit) -> list[str]:
    """The lines: a row for each test, what was not tested, headline and verdict."""
    audit = found.audit
    rows = _against_retrains(audit) if audit.limit else _of_every_model(audit)
    lines = _aligned(rows)
    lines += [f"not tested: {what}: {why}" for what, why in audit.not_tested.items()]
    if found.same_recipe is not None or found.why:
        lines.append(f"recipe: {found.why}")
    return [*lines, audit.headline(MODEL), found.verdict.sentence]


def _against_retrains(audit: CaseAudit) -> list[list[str]]:
    head = ["test", MODEL, "Retrains", "distance", "verdict"]
    return [head, *(_row(test) for test in audit.tests)]


def _row(test: TestResult) -> list[str]:
    distance = test.distances.get(MODEL)
    return [
        test.title,
        number(test.values.get(MODEL)),
        spread_of(test),
        NOTHING if distance is None else f"{distance:+.1f}",
        said_of(test),
    ]


def said_of(test: TestResult) -> str:
    """The verdict on the model, or why there is none."""
    verdict = test.verdicts.get(MODEL)
    if verdict is None:
        return "not tested"
    return f"no power: {test.no_power}" if test.no_power and test.mean is not None else verdict


def _of_every_model(audit: CaseAudit) -> list[list[str]]:
    """Without Retrains, the models beside each other."""
    labels = [MODEL, *(label for label in audit.roles if label != MODEL)]
    rows = [
        [test.title, *(number(test.values.get(label)) for label in labels)] for test in audit.tests
    ]
    return [["test", *labels], *rows]


def spread_of(test: TestResult) -> str:
    """The Retrains' mean and deviation in the table."""
    if test.mean is None or test.deviation is None:
        return NOTHING
    return f"{test.mean:.3f} ± {test.deviation:.3f}"


def number(value: float | None) -> str:
    """A value in the table."""
    return NOTHING if value is None else f"{value:.3f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first column to the left, numbers to the right, words at the end as they are."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    words = rows[0][-1] == "verdict"
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        for at in range(1, len(row)):
            last = words and at == len(row) - 1
            cells.append(row[at] if last else row[at].rjust(widths[at]))
        lines.append("  ".join(cells))
    return lines
