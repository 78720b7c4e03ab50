"""The linear probe: chance without information, certainty with it, and blind to the last layer."""

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from small_problem import request, trained_convnet
from torch import nn

from benchmark_adapters.baselines.logit_mask import LogitMask
from benchmark_adapters.benchmarks.digits import digits_parts
from benchmark_adapters.metrics.linear_probe import linear_probe
from suli_plugin import evaluate, run


def clusters(count, spread, seed, classes=4, dims=6):
    draw = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(0, 1, (classes, dims))
    labels = np.arange(count) % classes
    return centres[labels] + draw.normal(0, spread, (count, dims)), labels


def probe(spread=0.8, change=lambda features: features, **options):
    train, labels = clusters(400, spread, 0)
    test, answers = clusters(200, spread, 1)
    return linear_probe(change(train), labels, change(test), answers, (2,), **options)


def test_separate_clusters_are_read_without_an_error():
    found = probe(spread=0.01)
    assert found.forget_accuracy == found.retain_accuracy == 1


def test_features_without_information_give_chance():
    draw = np.random.default_rng(0)
    train, test = draw.normal(size=(2000, 3)), draw.normal(size=(2000, 3))
    labels = np.arange(2000) % 4
    found = linear_probe(train, labels, test, labels, (0, 1))
    both = (found.forget_accuracy + found.retain_accuracy) / 2
    assert both == pytest.approx(0.25, abs=0.04)


def test_it_is_the_minimum_of_the_regularised_cross_entropy():
    train, labels = clusters(400, 0.8, 0)
    test, answers = clusters(200, 0.8, 1)
    mean, deviation = train.mean(0), train.std(0)
    x = torch.tensor((train - mean) / deviation)
    weight = torch.zeros(4, 6, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=500, line_search_fn="strong_wolfe")

    def objective():
        solver.zero_grad()
        loss = nn.functional.cross_entropy(
            x @ weight.T + bias, torch.tensor(labels), reduction="sum"
        )
        loss = loss + weight.square().sum() / 2
        loss.backward()
        return loss

    solver.step(objective)
    scores = torch.tensor((test - mean) / deviation) @ weight.T + bias
    right = scores.argmax(1).detach().numpy() == answers
    found = probe()
    assert found.forget_accuracy == pytest.approx(right[answers == 2].mean())
    assert found.retain_accuracy == pytest.approx(right[answers != 2].mean())
    assert 0.3 < found.forget_accuracy < 1


@pytest.mark.parametrize(
    "change",
    [
        lambda features: 1000 * features - 7,
        lambda features: features[:, ::-1],
        lambda features: np.hstack([features, np.ones((len(features), 1))]),  # a dead feature
    ],
)
def test_scale_shift_order_and_dead_features_change_nothing(change):
    assert probe(change=change) == probe()


def test_few_samples_a_class_are_drawn_by_the_seed():
    assert probe(samples_per_class=3, seed=1) == probe(samples_per_class=3, seed=1)
    drawn = {probe(samples_per_class=3, seed=seed) for seed in range(6)}
    assert len(drawn) > 1


def test_a_masked_logit_hides_nothing_from_it():
    original, asked, parts = trained_convnet(), request("class-wise"), digits_parts()
    masked = run(LogitMask(), original, asked).model

    def found(model):
        sets = [
            evaluate(model, images, Accelerator(), features=True)
            for images in (parts.train, parts.test)
        ]
        columns = [column for seen in sets for column in (seen.features, seen.labels)]
        return linear_probe(*columns, (3,))

    assert evaluate(masked, asked.forget, Accelerator()).accuracy() == 0
    assert found(masked) == found(original)
    assert found(masked).forget_accuracy > 0.7


@pytest.mark.parametrize(("classes", "labels"), [((), [0, 1]), ((5,), [0, 1]), ((0,), [0, 0])])
def test_missing_classes_are_refused(classes, labels):
    rows = [[0.0], [1.0]]
    with pytest.raises(ValueError, match="expected training images of the forgotten classes"):
        linear_probe(rows, labels, rows, labels, classes)
