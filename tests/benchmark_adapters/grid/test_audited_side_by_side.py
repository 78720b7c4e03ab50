"""A grid with Retrains, an audit and evidence: what workers make of it, and one process."""

import os

import pytest
from accelerate import Accelerator
from crew_in_process import crew_maker
from made_once import made_once
from run_contents import contents
from run_of_digits import brief_relearning, cells_of_digits, run_of_digits

pytest.importorskip("distributed", reason="the extra cluster is not installed")

import dask

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.cluster import crew as crew_module
from benchmark_adapters.cluster.options import CrewAsked
from benchmark_adapters.grid.crew_plan import crew_and_plan
from benchmark_adapters.grid.handed_on import ANEW
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


@pytest.mark.parametrize("deaths, anew, failed", [(1, 1, 0), (100, ANEW, 2)])
def test_a_cell_is_not_blamed_for_workers_that_died_with_its_data(
    deaths, anew, failed, tmp_path, monkeypatch
):
    benchmark, accelerator, hand_on = Digits(), Accelerator(), crew_module.hand_on
    handed_on = []

    def dies(*data, beside=()):
        os._exit(1)

    def submit(self, function, *arguments, **named):
        if function is hand_on:
            handed_on.append(function)
            function = dies if len(handed_on) <= deaths else hand_on
        return as_ever(self, function, *arguments, **named)

    def planned(device):
        of_case = {"scenarios": ["class-3"], "accelerator": accelerator, "device": device}
        methods = ["original", "logit_mask"]
        return plan(benchmark, registry(), methods=methods, seeds=[0], **of_case)

    as_ever = crew_module.Crew._submit
    monkeypatch.setattr(crew_module.Crew, "_submit", submit)
    # Dask gives a task up once a worker has died with it.
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        CrewAsked(workers=1).maker() as make,
    ):
        crew, cells = crew_and_plan(make, planned, benchmark, registry(), accelerator)
        outcome = run_grid(
            cells, benchmark, registry(), tmp_path, accelerator, evidence="retrains", crew=crew
        )
    assert len(outcome.failed) == failed and len(outcome.records) == 2 - failed
    # The original, and with it what the case's cells get.
    assert len(handed_on) == 2 * (1 + anew)
