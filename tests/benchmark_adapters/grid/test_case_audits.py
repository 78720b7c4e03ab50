"""The audit of a grid's case: kept beside the records, judged again only where a model is new."""

import json
import shutil
from dataclasses import dataclass
from typing import ClassVar

import pytest
from accelerate import Accelerator

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.grid import case_audits
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import run_grid
from suli_plugin.plugins import load_plugins

REGISTRY = load_plugins(strict=True)
YARDSTICK = ["original", "retrain", "retrain@2", "retrain_held_out"]
CONTROLS = ["bias_mask", "bn_drift", "drift_mask", "head_distill", "head_projection",
            "logit_mask", "noise_mask"]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Brief(Digits):
    """With a control that takes the longest cut short."""

    settings: ClassVar = {**Digits.settings, "head_distill": {"epochs": 2}}


def run(folder, methods, seeds=(0,), retrains=2, **more):
    cells = plan(Brief(), REGISTRY, scenarios=["class-3"], methods=methods, seeds=seeds,
                 retrains=retrains, accelerator=Accelerator())  # fmt: skip
    outcome = run_grid(cells, Brief(), REGISTRY, folder, Accelerator(), **more)
    assert not outcome.failed
    return outcome


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The folder of a run with an audit, and its outcome."""
    folder = tmp_path_factory.mktemp("audited")
    return folder, run(folder, ["retrain", "suli"], seeds=(0, 1))


@pytest.fixture
def again(first, tmp_path):
    """A copy of that folder, to go on in."""
    return shutil.copytree(first[0], tmp_path / "again")


def test_retrain_brings_what_an_audit_needs(first):
    labels = {record["method"] for record in first[1].records}
    assert labels == {*YARDSTICK, *CONTROLS, "suli"}
    assert set(first[1].audits) == {("class-3", 0), ("class-3", 1)}


def test_the_held_out_retrain_passes_whatever_has_power_and_the_original_nothing(first):
    for audit in first[1].audits.values():
        like, of = audit.counted("retrain_held_out")
        assert like == of > 0 and audit.counted("original") == (0, of)


def test_class_wise_a_repeat_is_trained_once_for_all_seeds(first):
    repeats = [r for r in first[1].records if r["method"] == "retrain@2"]
    assert len({record["unlearned_hash"] for record in repeats}) == 1
    assert [r["notes"].get("trained_for_seed") for r in repeats] == [None, 0]
    assert [record["seed"] for record in repeats] == [0, 1]
    own = [r["unlearned_hash"] for r in first[1].records if r["method"] == "retrain"]
    assert len({*own, repeats[0]["unlearned_hash"]}) == 3


def test_a_second_run_reads_the_audit_and_makes_no_case(first, again, monkeypatch):
    monkeypatch.setattr(Brief, "case", lambda *_: pytest.fail("nothing was to be made"))
    assert run(again, ["retrain", "suli"], seeds=(0, 1)).audits == first[1].audits
    fewer = run(again, ["retrain"], seeds=(0,))
    assert "suli" not in fewer.audits["class-3", 0].roles


def test_a_further_method_is_judged_alone_and_the_others_stay(first, again, monkeypatch):
    folder, outcome = again, first[1]
    judged = []
    whole = case_audits.judge
    monkeypatch.setattr(
        case_audits,
        "judge",
        lambda case, **more: judged.append(set(case.models)) or whole(case, **more),
    )
    run(folder, ["retrain", "su"], seeds=(1,))
    assert judged == [{"original", "retrain_held_out", *CONTROLS, "su"}]
    content = json.loads((folder / "digits" / "class-3" / "1-audit.json").read_text())
    assert {"su", "suli"} <= content["roles"].keys()
    suli = run(folder, ["retrain", "suli"], seeds=(1,)).audits["class-3", 1]
    assert suli == outcome.audits["class-3", 1]


def test_other_retrains_are_another_yardstick(first, again):
    more = run(again, ["retrain", "suli"], seeds=(0,), retrains=3).audits["class-3", 0]
    before = first[1].audits["class-3", 0]
    assert len(more.tests[0].retrains) == 3 and more.limit < before.limit


@pytest.mark.parametrize("rule", [1, None])
def test_what_another_rule_judged_is_judged_again(first, again, rule):
    path = again / "digits" / "class-3" / "0-audit.json"
    kept = json.loads(path.read_text())
    distances = {label: 99.0 for label in kept["tests"][0]["distances"]}
    old = {**kept, "tests": [{**test, "distances": distances} for test in kept["tests"]]}
    rules = {} if rule is None else {"rule": rule}
    path.write_text(json.dumps({k: v for k, v in old.items() if k != "rule"} | rules))
    made = run(again, ["retrain", "suli"]).audits["class-3", 0]
    assert made == first[1].audits["class-3", 0]


def test_without_evidence_there_is_an_audit_all_the_same(first, tmp_path):
    audits = run(tmp_path, ["retrain", "suli"], evidence=False).audits
    expected = first[1].audits["class-3", 0]
    assert audits["class-3", 0].verdicts("suli") == expected.verdicts("suli")


def test_without_an_audit_exactly_the_named_methods_run(tmp_path):
    cells = plan(Brief(), REGISTRY, scenarios=["class-3"], methods=["retrain", "suli"], seeds=(0,),
                 accelerator=Accelerator())  # fmt: skip
    assert [cell.label for cell in cells] == ["retrain", "suli"]
    unknown = plan(Brief(), REGISTRY, scenarios=["class-3"], methods=["original", "suli"],
                   seeds=(0,), retrains=5, accelerator=Accelerator())  # fmt: skip
    assert [cell.label for cell in unknown] == ["original", "suli"]


def test_a_benchmark_that_does_not_know_its_recipe_gets_no_retrains(monkeypatch):
    monkeypatch.setattr(Brief, "original_recipe", lambda self: None)
    cells = plan(Brief(), REGISTRY, scenarios=["class-3"], methods=["retrain"], seeds=(0,),
                 retrains=5, accelerator=Accelerator())  # fmt: skip
    assert [cell.label for cell in cells] == ["retrain"]
