"""The prototype attack against a loop over draws, and which edits of a head can't fool it."""

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from small_problem import request, trained_convnet

from benchmark_adapters.baselines.logit_mask import LogitMask
from benchmark_adapters.benchmarks.digits import digits_parts
from benchmark_adapters.metrics.prototype import WEIGHTS, Head, prototype_attack
from suli_plugin import evaluate, run

DRAW = np.random.default_rng(0)
CENTRES = DRAW.normal(size=(4, 6))
LABELS = np.arange(200) % 4
TEST = CENTRES[LABELS] + DRAW.normal(0, 1.2, (200, 6))
OWN = np.arange(40) % 2 + 1  # classes 1 and 2
FORGET = CENTRES[OWN] + DRAW.normal(0, 1.2, (40, 6))
ROWS, BIASES = CENTRES + DRAW.normal(0, 0.5, (4, 6)), np.array([0.3, -3, -8, 0.1])


def attacked(classes=(2,), *, features=TEST, logits=None, forget=FORGET, rows=ROWS, biases=BIASES,
             **options):  # fmt: skip
    logits = features @ rows.T + biases if logits is None else logits
    head = Head(rows, biases)
    return prototype_attack(features, logits, LABELS, forget, OWN, head, classes, **options)


def by_hand(label, others, amount, images):
    """Both accuracies of one draw, with a constant that is looked for among all margins."""
    prototype = images.mean(0) / np.linalg.norm(images.mean(0))
    kept = np.isin(LABELS, [*others, label])
    z, own = TEST[kept], LABELS[kept] == label
    best = (z @ ROWS.T + BIASES)[:, others].max(1)
    row = amount * prototype + (1 - amount) * ROWS[label]
    raw = (z @ row + (1 - amount) * BIASES[label] > best)[own].mean()
    mixed = amount * prototype + (1 - amount) * ROWS[label] / np.linalg.norm(ROWS[label])
    size = np.mean([np.linalg.norm(ROWS[other]) for other in others])
    margins = z @ (size * mixed / np.linalg.norm(mixed)) - best
    constants = -margins + 1e-9
    fitting = [c for c in constants if (margins + c > 0).sum() == own.sum()]
    return raw, (margins + fitting[0] > 0)[own].mean()


def test_all_images_at_once_are_what_a_loop_finds():
    images = FORGET[OWN == 2]
    expected = [by_hand(2, [0, 1, 3], amount, images) for amount in WEIGHTS]
    found = attacked(shots=len(images), draws=1)
    assert list(zip(found.raw, found.scaled, strict=True)) == pytest.approx(np.array(expected))
    assert found.weights == WEIGHTS and len(set(found.scaled)) > 1


def test_a_few_images_are_drawn_many_times_and_each_class_stands_against_the_retained_ones():
    expected = []
    draw = np.random.default_rng(7)
    for label in (1, 2):
        images = FORGET[label == OWN]
        chosen = draw.random((30, len(images))).argsort(1)[:, :5]
        drawn = [by_hand(label, [0, 3], 0.5, images[few]) for few in chosen]
        expected.append(np.mean(drawn, axis=0))
    found = attacked((2, 1), draws=30, seed=7, weights=[0.5])
    assert (found.raw[0], found.scaled[0]) == pytest.approx(np.mean(expected, axis=0))


def test_without_a_prototype_the_raw_form_is_the_models_own_accuracy():
    logits = TEST @ ROWS.T + BIASES
    own = (logits.argmax(1) == 2)[LABELS == 2].mean()
    assert attacked().raw[0] == pytest.approx(own) and 0.5 < own < attacked().scaled[0]


@pytest.mark.parametrize(
    ("rows", "biases"),
    [
        (ROWS * 0.01, BIASES * 0.01),
        (ROWS * 1e3, BIASES * 1e3),
        (ROWS, BIASES - [0, 0, 30, 0]),
        (ROWS * np.array([[1], [1], [25], [1]]), BIASES),
    ],
)
def test_no_scale_and_no_constant_of_the_head_fools_the_scaled_form(rows, biases):
    assert attacked(rows=rows, biases=biases).scaled == pytest.approx(attacked().scaled)


def test_a_shorter_prototype_means_the_same():
    assert attacked(forget=0.001 * FORGET).scaled == pytest.approx(attacked().scaled)
    scaled = attacked(features=10 * TEST, forget=10 * FORGET, rows=ROWS / 10)
    assert scaled.scaled == pytest.approx(attacked().scaled)


def test_collapsed_features_give_the_share_and_a_zero_row_no_error():
    flat = attacked(features=np.zeros((200, 6)), weights=[1.0])
    assert flat.scaled == pytest.approx((0.25,))
    rows = ROWS * np.array([[1], [1], [0], [1]])
    assert attacked(rows=rows).scaled[1:] == pytest.approx([attacked().scaled[-1]] * 4)


def test_a_mask_of_a_trained_model_is_seen_through():
    original, asked, test = trained_convnet(), request("class-wise"), digits_parts().test

    def found(model):
        seen, forget = (
            evaluate(model, images, Accelerator(), features=True) for images in (test, asked.forget)
        )
        head = Head(model[-1].weight, model[-1].bias)
        columns = (seen.features, seen.logits, seen.labels, forget.features, forget.labels)
        return prototype_attack(*columns, head, (3,))

    masked = found(run(LogitMask(), original, asked).model)
    before = found(original)
    assert masked.raw[0] == 0 and masked.scaled[-1] == pytest.approx(before.scaled[-1])
    assert min(masked.scaled[1:]) > 0.8


def test_the_seed_draws_and_tensors_are_taken():
    assert attacked(seed=1) == attacked(seed=1) != attacked(seed=2)
    tensors = attacked(features=torch.tensor(TEST), logits=torch.tensor(TEST @ ROWS.T + BIASES))
    assert tensors.scaled == pytest.approx(attacked().scaled)
    unbiased = prototype_attack(TEST, TEST @ ROWS.T, LABELS, FORGET, OWN, Head(ROWS), (2,))
    assert unbiased == attacked(biases=np.zeros(4))


def test_wrong_shapes_classes_and_weights_are_refused():
    with pytest.raises(ValueError, match=r"got \(200, 6\), \(200, 4\), \(4, 6\) and \(3,\)"):
        attacked(logits=TEST @ ROWS.T, biases=np.zeros(3))
    with pytest.raises(ValueError, match="forget features of 6 columns"):
        attacked(forget=FORGET[:, :5])
    with pytest.raises(ValueError, match="prototype attack: expected training images of the"):
        attacked((3,))
    with pytest.raises(ValueError, match=r"weights in \[0, 1\]"):
        attacked(weights=[1.5])
    with pytest.raises(ValueError, match="at least one shot"):
        attacked(shots=0)
