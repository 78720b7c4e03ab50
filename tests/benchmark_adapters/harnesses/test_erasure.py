"""ERASURE, unmodified: a whole run of its `main.py` on the digits, where there is a clone."""

import json
import re
from pathlib import Path

import pytest
import torch
from harness_cases import class_three, same_weights, unlearned_by_us
from harness_figures import note
from harness_runs import clone_of, run_in, source_hash
from repository import SUPPORT
from torch import nn

import benchmark_adapters.harnesses
from benchmark_adapters.architectures.digits_convnet import digits_convnet
from benchmark_adapters.harnesses.translation import our_classes

CONFIGS = Path(benchmark_adapters.harnesses.__file__).parent / "configs"
OURS = "benchmark_adapters.harnesses.erasure"
SEED = 7
# Label and hyper-parameters, in the order of the run; the first is ERASURE's own Identity.
RUNS = [None, ("suli", {}), ("su@official", {"epochs": 40}), ("neg_grad", {"epochs": 30})]
NEEDS = ("torch_geometric", "picologging==0.9.2", "jsonc_parser", "jsonpickle", "pandas", "psutil")


def configuration(folder):
    splitters = "erasure.data.datasets.DataSplitter"
    measures = "erasure.evaluations.measures"
    return {
        "data": {
            "class": "erasure.data.datasets.DatasetManager.DatasetManager",
            "parameters": {
                "DataSource": {"class": "digits_in_erasure.DigitsSource", "parameters": {}},
                "partitions": [
                    {
                        "class": f"{splitters}.DataSplitterNSamples",
                        "parameters": {
                            "parts_names": ["train", "test"],
                            "n_samples": 359,
                            "ref_data": "all",
                        },
                    },
                    {
                        "class": f"{splitters}.DataSplitterClass",
                        "parameters": {
                            "parts_names": ["forget", "retain"],
                            "labels": [3],
                            "ref_data": "train",
                        },
                    },
                ],
                "batch_size": 64,
            },
        },
        "predictor": {
            "class": "erasure.model.TorchModel.TorchModel",
            "parameters": {
                "epochs": 15,
                "optimizer": {"class": "torch.optim.Adam", "parameters": {"lr": 0.01}},
                "loss_fn": {"class": "torch.nn.CrossEntropyLoss", "parameters": {}},
                "model": {"class": "digits_in_erasure.DigitsNet", "parameters": {}},
            },
        },
        "unlearners": [
            {"class": "erasure.unlearners.composite.Identity", "parameters": {}},
            {"compose_suli": str(CONFIGS / "erasure_suli.json")},
            {"class": f"{OURS}.SU", "parameters": {"preset": "official", "epochs": 40}},
            {"class": f"{OURS}.NegGrad", "parameters": {"epochs": 30}},
        ],
        "evaluator": {
            "class": "erasure.evaluations.manager.Evaluator",
            "parameters": {
                "measures": [
                    {"class": "erasure.evaluations.running.RunTime", "parameters": {}},
                    *(
                        {"class": f"{measures}.TorchSKLearn", "parameters": {"partition": part}}
                        for part in ("forget", "retain")
                    ),
                    {
                        "class": "weights_from_erasure.SaveWeights",
                        "parameters": {"folder": str(folder)},
                    },
                    {
                        "class": f"{measures}.SaveValues",
                        "parameters": {"path": str(folder / "report.json")},
                    },
                ]
            },
        },
        "globals": {"seed": SEED, "cached": False},
    }


@pytest.fixture(scope="module")
def walk(environment_of, tmp_path_factory):
    clone = clone_of("SULI_ERASURE", "github.com/aiim-research/ERASURE")
    python = environment_of("erasure", NEEDS)
    folder = tmp_path_factory.mktemp("erasure")
    before = source_hash(clone)
    (folder / "digits.jsonc").write_text(json.dumps(configuration(folder)))
    done = run_in(
        python, [clone / "main.py", folder / "digits.jsonc"], folder,
        path=[SUPPORT, clone],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    assert source_hash(clone) == before
    # ERASURE's JSON is objects with a comma behind each.
    rows = json.loads(f"[{(folder / 'report.json').read_text().rstrip(',')}]")
    for ran, row in zip(RUNS, rows, strict=True):
        parts = {part: accuracy(row, part) for part in ("forget", "retain")}
        note("ERASURE", *(ran or ["original"]), **parts)
    return folder, rows


def accuracy(row, part):
    return row[f"sklearn.metrics.accuracy_score.{part}.unlearned"]


@pytest.mark.slow
def test_forget_accuracy_falls_and_retain_accuracy_stays_in_erasures_own_report(walk):
    identity, *ours = walk[1]

    assert accuracy(identity, "forget") > 0.9
    assert len(ours) == 3
    for row in ours:
        assert accuracy(row, "forget") < 0.5, row
        assert accuracy(row, "retain") > accuracy(identity, "retain") - 0.05, row


class FeaturesAndLogits(nn.Module):
    """The digits' network in ERASURE's form, as the run has it."""

    def __init__(self):
        super().__init__()
        self.body, self.head = digits_convnet()[:-1], digits_convnet()[-1]

    def forward(self, images):
        features = self.body(images)
        return features, self.head(features)


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 3])
def test_erasures_weights_are_those_of_our_own_runner(walk, number):
    original, unlearned = torch.load(walk[0] / f"{number}.pt")
    model = FeaturesAndLogits()
    model.load_state_dict(original)
    label, settings = RUNS[number]
    ours = unlearned_by_us(label, model, class_three(), seed=SEED, settings=settings)
    assert same_weights(unlearned, ours.state_dict())


@pytest.mark.slow
def test_erasures_own_methods_run_in_our_benchmark(environment_of, tmp_path):
    clone = clone_of("SULI_ERASURE", "github.com/aiim-research/ERASURE")
    methods = "original,erasure_bad*,erasure_adv*"
    arguments = f"bench run digits --scenarios class-3 --seeds 0 --methods {methods}"
    done = run_in(
        environment_of("erasure", NEEDS),
        ["-m", "suli_plugin", *arguments.split()],
        tmp_path,
        path=[clone],
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["runs"]
    rows = {}
    for file in (tmp_path / "runs").rglob("*.json"):
        row = json.loads(file.read_text())
        rows[row["method"]] = row["metrics"]
    assert rows["erasure_bad_teaching"]["forget_accuracy"] < 0.5
    assert rows["erasure_bad_teaching"]["retain_accuracy"] > 0.9
    assert rows["original"]["forget_accuracy"] > 0.9
    assert "does not apply: class-3 erasure_advanced_neg_grad seed 0" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unlearner", "parameters", "source", "message"),
    [
        ("LogitMask", {"forget_classes": []}, "DigitsSource", "logit_mask supports class-wise"),
        ("SULI", {"forget_classes": [5]}, "DigitsSource", "names class 5 to be forgotten, but"),
        ("BoundaryShrink", {}, "NormalisedDigits", "boundary_shrink works on images whose pixels"),
    ],
)
def test_what_a_method_cannot_do_stops_the_run_before_the_first_row(
    unlearner, parameters, source, message, environment_of, tmp_path
):
    clone = clone_of("SULI_ERASURE", "github.com/aiim-research/ERASURE")
    wrong = configuration(tmp_path)
    wrong["unlearners"][1:] = [{"class": f"{OURS}.{unlearner}", "parameters": parameters}]
    wrong["predictor"]["parameters"]["epochs"] = 1
    wrong["data"]["parameters"]["DataSource"]["class"] = f"digits_in_erasure.{source}"
    (tmp_path / "wrong.jsonc").write_text(json.dumps(wrong))
    arguments = [clone / "main.py", tmp_path / "wrong.jsonc"]
    done = run_in(environment_of("erasure", NEEDS), arguments, tmp_path, path=[SUPPORT, clone])
    assert done.returncode != 0
    assert message in done.stdout.strip().splitlines()[-1]
    assert not (tmp_path / "report.json").exists()


@pytest.mark.parametrize("file", sorted(CONFIGS.iterdir()), ids=lambda file: file.name)
def test_every_shipped_configuration_names_methods_and_parameters_that_there_are(file):
    text = re.sub(r"^\s*//.*$", "", file.read_text(), flags=re.MULTILINE)
    configured = json.loads(text)
    ours = [
        each
        for each in configured.get("unlearners", [configured])
        if each.get("class", "").startswith(OURS)
    ]
    assert ours
    for each in ours:
        cls = our_classes()[each["class"].rpartition(".")[2]]
        known = {"preset", "forget", "retain", "reference", "forget_classes"}
        assert set(each["parameters"]) <= known | set(cls().hyperparameters())
        assert each["parameters"].get("preset", "") in ("", *cls.presets())
