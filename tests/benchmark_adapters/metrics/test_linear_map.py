"""The linear map against scikit-learn's ridge, and which changes of a network it looks through."""

import copy

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from sklearn.linear_model import Ridge
from small_problem import request, trained_convnet

from benchmark_adapters.baselines.bn_drift import BatchNormDrift
from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks.digits import digits_parts
from benchmark_adapters.metrics.linear_map import explained_variance
from suli_plugin import evaluate, run
from suli_plugin.randomness import seeded

DRAW = np.random.default_rng(0)
GIVEN = DRAW.normal(2, 3, (90, 6)) * np.array([1, 1, 1, 20, 0.1, 1])
MIXED = np.maximum(GIVEN @ DRAW.normal(size=(6, 8)), 0) + DRAW.normal(size=(90, 8))
ASKED = request("class-wise")
TEST = digits_parts().test
TEST_FORGET = TEST.subset(torch.where(TEST.labels == 3)[0])


@pytest.mark.parametrize("folds", [2, 5])
@pytest.mark.parametrize("columns", [6, 200])
def test_it_is_the_ridge_regression_of_scikit_learn(folds, columns):
    given = np.hstack([GIVEN, np.random.default_rng(1).normal(size=(90, columns - 6))])
    wanted = (MIXED - MIXED.mean(0)) / MIXED.std(0)
    order, missed = np.random.default_rng(3).permutation(90), 0.0
    for held_out in np.array_split(order, folds):
        fitted_on = np.setdiff1d(order, held_out)
        mean, deviation = given[fitted_on].mean(0), given[fitted_on].std(0)
        seen = (given - mean) / deviation
        ridge = Ridge(alpha=0.02 * len(fitted_on)).fit(seen[fitted_on], wanted[fitted_on])
        missed += np.square(ridge.predict(seen[held_out]) - wanted[held_out]).sum()
    found = explained_variance(given, MIXED, folds=folds, penalty=0.02, seed=3)
    assert found == pytest.approx(max(0, 1 - missed / wanted.size), rel=1e-9)
    assert columns == 200 or 0.4 < found < 0.95


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x * np.array([1, 1000, 1e-6, 1, 1, 30, 1, -1]) - 7,
        lambda x: x[:, ::-1],
        lambda x: np.hstack([x, np.full((90, 3), 4.2)]),
    ],
)
def test_scale_shift_order_and_constant_features_change_nothing(change):
    assert explained_variance(GIVEN, change(MIXED)) == pytest.approx(
        explained_variance(GIVEN, MIXED), rel=1e-6
    )
    assert explained_variance(change(MIXED), GIVEN) == pytest.approx(
        explained_variance(MIXED, GIVEN), rel=1e-6
    )


def test_noise_explains_nothing_a_linear_image_is_explained_whole_and_collapse_is_none():
    assert explained_variance(DRAW.normal(size=(90, 6)), MIXED) == 0
    image = GIVEN @ DRAW.normal(size=(6, 4)) + 1
    assert explained_variance(GIVEN, image, penalty=1e-6) > 0.999
    assert explained_variance(GIVEN, np.full((90, 4), 3.0)) == 0
    assert explained_variance(np.zeros((90, 4)), MIXED) == 0
    one_channel_of_noise = np.hstack([GIVEN, 1e4 * DRAW.normal(size=(90, 1))])
    assert 0.8 < explained_variance(GIVEN, one_channel_of_noise) < 0.9


def features(model):
    """Of test images of the forgotten class."""
    return evaluate(model, TEST_FORGET, Accelerator(), features=True).features


def changed(kind):
    """The trained network with another head, fewer or other channels, noise, or drift."""
    if kind == "drift":
        return run(BatchNormDrift(), trained_convnet(), ASKED).model
    model = trained_convnet()
    with torch.no_grad(), seeded(0, torch.device("cpu")):
        if kind == "head":
            model[-1].weight.normal_()
        if kind == "rescaled":
            model[4].weight *= torch.linspace(0.1, 10, 16)
            model[4].bias *= torch.linspace(0.1, 10, 16)
        if kind == "pruned":
            model[4].weight[:4], model[4].bias[:4] = 0, 0
        if kind == "noise":
            for parameter in model.parameters():
                parameter += 0.02 * parameter.std() * torch.randn_like(parameter)
    return model


def test_a_network_under_another_head_or_noise_is_told_from_one_trained_anew():
    original = features(trained_convnet())
    seeds = [run(Retrain(), trained_convnet(), ASKED, seed=seed).model for seed in (1, 2)]
    apart = [explained_variance(original, features(model)) for model in seeds]
    same = explained_variance(original, original)
    for kind in ("head", "rescaled", "pruned", "noise", "drift"):
        found = explained_variance(original, features(changed(kind)))
        assert found > same - 0.05, (kind, found, same)
    assert max(apart) < same - 0.2 and abs(apart[0] - apart[1]) < 0.03


def test_the_seed_draws_the_folds_and_the_arrays_stay_as_they_are():
    given, wanted = GIVEN.copy(), torch.tensor(MIXED)
    before = copy.deepcopy((given, wanted))
    found = [explained_variance(given, wanted, seed=seed) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2] == pytest.approx(found[0], abs=0.1)
    assert np.array_equal(given, before[0]) and torch.equal(wanted, before[1])


def test_other_images_and_too_many_folds_are_refused():
    with pytest.raises(ValueError, match="features of the same images"):
        explained_variance(GIVEN, MIXED[:80])
    with pytest.raises(ValueError, match="expected 2 to 90 folds, one image each at least, got 91"):
        explained_variance(GIVEN, MIXED, folds=91)
