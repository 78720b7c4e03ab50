"""Trials on workers are those of one process."""

import pytest
from accelerate import Accelerator
from crew_in_process import crew_maker

pytest.importorskip("distributed", reason="the extra cluster is not installed")

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.cluster.worker_accelerator import Arithmetic
from benchmark_adapters.grid.crew_plan import crew_and_plan
from benchmark_adapters.grid.merge import TIMES
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import run_grid
from benchmark_adapters.tuning.run import TrialRuns
from benchmark_adapters.tuning.trial_cells import Tuning, trial_cells
from benchmark_adapters.tuning.trial_work import TrialWork
from suli_plugin.plugins import registry


def test_trials_on_a_worker_are_those_of_one_process(tmp_path):
    benchmark, found, accelerator = Digits(), registry(), Accelerator()
    tuning = Tuning(trials=3, seed=5)

    def planned(device):
        starts = plan(
            benchmark, found, scenarios=["class-3"], methods=["su"], seeds=[0],
            changes={"su": {"epochs": 2}}, accelerator=accelerator, device=device,
        )  # fmt: skip
        return trial_cells(starts, found, accelerator, tuning, fixed={"su": {"epochs"}})

    def records(folder, crew, cells):
        outcome = run_grid(
            cells, benchmark, found, folder, accelerator, crew=crew,
            run_cell=TrialRuns(benchmark, found, accelerator, tuning),
            work=TrialWork(benchmark, Arithmetic(), tuning),
        )  # fmt: skip
        assert not outcome.failed and len(outcome.records) == 3
        names = [path.relative_to(folder) for path in outcome.paths]
        kept = [{k: v for k, v in record.items() if k not in TIMES} for record in outcome.records]
        return dict(zip(names, kept, strict=True))

    alone = records(tmp_path / "alone", None, planned(None))
    with crew_maker() as make:
        crew, cells = crew_and_plan(make, planned, benchmark, found, accelerator)
        assert records(tmp_path / "many", crew, cells) == alone
    assert {record["tuning"]["trial"] for record in alone.values()} == {0, 1, 2}
