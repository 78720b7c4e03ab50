"""SUPREME, unmodified and from the registry, in an environment of its own."""

import json
import shutil
import sys

import pytest
import torch
from click.testing import CliRunner
from harness_cases import LABELS, class_three, same_weights, unlearned_by_us
from harness_figures import note
from harness_runs import run_in, source_hash
from repository import SUPPORT

from benchmark_adapters.architectures.digits_convnet import digits_convnet
from benchmark_adapters.harnesses.supreme_folder import check_folder
from suli_plugin.cli import main

pytestmark = pytest.mark.slow
FORGET_AGAIN = """
import os, sys, supreme
from supreme.utils.unlearning import unlearn_main
unlearn_main.num_cuda_devices = lambda: 1
supreme.registry._load_entry_points()
try:
    supreme.run_unlearning(sys.argv[1:])
except ValueError as error:
    print(error, flush=True)
    os._exit(3)  # SUPREME leaves a thread behind
"""
COMMON = ["-dataset", "Digits", "-classes", "10", "-net", "DigitsNet", "-precision", "32-true"]
SEED = 7


@pytest.fixture(scope="module")
def supreme(environment_of):
    """Python with SUPREME, the digits registered there as a plugin of theirs."""
    python = environment_of(
        "supreme",
        ("lightning", "wandb", "debugpy", "python-dotenv"),
        ("--no-deps", "supreme-unlearning==0.1.5"),
    )
    site = next(python.parents[1].rglob("site-packages"))
    info = site / "digits_in_supreme-0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: digits-in-supreme\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[supreme.plugins]\ndigits = digits_in_supreme:setup\n")
    return python


@pytest.fixture(scope="module")
def walk(supreme, tmp_path_factory):
    """SUPREME trains an original, and unlearns class 3 with each of our methods; one process."""
    folder = tmp_path_factory.mktemp("supreme")
    package = next(supreme.parents[1].rglob("site-packages")) / "supreme"
    before = source_hash(package)
    logs = folder / "logs" / "a" / "b" / "c"
    done = run_in(
        supreme,
        [SUPPORT / "supreme_walk.py", SEED, *LABELS],
        folder,
        path=[SUPPORT],
        SUPREME_PROJECT_ROOT=folder,
        LOG_DIR=logs,
        PERFORM_EVALUATION="true",
        SCALENE="1",  # SUPREME then starts no loader processes
    )
    assert done.returncode == 0, done.stdout[-3000:]
    reports = {}
    for name in ["original", *LABELS]:
        file = logs / name.capitalize() / f"{name.capitalize()}_eval_results.json"
        rows = json.loads(file.read_text())["accuracy"]["test"]
        reports[name] = next(iter(rows.values()))
    assert source_hash(package) == before
    for name, report in reports.items():
        parts = {part: accuracy(report, part) / 100 for part in ("forget", "retain")}
        note("SUPREME", LABELS.get(name, name), **parts)
    return logs, folder / "original.pth", reports


def accuracy(report, part):
    return report[f"{part}_acc"]["final_value"]


def test_forget_accuracy_falls_and_retain_accuracy_stays_in_supremes_own_report(walk):
    _, _, reports = walk
    for name in LABELS:
        assert accuracy(reports["original"], "forget") > 90
        assert accuracy(reports[name], "forget") < 50, name
        assert accuracy(reports[name], "retain") > accuracy(reports["original"], "retain") - 10, (
            name
        )


@pytest.mark.parametrize("name", LABELS)
def test_supremes_weights_are_those_of_our_own_runner(walk, name):
    logs, original, _ = walk
    model = digits_convnet()
    model.load_state_dict(torch.load(original, weights_only=False)["model"])
    ours = unlearned_by_us(LABELS[name], model, class_three(), seed=SEED)
    saved = logs / name.capitalize() / f"{name.capitalize()}_model.pth"
    assert same_weights(torch.load(saved, weights_only=False)["model"], ours.state_dict())


def test_a_method_that_fails_ends_the_process_with_one_line(supreme, walk):
    # SUPREME leaves a thread behind that would keep it running for ever.
    logs, original, _ = walk
    done = run_in(
        supreme,
        [
            *[
                "-m",
                "suli_plugin",
                "supreme",
                "unlearn",
                "-dataset",
                "Digits",
                "-classes",
                "10",
                "-net",
                "DigitsNet",
            ],
            *["-type_of_unlearning_strategy", "random_", "-forget_perc", "0.1", "-method", "su"],
            *f"-weight_path {original} -eval_metrics accuracy -precision 16-true".split(),
        ],
        original.parent,
        path=[SUPPORT],
        LOG_DIR=logs.parent / "fails",
        SCALENE="1",
    )
    assert done.returncode == 1
    said = done.stdout.strip().splitlines()[-1]
    assert said == "Error: precision must be one of 32-true, bf16-mixed, 16-mixed, got 16-true"


def test_class_5_on_the_first_requests_images_of_class_3_is_refused(supreme, walk):
    # As `supreme-unlearn` would do it with a log folder that was used before.
    logs, original, _ = walk
    folder = shutil.copytree(logs, logs.parent / "again")
    (folder / "suli_request.json").unlink()
    done = run_in(
        supreme,
        [
            "-c",
            FORGET_AGAIN,
            *COMMON,
            *f"-type_of_unlearning_strategy fullclass -forget_class_name digit5 -method su "
            f"-weight_path {original} -seed {SEED} -eval_metrics accuracy "
            f"-force_reunlearning".split(),
        ],
        original.parent,
        path=[SUPPORT],
        LOG_DIR=folder,
        SUPREME_PROJECT_ROOT=original.parent,
        SCALENE="1",
    )
    assert done.returncode == 3, done.stdout[-3000:]
    assert "it names class 5 to be forgotten, but the forget set holds images of class 3" in (
        done.stdout
    )


def test_our_names_are_not_supremes_and_a_failure_is_no_success(supreme, tmp_path):
    code = """
import importlib
import importlib.metadata
from benchmark_adapters.harnesses import supreme as ours
fixed = {e.name for e in importlib.metadata.entry_points(group="supreme.unlearning_methods")}
import supreme.utils.project_config as theirs
names = ours.names()
assert fixed <= set(names), fixed - set(names)
assert not set(names) & set(theirs.all_methods)
assert {"suli", "suli_official", "su_official", "neg_grad_plugin"} <= set(names)
import pkgutil
from harness_cases import SUPREMES_OWN
folders = [importlib.import_module(folder) for folder in ours.SUPREME_METHODS]
found = {each.name for folder in folders for each in pkgutil.iter_modules(folder.__path__)}
assert found == SUPREMES_OWN, found ^ SUPREMES_OWN
# SUPREME swallows AttributeError and ModuleNotFoundError, and saves the original as unlearned.
try:
    ours.suli(fabric=None, model=None, model_name="", num_labels=1,
              type_of_unlearning_strategy="random_", forget_train_dataloader=[],
              retain_train_dataloader=[1], test_dataloader=[1])
except RuntimeError as error:
    print("RAISED", error)
"""
    done = run_in(supreme, ["-c", code], tmp_path, path=[SUPPORT])
    assert done.returncode == 0, done.stdout
    assert "RAISED suli failed: AttributeError" in done.stdout


def test_supremes_own_methods_run_in_our_benchmark(supreme, tmp_path):
    methods = "original,supreme_lfssd,supreme_unsir"
    arguments = f"bench run digits --scenarios class-3 --seeds 0 --methods {methods}"
    done = run_in(supreme, ["-m", "suli_plugin", *arguments.split(), "--json"], tmp_path)
    assert done.returncode == 0, done.stdout[-2000:]
    rows = {}
    for file in (tmp_path / "runs").rglob("*.json"):
        row = json.loads(file.read_text())
        rows[row["method"]] = row
    peer, original = rows["supreme_lfssd"], rows["original"]
    assert peer["metrics"]["forget_accuracy"] < original["metrics"]["forget_accuracy"] - 0.2
    # LFSSD takes the gradients of the forget set once and of the whole training set once.
    forget, retain = (peer["sizes"][part] for part in ("forget", "retain"))
    for direction in ("forward", "backward"):
        assert peer["passes"][direction] == {"forget": 2 * forget, "retain": retain}
    assert peer["notes"]["selection_weighting"] == 10.0
    assert "does not apply: class-3 supreme_unsir seed 0: supreme_unsir makes RGB" in done.stdout


def test_suli_plugins_shows_the_version_and_what_supreme_sees(supreme, tmp_path):
    done = run_in(supreme, ["-m", "suli_plugin", "plugins"], tmp_path)
    line = next(line for line in done.stdout.splitlines() if line.startswith("harness  supreme"))
    assert "0.1.5" in line
    assert "suli_official" in line


def test_a_log_folder_of_another_request_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("LOG_DIR", str(tmp_path))
    asked = ["-dataset", "Digits", "-type_of_unlearning_strategy", "fullclass"]
    check_folder(tmp_path, [*asked, "-forget_class_name", "digit3", "-method", "suli"])
    (tmp_path / "forget_train_indices.pt").touch()
    check_folder(tmp_path, [*asked, "-forget_class_name=digit3", "-method", "su"])
    result = CliRunner().invoke(
        main, ["supreme", "unlearn", *asked, "-forget_class_name", "digit5", "-method", "suli"]
    )
    assert result.exit_code == 2
    assert "-forget_class_name digit3, not for" in result.output
    (tmp_path / "suli_request.json").unlink()
    with pytest.raises(ValueError, match="that was not noted"):
        check_folder(tmp_path, asked)


def test_without_supreme_the_command_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "supreme", None)
    result = CliRunner().invoke(main, ["supreme", "train"])
    assert result.exit_code == 1
    said = result.output.strip().splitlines()[-1]
    assert said.startswith("Error: SUPREME can't be imported")
    assert said.endswith("pip install --no-deps supreme-unlearning")


def test_unlearning_without_a_log_folder_says_which_variable_is_missing(monkeypatch):
    monkeypatch.delenv("LOG_DIR", raising=False)
    result = CliRunner().invoke(main, ["supreme", "unlearn"])
    assert result.exit_code == 2
    assert "LOG_DIR" in result.output
