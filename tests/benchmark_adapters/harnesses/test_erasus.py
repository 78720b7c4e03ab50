"""Erasus, unmodified and from the registry, in an environment of its own."""

import json

import pytest
import torch
from harness_cases import class_three, same_weights, unlearned_by_us
from harness_figures import note
from harness_runs import run_in, source_hash
from repository import SUPPORT

from benchmark_adapters.benchmarks.digits import digits_original

LABELS = {"suli": "suli", "suli_tuned": "suli@tuned", "suli_official": "suli@official"}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def walk(environment_of, tmp_path_factory):
    python = environment_of("erasus", ("--no-deps", "erasus==0.2.0"), ("transformers", "pyyaml"))
    folder = tmp_path_factory.mktemp("erasus")
    package = next(python.parents[1].rglob("site-packages")) / "erasus"
    before = source_hash(package)
    torch.save(digits_original(0).state_dict(), folder / "original.pt")
    program = SUPPORT / "digits_in_erasus.py"
    done = run_in(python, [program, *LABELS], folder, path=[SUPPORT])
    assert done.returncode == 0, done.stdout[-3000:]
    assert source_hash(package) == before
    report = json.loads((folder / "report.json").read_text())
    for name, label in LABELS.items():
        forget, retain = report[name][1]
        note("Erasus", label, forget=forget, retain=retain)
    return folder, report


@pytest.mark.parametrize("name", LABELS)
def test_its_weights_are_those_of_our_own_runner(walk, name):
    ours = unlearned_by_us(LABELS[name], digits_original(0), class_three(), seed=7)
    assert same_weights(torch.load(walk[0] / f"{name}.pt"), ours.state_dict())


def test_forget_accuracy_falls_and_its_original_stays_as_it_was(walk):
    for name in LABELS:
        (forgotten, _), (after, retained) = walk[1][name]
        assert forgotten > 0.9
        assert after < 0.5, name
        assert retained > 0.85, name


def test_its_own_strategies_keep_their_names(walk):
    names = walk[1]["names"]
    assert {"suli", "suli_official", "su_paper", "delete"} <= set(names)
    assert not {"scrub", "gradient_ascent", "fisher_forgetting"} & set(names)
