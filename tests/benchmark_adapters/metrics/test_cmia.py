"""CMIA: Retrain's own answers are recognised, flat and tilted ones are not; masks don't matter."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmark_adapters.metrics.cmia import cmia

CLASSES, PER_CLASS, MODELS = 6, 40, 4
LABELS = np.repeat(np.arange(CLASSES), PER_CLASS)
# To a Retrain, images of the forgotten class 1 look a little like those of classes 4 and 2.
TILT = np.array([0.0, 0.0, 1.5, 0.0, 3.0, 0.0])


def answers(seed, tilt=TILT, forgotten=(1,)):
    """Logits of one model that never learned the forgotten classes."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(0, 1, (len(LABELS), CLASSES)) + 6 * np.eye(CLASSES)[LABELS]
    gone = np.isin(LABELS, forgotten)
    logits[gone] = draw.normal(0, 1, (gone.sum(), CLASSES)) + tilt
    logits[:, forgotten] = -20
    return logits


RETRAINS = np.stack([answers(seed) for seed in range(MODELS)])


def test_the_nearest_classes_are_those_that_retrains_answer():
    assert cmia(answers(9), LABELS, RETRAINS, (1,)).neighbours == {1: (4,)}
    assert cmia(answers(9), LABELS, RETRAINS, (1,), neighbours=2).neighbours == {1: (4, 2)}


def test_another_retrain_is_recognised_and_what_answers_otherwise_is_not():
    retrain, same_as_neighbour = (
        cmia(answers(9, tilt), LABELS, RETRAINS, (1,)) for tilt in (TILT, 8 * np.eye(CLASSES)[4])
    )
    assert retrain.forget_accuracy > 0.9 and retrain.neighbour_accuracy > 0.9
    assert same_as_neighbour.forget_accuracy < 0.2
    assert same_as_neighbour.neighbour_accuracy == retrain.neighbour_accuracy


def test_it_is_an_svm_on_the_other_half_of_the_retrains_answers():
    model = answers(9, 2 * TILT)
    draw = np.random.default_rng(5)
    kept = [each for each in range(CLASSES) if each != 1]

    def logs(logits):
        shown = logits[..., kept]
        return shown - np.log(np.exp(shown).sum(-1, keepdims=True))

    images, near = (draw.permutation(np.flatnonzero(label == LABELS)) for label in (1, 4))
    right = []
    for half in (0, 1):
        taught = [logs(RETRAINS)[:, side[1 - half :: 2]].reshape(-1, 5) for side in (images, near)]
        x, y = np.concatenate(taught), np.repeat([1, 0], [len(each) for each in taught])
        scaled = StandardScaler().fit(x)
        attack = SVC().fit(scaled.transform(x), y)
        right.extend(attack.predict(scaled.transform(logs(model)[images[half::2]])))
    found = cmia(model, LABELS, RETRAINS, (1,), seed=5).forget_accuracy
    assert found == pytest.approx(np.mean(right)) and 0.2 < found < 1


@pytest.mark.parametrize("hidden", [-1e4, 50.0, -np.inf, np.nan])
def test_the_forgotten_logit_does_not_matter(hidden):
    model, masked, retrains = answers(9, 2 * TILT), answers(9, 2 * TILT), RETRAINS.copy()
    masked[:, 1] = retrains[..., 1] = hidden
    assert cmia(masked, LABELS, retrains, (1,)) == cmia(model, LABELS, RETRAINS, (1,))


def test_shifting_an_image_s_logits_and_the_order_of_the_classes_change_nothing():
    model = answers(9, 2 * TILT)
    before = cmia(model, LABELS, RETRAINS, (1,))
    shifted = cmia(model + np.arange(len(LABELS))[:, None] % 8, LABELS, RETRAINS + 4, (1,))
    assert shifted == before
    turned = cmia(model[:, ::-1], 5 - LABELS, RETRAINS[..., ::-1], (4,))
    assert turned.neighbours == {4: (1,)}
    assert turned.forget_accuracy == pytest.approx(before.forget_accuracy, abs=0.03)


def test_each_forgotten_class_has_its_own_attack():
    pair = (1, 3)
    retrains = np.stack([answers(seed, forgotten=pair) for seed in range(MODELS)])
    found = cmia(answers(9, forgotten=pair), LABELS, retrains, pair)
    assert found.neighbours == {1: (4,), 3: (4,)} and found.forget_accuracy > 0.9


def test_a_limit_draws_answers_by_the_seed():
    model = answers(9, 2 * TILT)
    few = [cmia(model, LABELS, RETRAINS, (1,), limit=6, seed=seed) for seed in (1, 1, 2)]
    assert few[0] == few[1] != few[2]
    assert cmia(model, LABELS, RETRAINS, (1,), limit=None) == cmia(model, LABELS, RETRAINS, (1,))


@pytest.mark.parametrize("classes", [(), (7,), (0, 1, 2, 3, 4)])
def test_classes_that_leave_nothing_to_compare_are_refused(classes):
    with pytest.raises(ValueError, match="at least one class to forget and two to keep"):
        cmia(answers(9), LABELS, RETRAINS, classes)


def test_arrays_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match=r"got \(240, 6\), \(240, 6\) and \[1\]"):
        cmia(answers(9), LABELS, RETRAINS[0], (1,))
    with pytest.raises(ValueError, match=r"two test images or more of \[1\], got 0"):
        cmia(answers(9), np.where(LABELS == 1, 0, LABELS), RETRAINS, (1,))
