"""Cells of a grid are compared with Retrain whenever it was run, and leave what proves them."""

import json
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from accelerate import Accelerator
from digits_as_images import suli

from benchmark_adapters.audit.observation_file import read_traits
from benchmark_adapters.benchmarks.digits import RECIPE, Digits
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import run_grid
from benchmark_adapters.grid.stored_retrained import find_retrained
from benchmark_adapters.metrics.accuracy import accuracies
from benchmark_adapters.records.evidence import load_unlearned, read_logits
from benchmark_adapters.records.provenance import state_hash
from suli_plugin.evaluation import Predictions
from suli_plugin.plugins import load_plugins

REGISTRY = load_plugins(strict=True)
QUICK = {**RECIPE.recipe(), "epochs": 2}
DISTANCES = {"activation_distance", "js_divergence", "average_gap", "tow"}


@dataclass(frozen=True, kw_only=True)
class Quick(Digits):
    """Without relearning, which takes the longest; said to be trained as quickly as Retrain."""

    relearn_updates: ClassVar[int] = 0

    def original_recipe(self):
        return QUICK

    def case(self, scenario, seed):
        made = super().case(scenario, seed)
        return replace(made, original_source={**made.original_source, "recipe": QUICK})


def run(folder, methods, *, evidence=True, seeds=(0,), scenarios=("class-3",), **changes):
    cells = plan(
        Quick(), REGISTRY, scenarios=scenarios, methods=methods, seeds=seeds,
        changes={"retrain": {"epochs": 2, **changes}} if "retrain" in methods else {},
        accelerator=Accelerator(),
    )  # fmt: skip
    outcome = run_grid(cells, Quick(), REGISTRY, folder, Accelerator(), evidence=evidence)
    assert not outcome.failed
    return outcome


def by_method(outcome):
    return {record["method"]: record for record in outcome.records}


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """The folder and the records of three methods run at once."""
    folder = tmp_path_factory.mktemp("together")
    return folder, by_method(run(folder, ["original", "logit_mask", "retrain"]))


def test_all_cells_name_the_retrained_model_that_they_are_compared_with(together):
    _, records = together
    for record in records.values():
        assert record["compared_with"] == records["retrain"]["unlearned_hash"]
        assert record["metrics"].keys() >= DISTANCES
    own = records["retrain"]["metrics"]
    assert own["activation_distance"] == own["average_gap"] == 0 and own["tow"] == 1
    assert own["js_divergence"] == pytest.approx(0, abs=1e-12)
    assert records["original"]["metrics"]["activation_distance"] > 0.1


def test_without_retrain_no_distance_is_told(tmp_path):
    (record,) = run(tmp_path, ["original"]).records
    assert record["compared_with"] is None and not DISTANCES & record["metrics"].keys()


def test_a_record_is_compared_once_retrain_is_there_without_a_second_run(tmp_path, together):
    first = by_method(run(tmp_path, ["original"]))["original"]
    second = run(tmp_path, ["original", "retrain"])
    assert second.reused == 1
    expected = together[1]
    for method, record in by_method(second).items():
        assert record["compared_with"] == expected["retrain"]["unlearned_hash"]
        assert record["metrics"] == expected[method]["metrics"]
    # Beside its distances: relearning curves at the rates that Retrain has fixed.
    changed = {"metrics", "compared_with", "same_recipe", "evidence", "digest"}
    assert {key for key, value in by_method(second)["original"].items() if value != first[key]} == (
        changed
    )
    own, other = (
        read_traits(path.with_suffix(".features.safetensors").read_bytes(), "features")
        for path in (second.paths[0], next(together[0].rglob("original/0-*.json")))
    )
    assert own == other and "few_shot" in own
    third = run(tmp_path, ["original", "retrain"])
    assert third.reused == 2 and third.records == second.records


def test_a_record_without_logits_is_run_again_once_retrain_is_there(tmp_path, together):
    run(tmp_path, ["original"], evidence=False)
    second = run(tmp_path, ["original", "retrain"])
    assert second.reused == 0
    assert by_method(second)["original"]["metrics"] == together[1]["original"]["metrics"]


def test_damaged_logits_are_not_compared_again(tmp_path):
    (path,) = run(tmp_path, ["original"]).paths
    path.with_suffix(".logits.safetensors.gz").write_bytes(b"")
    cells = plan(Quick(), REGISTRY, scenarios=["class-3"], methods=["original", "retrain"],
                 seeds=[0], changes={"retrain": {"epochs": 2}},
                 accelerator=Accelerator())  # fmt: skip
    ((cell, reason),) = run_grid(cells, Quick(), REGISTRY, tmp_path, Accelerator()).failed
    assert cell.label == "original" and str(path.with_suffix("")) in reason


def test_the_anamnesis_index_comes_with_a_later_retrain(tmp_path, monkeypatch):
    monkeypatch.setattr(Quick, "relearn_updates", 300)
    together = by_method(run(tmp_path / "together", ["retrain", "bn_drift"]))
    run(tmp_path / "apart", ["bn_drift"])
    apart = by_method(run(tmp_path / "apart", ["retrain", "bn_drift"]))
    assert "anamnesis_index" in together["bn_drift"]["metrics"]
    assert apart["bn_drift"]["metrics"] == together["bn_drift"]["metrics"]


def test_a_later_run_finds_retrain_and_measures_the_same_distances(tmp_path, together):
    run(tmp_path, ["retrain"])
    later = by_method(run(tmp_path, ["original", "logit_mask"]))
    for method, record in later.items():
        assert record["metrics"] == together[1][method]["metrics"]
        assert record["compared_with"] == together[1][method]["compared_with"]


def test_retrain_of_another_recipe_is_no_yardstick_and_its_record_says_so(tmp_path):
    records = by_method(run(tmp_path, ["original", "retrain"], lr=0.05))
    assert records["retrain"]["same_recipe"] is False and records["original"]["same_recipe"] is None
    for record in records.values():
        assert record["compared_with"] is None
        assert not record["metrics"].keys() & DISTANCES


def test_retrain_of_another_seed_or_scenario_is_none(tmp_path):
    run(tmp_path, ["retrain"])
    for other in ({"seeds": (1,)}, {"scenarios": ("class-4",)}, {"scenarios": ("instance-32",)}):
        (record,) = run(tmp_path, ["original"], **other).records
        assert record["compared_with"] is None


def test_retrain_on_other_data_is_none(tmp_path, monkeypatch):
    run(tmp_path, ["retrain"])
    monkeypatch.setattr(Quick, "fingerprint", lambda self, scenario, seed: "0" * 64)
    (record,) = run(tmp_path, ["original"]).records
    assert record["compared_with"] is None


def test_a_damaged_record_of_retrain_is_none(tmp_path):
    outcome = run(tmp_path, ["retrain"])
    case = outcome.records[0]["case"]
    assert find_retrained(tmp_path, "digits", "class-3", 0, case) is not None
    text = outcome.paths[0].read_text()
    outcome.paths[0].write_text(text[: len(text) // 2])
    assert find_retrained(tmp_path, "digits", "class-3", 0, case) is None


def test_damaged_logits_of_retrain_fail_the_cell_and_say_which_file(tmp_path):
    outcome = run(tmp_path, ["retrain"])
    logits = outcome.paths[0].with_suffix(".logits.safetensors.gz")
    logits.write_bytes(logits.read_bytes()[:-9])
    cells = plan(Quick(), REGISTRY, scenarios=["class-3"], methods=["original"], seeds=[0],
                 accelerator=Accelerator())  # fmt: skip
    again = run_grid(cells, Quick(), REGISTRY, tmp_path, Accelerator())
    ((_, reason),) = again.failed
    assert str(logits) in reason and "has sha256" in reason


def test_without_evidence_nothing_lies_beside_the_records(tmp_path):
    outcome = run(tmp_path, ["original", "retrain"], evidence=False)
    assert {path.suffix for path in tmp_path.rglob("class-3/*/*")} == {".json"}
    for record in outcome.records:
        assert record["evidence"] is None
        # Within one run they are compared all the same.
        assert record["compared_with"] == outcome.records[1]["unlearned_hash"]
    case = outcome.records[0]["case"]
    assert find_retrained(tmp_path, "digits", "class-3", 0, case) is None
    (later,) = run(tmp_path, ["logit_mask"], evidence=False).records
    assert later["compared_with"] is None


def test_the_command_keeps_evidence_unless_told_not_to(tmp_path, monkeypatch):
    monkeypatch.setattr(Digits, "relearn_updates", 0)
    line = ("bench", "run", "digits", "--methods", "logit_mask", "--scenarios", "class-3")
    suli(*line, "--seeds", 0, "--no-evidence", "--output", tmp_path / "without")
    suli(*line, "--seeds", 0, "--output", tmp_path / "with")
    files = {
        name: sorted(path.name.partition(".")[2] for path in (tmp_path / name).rglob("0-*"))
        for name in ("with", "without")
    }
    assert files == {
        "with": ["features.safetensors", "json", "logits.safetensors.gz", "safetensors"],
        "without": ["json"],
    }  # fmt: skip


def test_the_evidence_is_the_unlearned_model_and_what_it_says(together):
    folder, records = together
    case = Quick().case("class-3", 0)
    for record in records.values():
        place = folder / "digits" / "class-3" / record["method"]
        kept = record["evidence"]
        model = load_unlearned(
            place / kept["model"]["file"], kept["model"]["sha256"], case.fresh_model()
        )
        assert state_hash(model) == record["unlearned_hash"]
        logits = read_logits(place / kept["logits"]["file"], kept["logits"]["sha256"])
        assert {name: len(value) for name, value in logits.items()} == record["sizes"]
        sets = {"forget": case.forget, "retain": case.scored_retain, "test": case.test}
        told = {name: Predictions(logits[name], of.labels) for name, of in sets.items()}
        found = accuracies(told["forget"], told["retain"], told["test"], case.forget_classes)
        assert found.items() <= record["metrics"].items()
        some = case.forget.batch(torch.arange(5), torch.device("cpu")).images
        assert torch.allclose(model.eval()(some), logits["forget"][:5], atol=1e-4)


def test_sizes_and_hashes_are_those_of_the_sets_that_were_scored(together):
    _, records = together
    case = Quick().case("class-3", 0)
    sets = {
        "forget": case.forget, "retain": case.retain, "test": case.test,
        "reference": case.reference,
    }  # fmt: skip
    for record in records.values():
        assert record["sizes"] == {name: len(images) for name, images in sets.items()}
        assert record["set_hashes"] == {
            name: images.content_hash() for name, images in sets.items()
        }
        assert record["options"] == {} and record["original"]["kind"] == "trained"
        assert json.loads(json.dumps(record)) == record
