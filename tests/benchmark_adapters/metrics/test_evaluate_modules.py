"""The `evaluate` modules give what the functions give, batch by batch, without the network."""

import numpy as np
import pytest
import torch

from benchmark_adapters.metrics import evaluate_modules as modules
from benchmark_adapters.metrics.activation_distance import activation_distance
from benchmark_adapters.metrics.js_divergence import js_divergence
from benchmark_adapters.metrics.linear_probe import linear_probe
from benchmark_adapters.metrics.membership_inference import loss_membership_inference
from benchmark_adapters.metrics.mia_efficacy import mia_efficacy
from benchmark_adapters.metrics.zrf import zrf

DRAW = np.random.default_rng(0)
ONE, OTHER = (DRAW.dirichlet(np.ones(4), 30) for _ in range(2))
FUNCTIONS = {
    modules.ActivationDistance: activation_distance,
    modules.JsDivergence: js_divergence,
    modules.Zrf: zrf,
}


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
@pytest.mark.parametrize("metric", FUNCTIONS)
def test_distances_are_those_of_the_functions(metric, kind, tmp_path):
    module = metric(cache_dir=str(tmp_path))
    for part in (slice(0, 10), slice(10, 30)):
        module.add_batch(predictions=kind(ONE[part]), references=kind(OTHER[part]))
    assert list(module.compute().values()) == [FUNCTIONS[metric](ONE, OTHER)]


def test_options_reach_the_function():
    found = modules.ActivationDistance(keep_in_memory=True).compute(
        predictions=ONE, references=OTHER, norm="l1"
    )
    assert found == {"activation_distance": activation_distance(ONE, OTHER, norm="l1")}


def test_losses_with_membership_give_the_attack():
    losses, members = DRAW.exponential(size=60), np.arange(60) % 2
    found = modules.LossMembershipInference(keep_in_memory=True).compute(
        predictions=losses, references=members, seed=3
    )
    expected = loss_membership_inference(losses[members == 1], losses[members == 0], seed=3)
    assert found == {
        "mia_accuracy": expected.accuracy,
        "mia_deviation": expected.deviation,
        "mia_auc": expected.auc,
    }


def test_confidences_of_named_sets_give_mia_efficacy():
    confidences, sets = DRAW.uniform(size=60), np.repeat(["forget", "retain", "unseen"], 20)
    module = modules.MiaEfficacy(keep_in_memory=True)
    found = module.compute(predictions=confidences, references=sets)
    assert found == {"mia_efficacy": mia_efficacy(*confidences.reshape(3, 20))}
    with pytest.raises(ValueError, match=r"forget, retain, unseen; got \['test'\]"):
        module.compute(predictions=[0.1], references=["test"])


def test_features_give_the_linear_probe():
    train, labels = DRAW.normal(size=(40, 3)), np.arange(40) % 2
    options = {"train_features": train, "train_labels": labels, "forget_classes": (1,)}
    found = modules.LinearProbeAccuracy(keep_in_memory=True).compute(
        predictions=train[:20], references=labels[:20], **options
    )
    expected = linear_probe(train, labels, train[:20], labels[:20], (1,))
    assert list(found.values()) == [expected.forget_accuracy, expected.retain_accuracy]


def test_predicted_classes_give_accuracy_and_its_complement():
    found = modules.ForgetAccuracy(keep_in_memory=True).compute(
        predictions=[1, 2, 3, 3], references=[1, 2, 0, 0]
    )
    assert found == {"accuracy": 0.5, "unlearning_accuracy": 0.5}
