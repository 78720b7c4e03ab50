"""What the audits behind the boards measured: the committed ones, of the boards' very models."""

import json
import shutil
from statistics import mean, stdev

import pytest
from repository import ROOT

from benchmark_adapters.grid.case_audits import AUDIT
from leaderboards.comparison.audited import (
    audited_scenarios,
    audited_tables,
    checked_audits,
)
from leaderboards.comparison.record_folder import contest_records
from leaderboards.reproduction.audited_tables import audited_tables as reproducible

RESULTS = ROOT / "leaderboards" / "results"
AUDITS = RESULTS / "audits"


@pytest.fixture(scope="module")
def records():
    return contest_records(RESULTS)


@pytest.fixture(scope="module")
def class_3():
    """The whole audits of class 3, by seed, as they are written."""
    folder = AUDITS / "cifar10-fast" / "class-3"
    return [json.loads((folder / f"{seed}-{AUDIT}").read_text("utf-8")) for seed in range(3)]


def rows(table):
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    titles, _, *models = lines
    return {row[0]: dict(zip(titles, row, strict=True)) for row in models}


def written(values):
    return f"{100 * mean(values):.1f} ± {100 * stdev(values):.1f}"


def test_figures_are_means_over_the_originals_beside_all_their_retrains(records, class_3):
    table = rows(audited_tables(AUDITS, records)["audited.cifar10-fast.class-3"])
    tests = [{test["name"]: test for test in audit["tests"]} for audit in class_3]
    for name, title in (("one_constant", "One constant %"), ("read_back", "Original read back %")):
        own = [each[name]["values"]["cf_k"] for each in tests]
        retrains = [value for each in tests for value in each[name]["retrains"]]
        assert table["`cf_k`"][title] == written(own)
        assert len(retrains) == 15 and table["Retrain"][title] == written(retrains)
    assert list(table)[:3] == ["Retrain", "`original`", "`retrain_held_out`"]
    assert all(name.endswith("(control)") for name in list(table)[-7:])


def test_the_audits_count_what_the_boards_say(records):
    """They were judged apart, from the evidence of a run and from that of the submissions."""
    rows_of = json.loads((RESULTS / "aggregate.json").read_text("utf-8"))["rows"]
    boards = {
        (row["board"].partition(".")[0], *row["scenarios"], row["method"]): row["audit"]
        for row in rows_of
        if row.get("audit")
    }
    for scenario in audited_scenarios(AUDITS):
        place = (scenario.parent.name, scenario.name)
        audits = checked_audits(scenario, records)
        said = {label: audit for (*at, label), audit in boards.items() if tuple(at) == place}
        assert len(said) > 15
        for label, audit in said.items():
            like, power = map(sum, zip(*(each.counted(label) for each in audits), strict=True))
            assert (like, power) == (audit["like"], audit["with_power"]), (place, label)


def test_every_table_can_be_reproduced(records):
    names = [table.name for table in reproducible(RESULTS)]
    assert names == list(audited_tables(AUDITS, records)) and len(names) == 4


def test_audits_of_other_models_are_refused(records, tmp_path):
    folder = tmp_path / "cifar10-fast" / "class-3"
    shutil.copytree(AUDITS / "cifar10-fast" / "class-3", folder)
    (one,) = (r for r in records if (r["scenario"], r["seed"], r["method"]) == ("class-3", 1, "su"))
    other = [{**one, "unlearned_hash": "0" * 64}]
    said = r"class-3 has no audit of su, seed 1, as it is on the board; .* its 1-audit\.json"
    with pytest.raises(ValueError, match=said):
        audited_tables(tmp_path, other)
    (folder / f"1-{AUDIT}").unlink()
    with pytest.raises(ValueError, match=r"no audit of su, seed 1"):
        audited_tables(tmp_path, [one])
    (folder / f"1-{AUDIT}").write_text("{")
    with pytest.raises(ValueError, match=r"1-audit\.json is no audit that this version can read"):
        audited_tables(tmp_path, [one])


def test_a_row_without_an_audit_is_said_to_have_none(records):
    new = {**next(r for r in records if r["scenario"] == "class-5"), "method": "theirs"}
    table = audited_tables(AUDITS, [*records, new])["audited.cifar10-fast.class-5"]
    assert table.endswith("\n\nOn the board, but no audit was brought of: `theirs`.")
    assert "brought" not in "".join(audited_tables(AUDITS, records).values())


def test_without_a_folder_there_is_no_table(records, tmp_path):
    assert audited_tables(tmp_path / "none", records) == {}
