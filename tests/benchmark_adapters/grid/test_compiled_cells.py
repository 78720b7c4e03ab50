"""Cells whose methods run compiled: what their records say, and what they are told apart by."""

from accelerate import Accelerator
from compiling import compiling

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.cluster.worker_accelerator import Arithmetic, worker_accelerator
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import run_grid
from benchmark_adapters.records.run_record import cell_of_record, precision_told
from suli_plugin.compiled import compiled_by
from suli_plugin.plugins import registry


def cells(accelerator):
    return plan(
        Digits(), registry(), scenarios=["class-3"], methods=["suli"], seeds=[0],
        changes={"suli": {"inner_steps": 1}}, accelerator=accelerator,
    )  # fmt: skip


def test_a_record_says_that_it_ran_compiled_and_is_another_cell(tmp_path):
    (plain,) = cells(Accelerator())
    accelerator = compiling("eager")
    outcome = run_grid(cells(accelerator), Digits(), registry(), tmp_path, accelerator)
    assert not outcome.failed
    (record,) = outcome.records
    assert record["compiled"] == "eager" and precision_told(record) == "no, compiled by eager"
    assert cell_of_record(record) == record["cell"] != plain.key
    hidden = {name: value for name, value in record.items() if name != "compiled"}
    assert cell_of_record(hidden) != record["cell"]


def test_a_worker_computes_as_its_client_does():
    client = Arithmetic.of(compiling("eager"))
    assert compiled_by(worker_accelerator(client)) == "eager"
    plain = worker_accelerator(Arithmetic("bf16"))
    assert compiled_by(plain) is None and plain.mixed_precision == "bf16"
    assert Arithmetic.of(worker_accelerator(client)) == client
