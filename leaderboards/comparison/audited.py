"""What the audits behind the boards measured, test by test, beside the Retrains of their recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.grid.case_audits import AUDIT, read_audit
from leaderboards.comparison.paper import markdown_table, number, spread_of

Record = Mapping[str, Any]
# By scope, the tests that are shown, each with its column's title.
SHOWN: Mapping[str, Mapping[str, str]] = {
    "class-wise": {
        "one_constant": "One constant %",
        "few_shot": "Five images %",
        "linear_probe": "Linear probe %",
        "nearest_mean": "Nearest mean %",
        "prototype": "Prototype %",
        "read_back": "Original read back %",
        "answers_map": "Answers explained %",
        "cka": "CKA to Retrains %",
        "idi": "Information left %",
    },
    "instance-wise": {
        "rmia_auc": "RMIA AUC %",
        "rmia_memorised": "RMIA AUC, memorised %",
        "rmia_tpr_at_1": "RMIA TPR at 1 %",
        "rmia_tpr_at_01": "RMIA TPR at .1 %",
        "retain_only": "Retained images %",
        "int8": "Forget, int8 %",
        "int4": "Forget, int4 %",
    },
}
_ROLES = ("original", "held out", "method", "control")


def audited_tables(folder: Path, records: Sequence[Record]) -> dict[str, str]:
    """Markdown by name, `audited.<benchmark>.<scenario>`; none without the folder.

    folder: `<benchmark>/<scenario>/<seed>-audit.json`, as `suli bench run` writes them. records: of
    the boards, whose models these must be; below a table stand those that no audit was brought of.
    Means and deviations are over the originals, Retrains' over all of them. Raises ValueError where
    another model was audited.
    """
    tables = {}
    for scenario in audited_scenarios(folder):
        audits = checked_audits(scenario, records)
        known = set.intersection(*(set(audit.hashes) for audit in audits))
        without = {each["method"] for each in records_at(scenario, records)} - known
        name = f"audited.{scenario.parent.name}.{scenario.name}"
        tables[name] = _table(audits) + _left_out(sorted(without))
    return tables


def audited_scenarios(folder: Path) -> list[Path]:
    """The folders with audits in them."""
    return sorted({path.parent for path in folder.glob(f"*/*/*-{AUDIT}")})


def checked_audits(scenario: Path, records: Sequence[Record]) -> list[CaseAudit]:
    """A scenario's audits, by seed, of these records' very models.

    Raises ValueError for one that can't be read or is missing, and where another model than a
    record's is in it.
    """
    audits = {audit.seed: audit for audit in _audits(scenario)}
    for record in records_at(scenario, records):
        method, seed = record["method"], record["seed"]
        found = audits[seed].hashes.get(method) if seed in audits else ""
        if found not in (None, record["unlearned_hash"]):
            raise ValueError(
                f"{scenario} has no audit of {method}, seed {seed}, as it is on the board; run it "
                f"with the Retrains and bring its {seed}-{AUDIT}"
            )
    return [audits[seed] for seed in sorted(audits)]


def records_at(scenario: Path, records: Sequence[Record]) -> list[Record]:
    """Those of one scenario's folder."""
    place = (scenario.parent.name, scenario.name)
    return [each for each in records if (each["benchmark"], each["scenario"]) == place]


def _audits(scenario: Path) -> Iterator[CaseAudit]:
    for path in sorted(scenario.glob(f"*-{AUDIT}")):
        seed = path.name.removesuffix(f"-{AUDIT}")
        audit = read_audit(scenario, int(seed)) if seed.isdecimal() else None
        if audit is None:
            raise ValueError(f"{path} is no audit that this version can read")
        yield audit


def _table(audits: Sequence[CaseAudit]) -> str:
    shown = SHOWN[audits[0].scope]
    retrains = [_of_retrains(audits, name) for name in shown]
    rows = [
        [f"`{label}`{_said(audits, label)}", _count(audits, label), *_measured(audits, label)]
        for label in _ordered(audits)
    ]
    return markdown_table(
        ["Method", "Like Retrain", *shown.values()], [["Retrain", "–", *retrains], *rows]
    )


def _left_out(methods: Sequence[str]) -> str:
    names = ", ".join(f"`{method}`" for method in methods)
    return f"\n\nOn the board, but no audit was brought of: {names}." if names else ""


def _ordered(audits: Sequence[CaseAudit]) -> list[str]:
    """References, then methods by the tests in which they are like Retrain, then controls."""
    roles = {label: role for audit in audits for label, role in audit.roles.items()}
    shown = [label for label, role in roles.items() if role in _ROLES]
    like = {label: sum(audit.counted(label)[0] for audit in audits) for label in shown}
    return sorted(shown, key=lambda label: (_ROLES.index(roles[label]), -like[label], label))


def _said(audits: Sequence[CaseAudit], label: str) -> str:
    return " (control)" * any(audit.roles.get(label) == "control" for audit in audits)


def _count(audits: Sequence[CaseAudit], label: str) -> str:
    counts = [audit.counted(label) for audit in audits]
    return f"{sum(like for like, _ in counts)} of {sum(of for _, of in counts)}"


def _measured(audits: Sequence[CaseAudit], label: str) -> Iterator[str]:
    shown = SHOWN[audits[0].scope]
    each = [audit.measured(label, shown) for audit in audits]
    for name in shown:
        yield number(spread_of(values.get(name) for values in each), 100, 1)


def _of_retrains(audits: Sequence[CaseAudit], name: str) -> str:
    tests = [test for audit in audits for test in audit.tests if test.name == name]
    return number(spread_of(value for test in tests for value in test.retrains), 100, 1)
