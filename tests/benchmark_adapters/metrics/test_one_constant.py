"""One constant brings back a hidden class, and not one that was never learned."""

import numpy as np
import pytest
from accelerate import Accelerator
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from small_problem import request, trained_convnet

from benchmark_adapters.baselines.bias_mask import BiasMask
from benchmark_adapters.benchmarks.digits import RECIPE, digits_parts
from benchmark_adapters.metrics.one_constant import one_constant_recovery
from suli_plugin import evaluate, run

CLASSES = (1, 4)


def drawn(seed=0, images=200, spread=2.0):
    """Logits of five classes that know the labels to some degree."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 5, images)
    return draw.normal(0, 1, (images, 5)) + spread * np.eye(5)[labels], labels


def searched(logits, labels, classes):
    """The accuracy at each constant that lies between two margins, and its count of predictions."""
    others = [each for each in range(logits.shape[1]) if each not in classes]
    margins = logits[:, list(classes)].max(1) - logits[:, others].max(1)
    wanted = np.isin(labels, classes)
    for constant in -(np.sort(margins)[1:] + np.sort(margins)[:-1]) / 2:
        moved = logits.copy()
        moved[:, list(classes)] += constant
        predicted = moved.argmax(1)
        if np.isin(predicted, classes).sum() == wanted.sum():
            return constant, (predicted == labels)[wanted].mean(), margins
    raise AssertionError("no constant predicts the classes as often as they occur")


@settings(max_examples=20)
@given(st.integers(0, 1000), st.sampled_from([(2,), CLASSES, (0, 1, 3)]))
def test_it_is_what_a_search_finds(seed, classes):
    logits, labels = drawn(seed)
    constant, accuracy, margins = searched(logits, labels, classes)
    found = one_constant_recovery(logits, labels, classes)
    assert found.constant == pytest.approx(constant)
    assert found.forget_accuracy == pytest.approx(accuracy) and 0 < accuracy < 1
    assert found.auc == pytest.approx(roc_auc_score(np.isin(labels, classes), margins))


@pytest.mark.parametrize("hidden", [-30.0, -1e4, 7.0])
def test_a_constant_added_beforehand_changes_nothing_but_the_constant(hidden):
    logits, labels = drawn()
    before = one_constant_recovery(logits, labels, CLASSES)
    masked = logits.copy()
    masked[:, CLASSES] += hidden
    after = one_constant_recovery(masked, labels, CLASSES)
    assert (after.forget_accuracy, after.auc) == (before.forget_accuracy, before.auc)
    assert after.constant == pytest.approx(before.constant - hidden)


def test_scale_a_shift_of_each_image_and_the_images_order_change_nothing():
    logits, labels = drawn()
    before = one_constant_recovery(logits, labels, CLASSES)
    order = np.random.default_rng(1).permutation(len(labels))
    moved = (16 * logits + np.arange(len(labels))[:, None])[order]
    after = one_constant_recovery(moved, labels[order], CLASSES)
    assert (after.forget_accuracy, after.auc) == (before.forget_accuracy, before.auc)


def test_an_image_of_another_forgotten_class_is_not_right():
    logits = [[9.0, 0.0, 0.0], [8.0, 7.0, 0.0], [0.0, 0.0, 5.0]]
    found = one_constant_recovery(logits, [0, 1, 2], (0, 1))
    assert found.forget_accuracy == 0.5 and found.auc == 1


def test_logits_that_say_nothing_give_the_share():
    labels = np.arange(50) % 5
    for gone in (0, -1e30):
        logits = np.random.default_rng(0).normal(size=(50, 5)) * (gone < 0) + gone * np.eye(5)[2]
        found = one_constant_recovery(logits, labels, (2,))
        assert (found.forget_accuracy, found.auc) == (pytest.approx(0.2), 0.5)


def test_of_ties_at_the_cut_as_many_count_as_are_missing():
    # Margins 2, 0, 0, 0 and -1; two images are of the class: one above, one of three that tie.
    logits = [[2.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [-1.0, 0.0]]
    for forgotten, accuracy in ({0, 1}, (1 + 1 / 3) / 2), ({1, 2}, 1 / 3), ({3, 4}, 1 / 6):
        labels = [0 if at in forgotten else 1 for at in range(5)]
        found = one_constant_recovery(logits, labels, (0,))
        assert found.forget_accuracy == pytest.approx(accuracy) and found.constant == 0


def test_a_hidden_class_comes_back_and_one_never_seen_stays_away():
    original, asked, test = trained_convnet(), request("class-wise"), digits_parts().test
    hidden = run(BiasMask(), original, asked).model

    def found(model):
        seen = evaluate(model, test, Accelerator())
        return one_constant_recovery(seen.logits, seen.labels, (3,))

    assert evaluate(hidden, asked.forget, Accelerator()).accuracy() == 0
    assert found(hidden).forget_accuracy > 0.8
    retrained = found(run(RECIPE, original, asked).model)
    assert retrained.forget_accuracy < found(hidden).forget_accuracy - 0.1
    assert retrained.auc < found(hidden).auc


@pytest.mark.parametrize(
    ("labels", "classes"),
    [([0, 0], (0,)), ([1, 1], (0,)), ([0, 1], ()), ([0, 1], (0, 1, 2)), ([0, 1], (3,))],
)
def test_sides_that_are_missing_are_refused(labels, classes):
    with pytest.raises(ValueError, match="one-constant recovery: expected images"):
        one_constant_recovery(np.eye(2, 3), labels, classes)
