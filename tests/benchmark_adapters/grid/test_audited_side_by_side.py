"""A grid with Retrains, an audit and evidence: what workers make of it, and one process."""

import pytest
from accelerate import Accelerator
from crew_in_process import crew_maker
from made_once import made_once
from run_contents import contents
from run_of_digits import brief_relearning, cells_of_digits, run_of_digits

pytest.importorskip("distributed", reason="the extra cluster is not installed")

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.cluster.options import CrewAsked
from benchmark_adapters.grid.crew_plan import crew_and_plan
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import run_grid
from suli_plugin.plugins import registry

pytestmark = pytest.mark.slow


def test_records_evidence_and_audit_are_those_of_one_process(tmp_path, tmp_path_factory):
    alone = made_once(tmp_path_factory, "run-of-digits", run_of_digits)
    benchmark, accelerator = Digits(), Accelerator()

    def planned(device):
        return cells_of_digits(accelerator)

    with brief_relearning(), crew_maker() as make:
        crew, cells = crew_and_plan(make, planned, benchmark, registry(), accelerator)
        outcome = run_grid(cells, benchmark, registry(), tmp_path, accelerator, crew=crew)
    assert not outcome.failed and list(outcome.audits) == [("class-3", 0)]
    assert contents(tmp_path) == contents(alone)


def test_two_workers_that_keep_retrains_alone_leave_the_folder_of_one_process(tmp_path):
    benchmark, accelerator = Digits(), Accelerator()
    methods = {0: ["retrain", "retrain@2", "neg_grad", "bn_drift"], 1: ["retrain@2"]}

    def planned(device):
        of_case = {"scenarios": ["class-3"], "accelerator": accelerator, "device": device}
        return [
            cell
            for seed, labels in methods.items()
            for cell in plan(benchmark, registry(), methods=labels, seeds=[seed], **of_case)
        ]

    def run(folder, make):
        crew, cells = crew_and_plan(make, planned, benchmark, registry(), accelerator)
        outcome = run_grid(
            cells, benchmark, registry(), folder, accelerator, evidence="retrains", crew=crew
        )
        assert not outcome.failed and len(outcome.records) == 5
        return contents(folder)

    alone = run(tmp_path / "alone", None)
    with CrewAsked(workers=2).maker() as make:
        assert run(tmp_path / "two", make) == alone
    kept = {path.parts[2] for path in alone if path.suffix == ".safetensors"}
    assert kept == {"retrain", "retrain@2"}
    records = {(r["method"], r["seed"]): r for r in alone.values() if isinstance(r, dict)}
    # Methods are compared with a Retrain, and a repeat is trained once for both seeds.
    retrain = records["retrain", 0]["unlearned_hash"]
    assert {records[label, 0]["compared_with"] for label in ("neg_grad", "bn_drift")} == {retrain}
    assert records["retrain@2", 1]["notes"]["trained_for_seed"] == 0
