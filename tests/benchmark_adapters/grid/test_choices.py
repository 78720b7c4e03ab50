"""`METHOD@chosen`: what tuning chose on a benchmark, beside the method as published."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
from tuning_run import ACCELERATOR, REGISTRY, Tuned

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.grid.again import cell_again, differing_fields, fields_of
from benchmark_adapters.grid.choices import read_choices, settings_with_choices
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import run_grid
from benchmark_adapters.records.record import read_record
from benchmark_adapters.tuning.trial_cells import tunable


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """Chosen class-wise alone, and one of a preset, which has no label of its own."""
    return Tuned(tmp_path_factory.mktemp("tuned"), ["su", "su@official"], trials=2)


@pytest.fixture
def benchmark(tuned):
    @dataclass(frozen=True, kw_only=True)
    class WithChoices(Digits):
        choices: ClassVar = tuned.file

    return WithChoices()


def planned(benchmark, methods, scenarios=("class-3", "instance-64"), **changes):
    return plan(
        benchmark, REGISTRY, scenarios=scenarios, methods=methods, seeds=[0], changes=changes,
        accelerator=ACCELERATOR,
    )  # fmt: skip


def test_both_rows_run_where_there_is_a_choice(benchmark, tuned):
    cells = planned(benchmark, ["all", "*@chosen"])
    [chosen] = [cell for cell in cells if cell.label == "su@chosen"]
    assert chosen.scenario == "class-3"
    assert {cell.scenario for cell in cells if cell.label == "su"} == {"class-3", "instance-64"}
    [choice] = [each for each in tuned.choices if each["method"] == "su"]
    assert chosen.unlearner.hyperparameters() == choice["hyperparameters"]
    assert not any(cell.label.count("@") > 1 or cell.label == "su@official" for cell in cells)


def test_a_record_names_the_choice_that_it_was_run_with(benchmark, tuned, tmp_path):
    cells = planned(benchmark, ["su", "su@chosen"], ["class-3"], **{"su@chosen": {"epochs": 1}})
    outcome = run_grid(cells, benchmark, REGISTRY, tmp_path, ACCELERATOR, evidence=False)
    published, chosen = map(read_record, outcome.paths)
    assert "choice" not in published and published["method"] == "su"
    told, [choice] = chosen["choice"], [c for c in tuned.choices if c["method"] == "su"]
    assert told["file"] == "choice.json" and len(told["digest"]) == 64
    assert told["budget"] == {"trials": 2, "passes": None} and told["changed"] == ["epochs"]
    assert told["trial"] == choice["trial"] and told["at_edge"] == choice["at_edge"]
    # As whoever runs it again does.
    assert cell_again(chosen, benchmark, REGISTRY, ACCELERATOR).key == chosen["cell"]
    settings = settings_with_choices(benchmark, "class-wise")
    differing = differing_fields(chosen, settings, REGISTRY)
    assert differing == ({} if choice["hyperparameters"]["epochs"] == 1 else {"epochs": 1})
    assert fields_of(chosen, REGISTRY) == chosen["hyperparameters"]


def test_without_a_choice_the_label_is_refused(benchmark, tmp_path):
    with pytest.raises(ValueError, match="su@chosen does not support instance-wise"):
        planned(benchmark, ["su@chosen"], ["instance-64"])
    for pattern in ("neg_grad@chosen", "neg*@chosen"):
        with pytest.raises(ValueError, match="digits has no choice of tuning for 'neg"):
            planned(benchmark, [pattern])
    with pytest.raises(ValueError, match="digits has no choice of tuning"):
        planned(Digits(), ["*@chosen"])
    with pytest.raises(ValueError, match=r"su@chosen is what `suli bench tune` chose for su"):
        REGISTRY.unlearner("su@chosen", "class-wise", {"epochs": 1})
    assert read_choices(tmp_path / "none.json") == []


def test_a_choice_is_not_tuned_again(benchmark):
    cells = planned(benchmark, ["su", "su@chosen"])
    assert {cell.label for cell in tunable(cells, ["su"])} == {"su"}
    with pytest.raises(ValueError, match="su@chosen is what tuning chose: tune su"):
        tunable(cells, ["su@chosen"])
