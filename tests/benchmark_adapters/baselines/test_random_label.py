"""Random Label: labels that are drawn once, of another class."""

import torch
from characteristic import characteristic
from small_problem import request, request_of_two_classes
from watched_labels import taught_labels

from benchmark_adapters.baselines import random_label
from benchmark_adapters.baselines.random_label import RandomLabel

QUICK = {"epochs": 3, "batch_size": 1000, "stop": "never"}


def own_labels(labels, *others):
    return labels


@characteristic(lambda patch: patch.setattr(random_label, "random_labels", own_labels))
def test_labels_are_drawn_once_and_are_another_class():
    wanted = request("instance-wise", count=200)
    first, *later = taught_labels(RandomLabel(**QUICK), wanted)
    assert len(later) == 2 and all(torch.equal(first, labels) for labels in later)
    assert not bool((first == wanted.forget.labels).any())
    assert set(first.tolist()) == set(range(10))


def test_a_forgotten_class_is_never_taught():
    taught = torch.cat(taught_labels(RandomLabel(**QUICK), request_of_two_classes()))
    assert set(taught.tolist()) == {0, 1, 2, 4, 6, 7, 8, 9}
