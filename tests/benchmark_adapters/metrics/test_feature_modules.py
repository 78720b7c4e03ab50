"""The `evaluate` modules of features give what the functions give, without the network."""

import numpy as np
import pytest
import torch

from benchmark_adapters.metrics import feature_modules as modules
from benchmark_adapters.metrics.linear_cka import linear_cka
from benchmark_adapters.metrics.linear_map import explained_variance
from benchmark_adapters.metrics.mutual_information import membership_information
from benchmark_adapters.metrics.nearest_class_mean import nearest_class_mean
from benchmark_adapters.metrics.prototype import Head, prototype_attack

DRAW = np.random.default_rng(0)
OTHER = DRAW.normal(size=(40, 3))
ONE = OTHER + DRAW.normal(size=(40, 3))
LABELS = np.arange(40) % 4
LABELLED = {"train_features": OTHER, "train_labels": LABELS, "forget_classes": (1,)}


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (modules.LinearCka, linear_cka(ONE, OTHER)),
        (modules.ExplainedVariance, explained_variance(OTHER, ONE)),
    ],
)
def test_two_models_features_are_compared_batch_by_batch(metric, expected, kind, tmp_path):
    module = metric(cache_dir=str(tmp_path))
    for part in (slice(0, 10), slice(10, 40)):
        module.add_batch(predictions=kind(ONE[part]), references=kind(OTHER[part]))
    assert list(module.compute().values()) == [expected]


def test_options_reach_the_function():
    found = modules.ExplainedVariance(keep_in_memory=True).compute(
        predictions=ONE, references=OTHER, folds=5, seed=3
    )
    assert found == {"explained_variance": explained_variance(OTHER, ONE, folds=5, seed=3)}


def test_labelled_features_give_the_nearest_class_mean():
    found = modules.NearestClassMeanAccuracy(keep_in_memory=True).compute(
        predictions=ONE, references=LABELS, **LABELLED
    )
    expected = nearest_class_mean(OTHER, LABELS, ONE, LABELS, (1,))
    assert list(found.values()) == [expected.forget_accuracy, expected.retain_accuracy]


def test_features_and_a_head_give_the_prototype_attack():
    options = {
        "test_logits": DRAW.normal(size=(40, 4)),
        "forget_features": OTHER[LABELS == 1],
        "forget_labels": LABELS[LABELS == 1],
        "head": Head(DRAW.normal(size=(4, 3))),
        "forget_classes": (1,),
        "weights": (0.25, 1.0),
    }
    module = modules.PrototypeAttackAccuracy(keep_in_memory=True)
    found = module.compute(predictions=ONE, references=LABELS, **options)
    expected = prototype_attack(ONE, test_labels=LABELS, **options)
    assert list(found.values()) == [*expected.raw, *expected.scaled]
    assert {"prototype_raw_0.25", "prototype_scaled_1"} < set(found)


def test_features_of_both_sets_give_their_information():
    found = modules.MembershipInformation(keep_in_memory=True).compute(
        predictions=ONE, references=LABELS, seed=2
    )
    expected = membership_information(ONE[LABELS == 1], ONE[LABELS != 1], seed=2)
    assert found == {"membership_information": expected}
