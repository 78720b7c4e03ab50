"""The grid: what it plans, what it reuses, and that it survives being killed."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from accelerate import Accelerator
from click.testing import CliRunner
from ctrl_c import with_ctrl_c

from benchmark_adapters.baselines.original import Original
from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import run_grid
from benchmark_adapters.records.record import read_record
from suli_plugin import Unlearner
from suli_plugin.benchmark import scope_of
from suli_plugin.cli import main
from suli_plugin.failure import DoesNotApply
from suli_plugin.plugins import load_plugins
from suli_plugin.registry import Origin

CHEAP = ["original", "logit_mask", "bn_drift"]
REGISTRY = load_plugins(strict=True)
ACCELERATOR = Accelerator()


def planned(**options):
    return plan(Digits(), REGISTRY, accelerator=ACCELERATOR, **options)


def run(cells, folder, registry=REGISTRY):
    return run_grid(cells, Digits(), registry, folder, ACCELERATOR)


def test_globs_and_lists_choose_scenarios_and_methods():
    cells = planned(scenarios=["class-[12]", "instance-7"], methods=["su*", "original"], seeds=[5])
    assert {cell.scenario for cell in cells} == {"class-1", "class-2", "instance-7"}
    assert {cell.label for cell in cells} == {
        "su", "su@official", "su@paper", "suli", "suli@official", "suli@paper", "suli@tuned",
        "original",
    }  # fmt: skip


def test_a_dozen_runs_by_default_with_what_the_audit_needs_behind_it():
    labels = [cell.label for cell in planned(scenarios=["class-3"], seeds=[0], retrains=5)]
    assert labels[:12] == list(Digits.methods) and len(labels) == len(set(labels)) == 22
    controls = {name for name, cls in REGISTRY.unlearners.items() if cls.control}
    repeats = {f"retrain@{repeat}" for repeat in range(2, 6)}
    assert set(labels[12:]) == (controls - set(Digits.methods)) | repeats | {"retrain_held_out"}


def test_official_presets_follow_the_scope():
    cells = planned(scenarios=["class-1", "instance-64"], methods=["suli@official"], seeds=[0])
    assert [cell.unlearner.layer_size for cell in cells] == [500, 32]


def test_a_control_without_the_scope_is_left_out_unless_named_alone():
    labels = {cell.label for cell in planned(scenarios=["instance-64"], seeds=[0])}
    assert "logit_mask" not in labels and "bn_drift" in labels
    with pytest.raises(ValueError, match="logit_mask does not support instance-wise"):
        planned(scenarios=["instance-64"], methods=["logit_mask"])


def test_all_is_every_method_that_has_the_scope_without_presets_and_peers():
    class Theirs(Original):
        name: ClassVar[str] = "theirs"
        peer: ClassVar[bool] = True

    with_peer = replace(
        REGISTRY,
        unlearners={**REGISTRY.unlearners, "theirs": Theirs},
        origins={**REGISTRY.origins, "theirs": Origin("theirs", "other", "1")},
    )

    def labels(scenario, *methods):
        cells = plan(
            Digits(), with_peer, scenarios=[scenario], methods=methods, seeds=[0],
            accelerator=ACCELERATOR,
        )  # fmt: skip
        return [cell.label for cell in cells]

    for scenario in ("class-3", "instance-64"):
        named = [n for n, cls in REGISTRY.unlearners.items() if scope_of(scenario) in cls.needs]
        assert labels(scenario, "all", "suli@tuned", "su") == [*named, "suli@tuned"]
        assert "theirs" in labels(scenario, "all", "the*")
        forget_only = labels(scenario, "forget-only")
        assert {"suli", "neg_grad", "adv_imp"} <= set(forget_only) < set(named)
        assert not {"finetune", "amnesiac", "original", "retrain", "theirs"} & set(forget_only)
        assert labels(scenario, "forget-only", "original") == [*forget_only, "original"]
    assert "logit_mask" not in labels("instance-64", "all")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ["nothing"]}, "unknown method 'nothing'; known: .*suli"),
        ({"methods": ["suli@best"]}, "no preset 'best'"),
        ({"scenarios": ["klass-3"]}, "named class-N or instance-N"),
        ({"scenarios": ["class-12"]}, "digits has no scenario 'class-12'; its classes: class-0, "),
        (
            {"changes": {"suli": {"rate": 1}}},
            r"suli has no hyper-parameter 'rate'; it has: .*\blr\b",
        ),
        ({"changes": {"suli": {"lr": "x"}}}, r"suli\.lr must be float"),
        ({"changes": {"sully": {"lr": 1}}}, "'sully', which does not run"),
    ],
)
def test_wrong_plans_are_refused(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        planned(**options)


@pytest.mark.parametrize(
    ("scenario", "message"),
    [("instance-0", "nothing"), ("instance-9999", "all")],
)
def test_a_scenario_that_forgets_nothing_or_all_fails_its_cells(tmp_path, scenario, message):
    outcome = run(planned(scenarios=[scenario], methods=["original"], seeds=[0]), tmp_path)
    assert not outcome.records and message in outcome.failed[0][1]


def test_a_record_is_complete(tmp_path):
    cells = planned(scenarios=["class-3"], methods=["suli@official"], seeds=[1])
    outcome = run(cells, tmp_path)
    (record,) = outcome.records
    assert record["method"] == "suli@official" and record["seed"] == 1
    assert record["hyperparameters"]["layer_size"] == 500
    assert set(record["metrics"]) >= {
        "forget_accuracy", "retain_accuracy", "test_forget_accuracy", "test_retain_accuracy",
        "test_accuracy", "mia_accuracy",
    }  # fmt: skip
    assert set(record["seconds"]) == {"update", "total"}
    assert record["passes"]["backward"]["forget"] == 37 * len(record["history"])
    assert record["versions"]["torch"] and record["plugin"]["distribution"] == "suli-plugin"
    hashes = {record[key] for key in ("forget_set_hash", "original_hash", "unlearned_hash")}
    assert len(hashes) == 3 and all(len(value) == 64 for value in hashes)
    assert read_record(outcome.paths[0]) == record


def test_a_second_run_reuses_every_cell_and_gives_the_same(tmp_path):
    cells = planned(methods=CHEAP, seeds=[0])
    first = run(cells, tmp_path)
    second = run(cells, tmp_path)
    assert second.reused == len(cells) and second.records == first.records


def test_the_result_itself_is_reproducible(tmp_path):
    cells = planned(scenarios=["class-3"], methods=["suli", "retrain"], seeds=[0])
    one, other = run(cells, tmp_path / "a").records, run(cells, tmp_path / "b").records
    for key in ("unlearned_hash", "metrics", "passes", "history", "cell"):
        assert [record[key] for record in one] == [record[key] for record in other]


def test_a_changed_hyperparameter_data_or_plugin_never_reuses_an_old_cell(tmp_path, monkeypatch):
    def cells(**options):
        return planned(scenarios=["class-3"], methods=["bn_drift"], seeds=[0], **options)

    first = run(cells(), tmp_path)
    changed = run(cells(changes={"bn_drift": {"sweeps": 1}}), tmp_path)
    assert changed.reused == 0 and changed.paths != first.paths
    monkeypatch.setattr(Digits, "fingerprint", lambda self, scenario, seed: "other data")
    assert run(cells(), tmp_path).reused == 0


@pytest.mark.parametrize("damage", ["cut", "empty", "other cell"])
def test_a_damaged_record_is_redone(tmp_path, damage):
    cells = planned(scenarios=["class-3"], methods=["original", "bn_drift"], seeds=[0])
    first = run(cells, tmp_path)
    path = first.paths[0]
    text = {
        "cut": path.read_text()[:-20],
        "empty": "",
        "other cell": first.paths[1].read_text(),
    }[damage]
    path.write_text(text)
    again = run(cells, tmp_path)
    assert again.reused == 1
    assert [r["unlearned_hash"] for r in again.records] == [
        r["unlearned_hash"] for r in first.records
    ]


@dataclass(frozen=True, kw_only=True)
class Raises(Unlearner):
    """A method that breaks."""

    name: ClassVar[str] = "raises"
    paper: ClassVar[str] = "a test"
    needs: ClassVar[dict] = {"class-wise": frozenset({"forget"})}

    def unlearn(self, model, session):
        raise KeyError("a bug of its own")


def test_a_failed_cell_is_named_and_the_rest_is_done(tmp_path):
    registry = load_plugins()
    registry.unlearners["raises"] = Raises
    registry.origins["raises"] = Origin("t", "t", "1")
    cells = plan(
        Digits(), registry, scenarios=["class-3"], methods=["raises", "original"], seeds=[0],
        accelerator=ACCELERATOR,
    )  # fmt: skip
    outcome = run(cells, tmp_path, registry)
    assert [record["method"] for record in outcome.records] == ["original"]
    ((cell, reason),) = outcome.failed
    assert cell.label == "raises" and "a bug of its own" in reason


def test_a_method_that_does_not_apply_to_the_data_is_left_out_and_no_failure(tmp_path, monkeypatch):
    class NotHere(Raises):
        def check(self, session):
            raise DoesNotApply("it wants RGB")

    registry = load_plugins()
    registry.unlearners["raises"] = NotHere
    registry.origins["raises"] = Origin("t", "t", "1")
    monkeypatch.setattr("suli_plugin.plugins.registry", lambda: registry)
    arguments = "bench run digits --scenarios class-3 --methods raises,original --seeds 0 --json"
    result = CliRunner().invoke(main, [*arguments.split(), "--output", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["does_not_apply"] == [
        {"cell": "class-3 raises seed 0", "reason": "it wants RGB"}
    ]
    assert "does not apply: class-3 raises seed 0: it wants RGB" in result.stderr


COMMAND = [
    sys.executable, "-m", "suli_plugin", "bench", "run", "digits", "--json", "--seeds", "0",
    "--scenarios", "class-3,class-4", "--methods", "original,bn_drift,su@official",
]  # fmt: skip
CELLS = 6


@pytest.mark.slow
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_goes_on_where_it_was(tmp_path, kill):
    process = subprocess.Popen(
        [*COMMAND, "--output", tmp_path],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=with_ctrl_c,
    )
    while len(list(tmp_path.rglob("*.json"))) < 2 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(kill)
    process.wait()
    done = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*-*.json")}
    assert 2 <= len(done) < CELLS
    whole = [path for path in done if _is_whole(path)]
    again = subprocess.run([*COMMAND, "--output", tmp_path], capture_output=True, check=True)
    summary = json.loads(again.stdout)
    assert summary["reused"] == len(whole) == len(done) and len(summary["records"]) == CELLS
    assert all(path.stat().st_mtime_ns == moment for path, moment in done.items())


@pytest.mark.slow
def test_two_runs_at_once_on_one_folder_do_not_corrupt_it(tmp_path):
    both = [
        subprocess.Popen([*COMMAND, "--output", tmp_path], stdout=subprocess.PIPE) for _ in "ab"
    ]
    first, second = (json.loads(process.communicate()[0]) for process in both)
    assert [process.returncode for process in both] == [0, 0]
    hashes = [[r["unlearned_hash"] for r in summary["records"]] for summary in (first, second)]
    assert hashes[0] == hashes[1]
    assert all(_is_whole(path) for path in tmp_path.glob("digits/*/*/*.json"))
    assert not list(tmp_path.rglob(".*"))  # no half-written file


def _is_whole(path):
    try:
        return bool(read_record(path))
    except ValueError:
        return False


def test_records_do_not_depend_on_where_they_are_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = planned(scenarios=["class-3"], methods=["original"], seeds=[0])
    record = run(cells, tmp_path / "deep" / "er").records[0]
    assert str(tmp_path) not in json.dumps(record) and os.environ.get(
        "HOME", "?"
    ) not in json.dumps({key: value for key, value in record.items() if key != "command"})
    assert scope_of("class-3") == record["scope"]
