"""torchunlearn, unmodified and from the registry, in an environment of its own."""

import json

import pytest
import torch
from harness_cases import class_three, same_weights, unlearned_by_us
from harness_figures import note
from harness_runs import run_in, source_hash
from repository import SUPPORT

from benchmark_adapters.benchmarks.digits import digits_original

SEED = 7
CODE = """
import json, sys, torch, torchunlearn
from torch.utils.data import DataLoader
from benchmark_adapters.architectures.digits_convnet import digits_convnet
from benchmark_adapters.harnesses import torchunlearn as ours
from harness_cases import class_three
request = class_three()
loaders = {"Retain": DataLoader(request.retain, 64, shuffle=True, drop_last=True),
           "Forget": DataLoader(request.forget, 64, shuffle=True)}
report = {}
for name, preset in (("SULI", None), ("SU", "official"), ("NegGrad", None)):
    net = digits_convnet()
    net.load_state_dict(torch.load("original.pt"))
    rmodel = torchunlearn.RobModel(net, n_classes=10)
    before = {part: rmodel.eval_accuracy(loader) for part, loader in loaders.items()}
    settings = {"SULI": {}, "SU": {"epochs": 40}, "NegGrad": {"epochs": 30}}[name]
    trainer = getattr(ours, name)(rmodel, preset=preset, forget_classes=(3,), seed=7, **settings)
    assert isinstance(trainer, torchunlearn.unlearn.trainer.Trainer)
    trainer.fit(loaders, reference=DataLoader(request.reference, 64))
    after = {part: rmodel.eval_accuracy(loader) for part, loader in loaders.items()}
    report[name] = [before, after]
    torch.save(rmodel.model.state_dict(), f"{name}.pt")
for wrong in (dict(nope=1), dict(preset="nope")):
    try:
        ours.SULI(rmodel, **wrong)
    except ValueError as error:
        report[str(error)] = "refused"
json.dump(report, open("report.json", "w"))
"""
METHODS = {"SULI": "suli", "SU": "su@official", "NegGrad": "neg_grad"}
SETTINGS = {"SULI": {}, "SU": {"epochs": 40}, "NegGrad": {"epochs": 30}}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def walk(environment_of, tmp_path_factory):
    python = environment_of("torchunlearn", ("torchunlearn==0.1.0", "matplotlib"))
    folder = tmp_path_factory.mktemp("torchunlearn")
    package = next(python.parents[1].rglob("site-packages")) / "torchunlearn"
    before = source_hash(package)
    torch.save(digits_original(0).state_dict(), folder / "original.pt")
    done = run_in(python, ["-c", CODE], folder, path=[SUPPORT])
    assert done.returncode == 0, done.stdout
    assert source_hash(package) == before
    report = json.loads((folder / "report.json").read_text())
    for name, label in METHODS.items():
        forget, retain = (report[name][1][part] / 100 for part in ("Forget", "Retain"))
        note("torchunlearn", label, SETTINGS[name], forget=forget, retain=retain)
    return folder, report


def test_forget_accuracy_falls_and_retain_accuracy_stays_in_its_own_report(walk):
    for name in METHODS:
        before, after = walk[1][name]
        assert before["Forget"] > 90
        assert after["Forget"] < 50, name
        assert after["Retain"] > before["Retain"] - 5, name


@pytest.mark.parametrize("name", METHODS)
def test_its_weights_are_those_of_our_own_runner(walk, name):
    settings = SETTINGS[name]
    ours = unlearned_by_us(
        METHODS[name], digits_original(0), class_three(), seed=SEED, settings=settings
    )
    assert same_weights(torch.load(walk[0] / f"{name}.pt"), ours.state_dict())


def test_an_unknown_hyperparameter_or_preset_is_refused_when_the_trainer_is_made(walk):
    refused = [message for message, what in walk[1].items() if what == "refused"]
    assert any("suli has no hyper-parameter 'nope'" in message for message in refused)
    assert any("suli has no preset 'nope'" in message for message in refused)
