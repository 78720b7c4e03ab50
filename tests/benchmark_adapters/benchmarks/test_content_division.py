"""Which images are kept, and which of them are test images, by their content alone."""

import hashlib
import random

import pytest
import torch

from benchmark_adapters.benchmarks.content_division import divided
from benchmark_adapters.images.distinct_images import distinct


def hashes_of(*contents):
    return [hashlib.sha256(str(content).encode()).hexdigest() for content in contents]


def test_copies_are_kept_once_and_none_where_their_labels_differ():
    hashes = hashes_of("a", "b", "a", "c", "c", "a", "d")
    kept = distinct(hashes, torch.tensor([0, 1, 0, 0, 1, 0, 1]))
    assert kept.hashes == sorted(hashes_of("a", "b", "d"))
    assert (kept.copies, kept.contradictory) == (2, 2)
    assert [hashes[row] for row in kept.rows] == kept.hashes


def test_a_contradiction_is_noticed_wherever_the_odd_one_stands():
    for labels in ([1, 0, 0], [0, 1, 0], [0, 0, 1]):
        kept = distinct(hashes_of("a", "a", "a"), torch.tensor(labels))
        assert (kept.hashes, kept.copies, kept.contradictory) == ([], 0, 3)


def sides(hashes, labels, **options):
    """The contents of the training and of the test side."""
    options = {"test_fraction": 0.2, "seed": 0, **options}
    train, test = divided(hashes, torch.tensor(labels), **options)
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(len(hashes)))
    return {hashes[at] for at in train}, {hashes[at] for at in test}


def test_each_class_gives_its_share():
    hashes, labels = hashes_of(*range(130)), [0] * 100 + [1] * 27 + [2] * 3
    _, test = divided(hashes, torch.tensor(labels), test_fraction=0.2, seed=0)
    assert torch.tensor(labels)[test].bincount().tolist() == [20, 5, 1]


@pytest.mark.parametrize(("fraction", "number"), [(0.001, 1), (0.5, 5), (0.999, 9)])
def test_both_sides_get_an_image_whatever_the_fraction(fraction, number):
    train, test = sides(hashes_of(*range(10)), [0] * 10, test_fraction=fraction)
    assert (len(train), len(test)) == (10 - number, number)


def test_neither_the_order_nor_other_classes_have_a_say():
    hashes, labels = hashes_of(*range(60)), [n % 3 for n in range(60)]
    shuffled = list(zip(hashes, labels, strict=True))
    random.Random(0).shuffle(shuffled)
    assert sides(hashes, labels) == sides(*map(list, zip(*shuffled, strict=True)))
    alone = [content for content, label in zip(hashes, labels, strict=True) if label == 1]
    assert sides(alone, [0] * 20)[1] == sides(hashes, labels)[1] & set(alone)


def test_each_seed_draws_its_own():
    hashes, labels = hashes_of(*range(50)), [0] * 50
    drawn = {frozenset(sides(hashes, labels, seed=seed)[1]) for seed in range(5)}
    assert len(drawn) == 5


def test_an_image_added_moves_few_others():
    hashes = hashes_of(*range(50))
    before, after = sides(hashes[:-1], [0] * 49)[1], sides(hashes, [0] * 50)[1]
    assert len(before - after) <= 1


def test_a_class_of_one_image_is_refused():
    with pytest.raises(ValueError, match="class 1 has one image"):
        divided(hashes_of(1, 2, 3), torch.tensor([0, 0, 1]), test_fraction=0.2, seed=0)
