"""The `evaluate` modules of outputs give what the functions give, without the network."""

import numpy as np
import pytest

from benchmark_adapters.metrics import output_modules as modules
from benchmark_adapters.metrics.activation_distance import activation_distance
from benchmark_adapters.metrics.cmia import cmia
from benchmark_adapters.metrics.js_divergence import js_divergence
from benchmark_adapters.metrics.klom import klom
from benchmark_adapters.metrics.one_constant import one_constant_recovery
from benchmark_adapters.metrics.retrain_spread import retrain_spread
from benchmark_adapters.metrics.rmia import rmia

DRAW = np.random.default_rng(0)
LOGITS, RETRAINED = DRAW.normal(size=(60, 4)), DRAW.normal(size=(3, 60, 4))
LABELS = np.arange(60) % 4


def test_logits_and_labels_give_one_constant_recovery_batch_by_batch(tmp_path):
    module = modules.OneConstantRecovery(cache_dir=str(tmp_path))
    for part in (slice(0, 10), slice(10, 60)):
        module.add_batch(predictions=LOGITS[part], references=LABELS[part])
    expected = one_constant_recovery(LOGITS, LABELS, (1,))
    found = module.compute(forget_classes=(1,))
    assert list(found.values()) == [expected.forget_accuracy, expected.auc, expected.constant]


def test_logits_and_retrains_give_the_class_membership_inference():
    found = modules.ClassMembershipInference(keep_in_memory=True).compute(
        predictions=LOGITS, references=LABELS, retrained=RETRAINED, forget_classes=(1,), seed=3
    )
    expected = cmia(LOGITS, LABELS, RETRAINED, (1,), seed=3)
    assert list(found.values()) == [expected.forget_accuracy, expected.neighbour_accuracy]


@pytest.mark.parametrize("originals", [None, DRAW.uniform(size=(2, 240))])
def test_confidences_with_membership_give_rmia(originals):
    confidences, members = DRAW.uniform(size=240), np.arange(240) % 2
    retrained = DRAW.uniform(size=(3, 240))
    found = modules.RobustMembershipInference(keep_in_memory=True).compute(
        predictions=confidences, references=members, retrained=retrained, originals=originals
    )
    forget = members == 1
    expected = rmia(
        confidences[forget], confidences[~forget], retrained[:, forget], retrained[:, ~forget],
        None if originals is None else originals[:, forget],
    )  # fmt: skip
    # A hundred and twenty unseen samples resolve one rate, not the other.
    told = [expected.auc, expected.tpr_at_1_percent, *expected.strata_aucs]
    assert list(found.values()) == told and "rmia_tpr_at_01_percent" not in found


def test_margins_of_all_models_give_klom():
    ours, theirs = DRAW.normal(1, 1, (12, 30)), DRAW.normal(size=(11, 30))
    found = modules.MarginDivergence(keep_in_memory=True).compute(
        predictions=ours.T, references=theirs.T
    )
    assert list(found.values()) == [klom(ours, theirs).p95, klom(ours, theirs).mean]


@pytest.mark.parametrize("distance", [js_divergence, activation_distance])
def test_distributions_of_retrains_give_the_spread(distance):
    one, retrains = DRAW.dirichlet(np.ones(4), 30), DRAW.dirichlet(np.ones(4), (5, 30))
    module = modules.RetrainDistance(keep_in_memory=True)
    found = module.compute(
        predictions=one, references=retrains.transpose(1, 0, 2), distance=distance.__name__
    )
    expected = retrain_spread(distance, one, list(retrains))
    spread = [np.mean(expected.retrains), np.std(expected.retrains, ddof=1)]
    assert list(found.values()) == [expected.model, *spread]
    with pytest.raises(ValueError, match="js_divergence'], got 'l3'"):
        module.compute(predictions=one, references=retrains.transpose(1, 0, 2), distance="l3")
