"""MU-Bench, unmodified, by its Python interface and by its own script, where there is a clone."""

import json

import pytest
from benchmark_adapters.mu_bench import main
from click.testing import CliRunner
from harness_runs import clone_of, run_in, source_hash
from repository import SUPPORT

NEEDS = ("transformers==4.57.6", "datasets<4", "nltk", "peft", "wandb", "pandas", "scipy")
LABELS = ("suli", "su", "neg_grad", "logit_mask")
SCRIPT = {
    "unlearn_method": "suli",
    "del_ratio": 1,
    "model_name_or_path": "microsoft/resnet-50",
    "dataset_name": "cifar10",
    "output_dir": "by_script",
    "do_train": True,
    "do_eval": True,
    "seed": 42,
    "use_cpu": True,
    "report_to": "none",
    "remove_unused_columns": False,
    "metric_for_best_model": "accuracy",
    "per_device_eval_batch_size": 512,
    "hyperparameters": {"sweeps": 5},
}


@pytest.fixture(scope="module")
def mu_bench(environment_of, tmp_path_factory):
    """Python, and a folder with the files that MU-Bench would get from the Hub."""
    clone = clone_of("SULI_MU_BENCH", "github.com/CLU-UML/MU-Bench")
    python = environment_of("mu_bench", NEEDS)
    folder = tmp_path_factory.mktemp("mu_bench")

    def run(*arguments):
        before = source_hash(clone)
        done = run_in(python, arguments, folder, path=[clone, SUPPORT])
        assert done.returncode == 0, done.stdout[-3000:]
        assert source_hash(clone) == before
        return done.stdout

    program = SUPPORT / "digits_in_mu_bench.py"
    run(program, "files")
    return clone, folder, run, program


@pytest.fixture(scope="module")
def class_wise(mu_bench):
    _, folder, run, program = mu_bench
    run(program, "class-wise", *LABELS)
    return {label: json.loads((folder / label / "report.json").read_text()) for label in LABELS}


@pytest.mark.slow
def test_forget_accuracy_falls_and_retain_accuracy_stays_in_mu_benchs_own_report(class_wise):
    for label in LABELS:
        before, after = class_wise[label]["before"], class_wise[label]["after"]
        assert before["df_accuracy"] > 0.9
        assert after["df_accuracy"] < 0.5, label
        assert after["dr_accuracy"] > before["dr_accuracy"] - 0.1, label


@pytest.mark.slow
def test_its_headline_is_zero_for_perfect_class_wise_unlearning(class_wise):
    perfect = class_wise["logit_mask"]["after"]
    assert perfect["df_accuracy"] == 0
    assert perfect["dr_accuracy"] > 0.95
    assert perfect["unlearn_overall_accuracy"] == 0


@pytest.mark.slow
def test_its_weights_are_those_of_our_own_runner(mu_bench, class_wise):
    # Compared where its model classes are: the driver runs ours on what its trainer was given.
    for label in LABELS:
        assert class_wise[label]["same_weights"], label


@pytest.mark.slow
def test_its_own_script_unlearns_its_own_split_until_the_reference_accuracy(mu_bench):
    clone, folder, run, _ = mu_bench
    (folder / "configuration.json").write_text(json.dumps(SCRIPT))
    script = clone / "experiment" / "cifar10" / "unlearn.py"
    output = run("-m", "benchmark_adapters.mu_bench", script, "configuration.json")
    results = json.loads((folder / "by_script" / "unlearn_final_results.json").read_text())
    # The original knows every training image and 93.8 % of the test images.
    assert results["df_accuracy"] <= 0.94
    assert results["dr_accuracy"] > results["df_accuracy"]
    assert "test, forget and retain accuracy" in output


def test_a_missing_script_or_a_too_new_transformers_is_one_line(tmp_path, monkeypatch):
    result = CliRunner().invoke(main, [str(tmp_path / "no.py"), str(tmp_path / "no.json")])
    assert result.exit_code == 1
    assert result.output.startswith("Error: there is no file")
    for name in ("a.py", "a.json"):
        (tmp_path / name).write_text("{}")
    monkeypatch.setattr(
        "benchmark_adapters.harnesses.mu_bench_script.installed_version", lambda name: "5.23.0"
    )
    result = CliRunner().invoke(main, [str(tmp_path / "a.py"), str(tmp_path / "a.json")])
    assert result.exit_code == 1
    assert "needs transformers below 5, found 5.23.0" in result.output
    assert len(result.output.strip().splitlines()) == 1
