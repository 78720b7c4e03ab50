"""What the audit measures of a case without Retrains, kept beside the records."""

import pytest
from accelerate import Accelerator

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.grid.case_values import read_values
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import run_grid
from suli_plugin.plugins import load_plugins

REGISTRY = load_plugins(strict=True)


def run(folder, methods, **options):
    cells = plan(
        Digits(),
        REGISTRY,
        scenarios=["class-3"],
        methods=methods,
        seeds=(0,),
        accelerator=Accelerator(),
    )
    outcome = run_grid(cells, Digits(), REGISTRY, folder, Accelerator(), values=True, **options)
    assert not outcome.failed and not outcome.audits
    return folder / "digits" / "class-3" / "0-values.json"


def test_values_stand_beside_those_of_a_control_and_decide_nothing(tmp_path):
    path = run(tmp_path, ["original", "logit_mask", "suli"])
    found = read_values(path)
    assert set(found.roles) == {"original", "logit_mask", "suli"} and found.limit is None
    values = {test.name: test.values for test in found.tests}
    # Accuracy is what a mask has, and what its outputs give back after one constant.
    assert values["forget_accuracy"]["logit_mask"] == 0 < values["one_constant"]["logit_mask"]
    assert all(set(test.verdicts.values()) <= {"no Retrains"} for test in found.tests)
    assert found.headline("suli") == "no test has power here: cannot tell"


def test_a_model_that_came_later_is_measured_too_and_nothing_new_changes_nothing(tmp_path):
    path = run(tmp_path, ["original", "logit_mask"])
    before, made = path.read_bytes(), path.stat().st_mtime_ns
    run(tmp_path, ["original", "logit_mask"])
    assert path.stat().st_mtime_ns == made
    run(tmp_path, ["original", "logit_mask", "bias_mask"])
    assert path.read_bytes() != before and "bias_mask" in read_values(path).roles


@pytest.mark.parametrize("methods", [["original", "suli"], ["logit_mask", "suli"]])
def test_without_the_original_and_a_control_a_value_says_nothing(tmp_path, methods):
    assert not run(tmp_path, methods).exists()


def test_what_is_no_such_file_is_none(tmp_path):
    (tmp_path / "0-values.json").write_text("{}")
    assert read_values(tmp_path / "0-values.json") is None
