"""Scores of the sets that there are, and what is left unmeasured without the others."""

from dataclasses import dataclass

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from benchmark_adapters.metrics.scoring import not_measurable, score
from suli_plugin.images import ImageSet


@dataclass
class Sets:
    forget: ImageSet
    retain: ImageSet | None = None
    test: ImageSet | None = None
    forget_classes: tuple[int, ...] = ()


def images(*labels):
    """One pixel of as many channels as there are classes, lit where the label is."""
    lit = torch.eye(3)[list(labels)].reshape(len(labels), 3, 1, 1)
    return ImageSet.of_tensors(lit, torch.tensor(labels))


def test_each_set_that_is_there_is_scored_and_no_other():
    model, accelerator = nn.Flatten(), Accelerator()
    wrong = images(1, 1).relabelled(torch.tensor([1, 0]))
    assert score(model, Sets(wrong), accelerator, seed=0) == {"forget_accuracy": 0.5}
    assert score(model, Sets(wrong, retain=images(2)), accelerator, seed=0) == {
        "forget_accuracy": 0.5,
        "retain_accuracy": 1.0,
    }
    sets = Sets(images(1), test=images(0, 1, 2), forget_classes=(1,))
    assert set(score(model, sets, accelerator, seed=0, attack=False)) == {
        *("forget_accuracy", "test_accuracy", "test_forget_accuracy", "test_retain_accuracy")
    }


def test_the_attack_needs_ten_images_on_each_side():
    model, accelerator = nn.Flatten(), Accelerator()
    enough = Sets(images(*[1] * 10), test=images(*[1] * 10, 0), forget_classes=(1,))
    assert not_measurable(enough) == {"retain accuracy": "no retain data"}
    assert 0 <= score(model, enough, accelerator, seed=0)["mia_accuracy"] <= 1
    few = Sets(images(*[1] * 10), images(0), images(*[1] * 9, *[0] * 9), (1,))
    assert list(not_measurable(few)) == ["membership inference"]
    with pytest.raises(ValueError, match="10 folds need 10 losses on each side, got 9"):
        score(model, few, accelerator, seed=0)


def test_what_cannot_be_measured_is_known_with_its_reason():
    assert not_measurable(Sets(images(1))) == {
        "retain accuracy": "no retain data",
        "test accuracy": "no test data",
        "membership inference": "no test data",
    }
    elsewhere = Sets(images(*[1] * 20), images(0), images(*[0] * 20), (1,))
    missing = not_measurable(elsewhere)
    assert missing["test accuracy on the forgotten classes"] == "no test image of theirs"
    assert missing["membership inference"].endswith("there are 20 and 0")
