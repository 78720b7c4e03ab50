"""Whose network a model is: what hides features among others hides neither them nor the answers."""

from dataclasses import replace

import pytest
import torch
from drawn_observations import CLASSES, drawn_observation

from benchmark_adapters.audit.audit_test import Against
from benchmark_adapters.audit.origin import TESTS
from suli_plugin.evaluation import Predictions

ORIGINAL = drawn_observation(0)
AGAINST = Against(ORIGINAL, [], CLASSES, 0)
TEST = {test.name: test for test in TESTS}


def found(seen):
    return {name: test.value(seen, AGAINST) for name, test in TEST.items()}


def changed(change, *, settled=False):
    """The original's features and logits, as they are or settled, after a change."""
    kind = "settled" if settled else "parts"
    parts = {
        name: Predictions(*change(part.logits, part.labels, part.features))
        for name, part in getattr(ORIGINAL, kind).items()
    }
    return replace(ORIGINAL, **{kind: parts})


def noise(rows, columns):
    return 5 * torch.randn(rows, columns, generator=torch.Generator().manual_seed(rows))


def test_the_original_is_itself_and_another_network_is_not():
    own, other = found(ORIGINAL), found(drawn_observation(1))
    for name in TEST:
        assert own[name] > 0.95 > 0.7 > other[name], name


@pytest.mark.parametrize(
    "change",
    [
        lambda logits, labels, z: (0.3 * logits, labels, z),
        lambda logits, labels, z: (3 * logits - 7, labels, z @ torch.eye(6)[:, [3, 1, 0, 2, 5, 4]]),
        lambda logits, labels, z: (logits - 1e30 * torch.eye(4)[1], labels, 100 * z),
        lambda logits, labels, z: (logits + 50 * torch.eye(4)[1], labels, z - 4),
    ],
)
def test_scale_order_and_what_the_forgotten_logit_says_change_nothing(change):
    assert found(changed(change)) == pytest.approx(found(ORIGINAL), abs=1e-4)


def test_noise_beside_the_features_hides_them_from_one_side_alone():
    hidden = found(
        changed(lambda logits, labels, z: (logits, labels, torch.cat([z, noise(len(z), 18)], 1)))
    )
    own = found(ORIGINAL)
    assert hidden["linear_map"] < 0.3
    assert hidden["read_back"] > 0.85
    assert hidden["answers_map"] == own["answers_map"]
    assert hidden["answer_order"] == own["answer_order"]


def test_drift_hides_from_one_look_and_not_from_the_settled_one():
    drifted = found(changed(lambda logits, labels, z: (noise(len(z), 4), labels, noise(len(z), 6))))
    own = found(ORIGINAL)
    for name in ("linear_map", "read_back", "answers_map", "answer_order"):
        assert drifted[name] < 0.6
        assert drifted[f"{name}_settled"] == own[f"{name}_settled"] > 0.95


def test_too_few_images_are_asked_nothing_and_one_other_class_has_no_order():
    few = {name: Predictions(*(part[:9] for part in (p.logits, p.labels, p.features)))
           for name, p in ORIGINAL.parts.items() if name == "forget"}  # fmt: skip
    small = replace(ORIGINAL, parts=few, settled=few)
    against = Against(small, [], CLASSES, 0)
    assert TEST["linear_map"].value(small, against) is None
    assert TEST["answer_order"].value(small, against) == pytest.approx(1)
    all_but_one = Against(ORIGINAL, [], (0, 1, 2), 0)
    assert TEST["answer_order"].value(ORIGINAL, all_but_one) is None
    assert TEST["answers_map"].value(ORIGINAL, all_but_one) is None
