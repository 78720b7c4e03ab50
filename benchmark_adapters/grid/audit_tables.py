"""The audits of a scenario as text: a headline for each row, and test by test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

from benchmark_adapters.audit.case_audit import (
    LIKE,
    NO_POWER,
    OVER,
    UNDER,
    CaseAudit,
    TestResult,
    Verdict,
)
from benchmark_adapters.grid.aligned import aligned_lines

Audits = Mapping[int, CaseAudit]
"""The audits of one scenario by seed."""
SIGNS: Mapping[Verdict, str] = {LIKE: "=", UNDER: "+", OVER: "-", NO_POWER: "?"}
TITLE = "like Retrain"
TESTS_A_TABLE = 6


def audit_column(audits: Audits, label: str) -> str:
    """In how many tests with power a row is like Retrain, over all seeds; a dash if unknown."""
    counts = [audit.counted(label) for audit in audits.values() if label in audit.roles]
    of = sum(count[1] for count in counts)
    return f"{sum(count[0] for count in counts)} of {of}" if of else "-"


def audit_notes(audits: Audits) -> list[str]:
    """What the column means, and which rows the audit can't tell from a control."""
    if not audits:
        return []
    retrains = len(next(iter(audits.values())).tests[0].retrains)
    lines = [
        f"{TITLE}: tests with power that can't tell the row from {retrains} Retrains, of all with "
        f"power, over the seeds; --panel shows them"
    ]
    hiding = _impostors(audits)
    if hiding:
        lines.append(f"cannot be told from a control, features and all: {', '.join(hiding)}")
    return lines


def audit_tables(audits: Audits) -> str:
    """Every test: its verdict of each row and seed, and its values with their distances."""
    if not audits:
        return ""
    labels = _labels(audits)
    names = list(dict.fromkeys(test.name for audit in audits.values() for test in audit.tests))
    parts = [_verdicts(audits, labels, names), _legend(audits, names)]
    for first in range(0, len(names), TESTS_A_TABLE):
        parts.append(_values(audits, labels, names[first : first + TESTS_A_TABLE]))
    return "\n".join(parts)


def _impostors(audits: Audits) -> list[str]:
    """Rows that are no controls and can't be told from one, under any seed."""
    found = (
        label
        for audit in audits.values()
        for label in audit.impostors
        if audit.roles.get(label) == "method"
    )
    return list(dict.fromkeys(found))


def _labels(audits: Audits) -> list[str]:
    """Methods first, controls last."""
    roles = {label: role for audit in audits.values() for label, role in audit.roles.items()}
    return sorted(roles, key=lambda label: roles[label] == "control")


def _verdicts(audits: Audits, labels: Sequence[str], names: Sequence[str]) -> str:
    """One sign a seed; tests by their numbers."""
    cells = [["the audit, test by test", *(str(n) for n in range(1, len(names) + 1))]]
    for label in labels:
        cells.append([label, *(_signs(audits, name, label) for name in names)])
    lines = aligned_lines(cells)
    rule = "-" * max(map(len, lines))
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])


def _signs(audits: Audits, name: str, label: str) -> str:
    found = (audit.verdicts(label).get(name) for audit in audits.values())
    return "".join(SIGNS.get(verdict, "·") if verdict else "·" for verdict in found)


def _legend(audits: Audits, names: Sequence[str]) -> str:
    signs = (
        f"a sign a seed ({', '.join(map(str, audits))}): = like Retrain, + under-forgotten, "
        f"- over-forgotten, ? no power, · not tested"
    )
    lines = [signs]
    for number, name in enumerate(names, 1):
        tests = tests_by_seed(audits, name)
        why = {seed: test.no_power for seed, test in tests.items() if test.no_power}
        without = "; ".join(f"seed {seed}: {reason}" for seed, reason in why.items())
        first = next(iter(tests.values()))
        lines.append(f"{number:2} {first.title}: {first.meaning}{f' ({without})' * bool(why)}")
    return "\n".join(lines)


def _values(audits: Audits, labels: Sequence[str], names: Sequence[str]) -> str:
    """Mean values over the seeds, and in brackets how many of the Retrains' deviations away."""
    tests = [tests_by_seed(audits, name) for name in names]
    titles = [next(iter(of.values())).title for of in tests]
    cells = [["value (distance)", *titles], ["Retrains", *(retrains_spread(of) for of in tests)]]
    for label in labels:
        cells.append([label, *(_value(of, label) for of in tests)])
    lines = aligned_lines(cells)
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:], rule])


def tests_by_seed(audits: Audits, name: str) -> dict[int, TestResult]:
    """The results of one test; seeds without it are left out."""
    return {
        seed: test for seed, audit in audits.items() for test in audit.tests if test.name == name
    }


def retrains_spread(tests: Mapping[int, TestResult]) -> str:
    """Mean and deviation of the Retrains' values, each meant over the seeds; a dash without."""
    known = [(test.mean, test.deviation) for test in tests.values()]
    means = [value for value, _ in known if value is not None]
    deviations = [value for _, value in known if value is not None]
    return f"{mean(means):.3f} ± {mean(deviations):.3f}" if means else "-"


def _value(tests: Mapping[int, TestResult], label: str) -> str:
    values = [test.values.get(label) for test in tests.values()]
    known = [value for value in values if value is not None]
    distances = [test.distances[label] for test in tests.values() if label in test.distances]
    if not known:
        return "-"
    away = f" ({mean(distances):+.1f})" if distances else ""
    return f"{mean(known):.3f}{away}"
