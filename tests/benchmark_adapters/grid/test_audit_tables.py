"""The audits of a scenario as text: a headline a row, signs a seed, values with their distances."""

from benchmark_adapters.audit.case_audit import LIKE, NO_POWER, UNDER, CaseAudit, TestResult
from benchmark_adapters.grid.audit_tables import audit_column, audit_notes, audit_tables

ROLES = {"original": "original", "suli": "method", "hidden": "method", "mask": "control"}


def result(name, verdicts, no_power=""):
    values = {label: 0.5 for label in verdicts}
    return TestResult(
        name, name.title(), "outputs", f"what {name} means", "plain", values,
        retrains=(0.1, 0.2, 0.3), mean=0.2, deviation=0.1, no_power=no_power,
        distances={label: 3.0 for label in verdicts}, verdicts=verdicts,
    )  # fmt: skip


def audit(seed, **verdicts):
    first = result("first", {label: verdicts.get(label, UNDER) for label in ROLES})
    blunt = result("blunt", dict.fromkeys(ROLES, NO_POWER), "it does not tell mask from Retrain")
    hidden = {"hidden": "cannot be told", "mask": "cannot be told"}
    return CaseAudit("class-wise", (3,), seed, (first, blunt), ROLES, 5.0, impostors=hidden)


AUDITS = {0: audit(0, suli=LIKE), 1: audit(1)}


def test_the_column_counts_tests_with_power_over_the_seeds():
    assert [audit_column(AUDITS, label) for label in ("suli", "mask", "elsewhere")] == [
        "1 of 2", "0 of 2", "-",
    ]  # fmt: skip


def test_the_notes_name_methods_that_hide_and_not_the_controls():
    meaning, hiding = audit_notes(AUDITS)
    assert "3 Retrains" in meaning and hiding.endswith(": hidden")
    assert audit_notes({}) == []


def test_the_tables_show_a_sign_a_seed_and_values_with_distances():
    text = audit_tables(AUDITS)
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert ["suli", "=+", "??"] in [line.split() for line in text.splitlines()]
    assert "seed 0: it does not tell mask from Retrain" in text and "what first means" in text
    assert rows["Retrains"] == ["Retrains", "0.200", "±", "0.100", "0.200", "±", "0.100"]
    assert rows["suli"] == ["suli", "0.500", "(+3.0)", "0.500", "(+3.0)"]
    assert audit_tables({}) == ""
