"""The audit of a scenario on a page: verdicts at a glance, then each test with all its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmark_adapters.audit.case_audit import (
    LIKE,
    NO_POWER,
    NOT_TESTED,
    OVER,
    UNDER,
    CaseAudit,
    TestResult,
    Verdict,
)
from benchmark_adapters.grid.audit_tables import SIGNS, retrains_spread, tests_by_seed
from benchmark_adapters.grid.retrains import is_retrain
from benchmark_adapters.grid.table import with_deviation
from benchmark_adapters.report.run_folder import Scenario

# A sign says it, the colour repeats it.
LOOKS: Mapping[Verdict, str] = {LIKE: "like", UNDER: "under", OVER: "over", NO_POWER: "none"}
UNTESTED = "·"
Tests = Mapping[int, TestResult]


def audit_part(scenario: Scenario) -> dict[str, Any]:
    """What the page shows of a scenario that has an audit."""
    audits = scenario.audits
    names = dict.fromkeys(test.name for audit in audits.values() for test in audit.tests)
    labels = _labels(scenario)
    tests = [_test(tests_by_seed(audits, name), labels, scenario) for name in names]
    controls = {label for a in audits.values() for label in a.roles if a.roles[label] == "control"}
    first = next((label for label in labels if label in controls), None)
    return {
        "seeds": ", ".join(map(str, audits)),
        "models": [{"label": label, "first_control": label == first} for label in labels],
        "tests": tests,
        "impostors": _impostors(audits),
        "not_tested": _not_tested(audits),
        "not_audited": [
            label for label in scenario.labels if label not in labels and not is_retrain(label)
        ],
    }


def _labels(scenario: Scenario) -> list[str]:
    """The judged models, in the order of the records, which has controls last."""
    roles = {label: role for a in scenario.audits.values() for label, role in a.roles.items()}
    known = [label for label in scenario.labels if label in roles]
    others = [label for label in roles if label not in known]
    return sorted([*known, *others], key=lambda label: roles[label] == "control")


def _test(tests: Tests, labels: Sequence[str], scenario: Scenario) -> dict[str, Any]:
    first = next(iter(tests.values()))
    seeds = list(scenario.audits)
    return {
        "title": first.title,
        "kind": first.kind,
        "meaning": first.meaning,
        "retrains": retrains_spread(tests),
        "why": _by_seed({seed: test.no_power for seed, test in tests.items()}, seeds),
        "signs": [[_sign(tests.get(seed), label) for seed in seeds] for label in labels],
        "rows": [_row(tests, label, seeds) for label in labels],
    }


def _row(tests: Tests, label: str, seeds: Sequence[int]) -> list[str]:
    """A model's name, value, distance and verdict in one test."""
    values = [test.values.get(label) for test in tests.values()]
    known = [value for value in values if value is not None]
    distances = [test.distances[label] for test in tests.values() if label in test.distances]
    verdicts = {seed: str(test.verdicts.get(label, NOT_TESTED)) for seed, test in tests.items()}
    away = with_deviation(distances, 1)
    return [
        label,
        with_deviation(known, 3),
        f"+{away}" if distances and not away.startswith("-") else away,
        _by_seed(verdicts, seeds),
    ]


def _sign(test: TestResult | None, label: str) -> dict[str, str]:
    verdict = test.verdicts.get(label, NOT_TESTED) if test else NOT_TESTED
    return {"text": SIGNS.get(verdict, UNTESTED), "look": LOOKS.get(verdict, "none")}


def _by_seed(words: Mapping[int, str], seeds: Sequence[int]) -> str:
    """What is said of all seeds once, and else with those of which it is; empty words are not."""
    said: dict[str, list[int]] = {}
    for seed, word in words.items():
        if word:
            said.setdefault(word, []).append(seed)
    if [*said.values()] == [list(seeds)]:
        return next(iter(said))
    return "; ".join(f"{word} (seed {', '.join(map(str, of))})" for word, of in said.items())


def _impostors(audits: Mapping[int, CaseAudit]) -> list[tuple[str, str]]:
    """The sentence on each model that the audit can't tell from a control; controls are known."""
    found: dict[str, dict[int, str]] = {}
    for seed, audit in audits.items():
        for label, sentence in audit.impostors.items():
            if audit.roles.get(label) != "control":
                found.setdefault(label, {})[seed] = sentence
    return [(label, _by_seed(of, list(audits))) for label, of in found.items()]


def _not_tested(audits: Mapping[int, CaseAudit]) -> list[tuple[str, str]]:
    found: dict[str, dict[int, str]] = {}
    for seed, audit in audits.items():
        for title, why in audit.not_tested.items():
            found.setdefault(title, {})[seed] = why
    return [(title, _by_seed(of, list(audits))) for title, of in found.items()]
