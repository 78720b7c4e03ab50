"""A grid with Retrains, an audit and evidence: what a worker makes of it, and one process."""

import pytest
from accelerate import Accelerator
from crew_in_process import crew_maker
from made_once import made_once
from run_contents import contents
from run_of_digits import brief_relearning, cells_of_digits, run_of_digits

pytest.importorskip("distributed", reason="the extra cluster is not installed")

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.grid.crew_plan import crew_and_plan
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
