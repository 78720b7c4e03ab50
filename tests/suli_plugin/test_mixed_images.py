"""Several sets in one: batches, labels, augmentation and the cost are each set's own."""

import pytest
import torch
from accelerate import Accelerator
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from suli_plugin import Session
from suli_plugin.images import ImageSet
from suli_plugin.mixed_images import MixedImages
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import cross_entropy

CPU = torch.device("cpu")


def parts():
    draw = torch.Generator().manual_seed(0)
    bytes_ = torch.randint(0, 256, (7, 2, 3, 3), dtype=torch.uint8, generator=draw)
    floats = torch.randn((5, 2, 3, 3), generator=draw)
    return [
        ImageSet.of_tensors(
            bytes_, torch.arange(7), mean=(0.5, 0.4), std=(0.2, 0.3), kind="retain",
            augment=lambda images, _: images.flip(-1),
        ),
        ImageSet.of_tensors(floats, torch.arange(5) + 10, kind="synthetic"),
    ]  # fmt: skip


def rows(sets, position, augmented):
    images, at = (sets[0], position) if position < 7 else (sets[1], position - 7)
    generator = torch.Generator() if augmented else None
    return images.batch(torch.tensor([at]), CPU, generator).images[0]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 11), min_size=1, max_size=20), st.booleans())
def test_a_batch_is_its_samples_one_by_one_in_the_order_asked_for(positions, augmented):
    sets = parts()
    asked, generator = torch.tensor(positions), torch.Generator() if augmented else None
    batch = MixedImages(sets).batch(asked, CPU, generator)
    expected = torch.stack([rows(sets, position, augmented) for position in positions])
    assert torch.equal(batch.images, expected)
    assert batch.labels.tolist() == [p if p < 7 else p + 3 for p in positions]
    assert torch.equal(batch.positions, asked)


def test_beside_images_that_augmentation_made_smaller_others_are_cut_to_their_middle():
    sets = parts()
    sets[0].augment = lambda images, _: images[:, :, :1, 1:]
    mixed = MixedImages(sets)
    batch = mixed.batch(torch.tensor([8, 2]), CPU, torch.Generator())
    plain = mixed.batch(torch.tensor([8, 2]), CPU)
    assert torch.equal(batch.images[0], plain.images[0][:, 1:2, :2])
    assert torch.equal(batch.images[1], plain.images[1][:, :1, 1:])


def test_images_of_other_shapes_that_no_augmentation_made_are_refused():
    larger = ImageSet.of_tensors(torch.zeros(2, 2, 5, 5), torch.arange(2))
    for sets in ([parts()[1], larger], [larger, parts()[1]]):
        with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
            MixedImages(sets).batch(torch.tensor([0, len(sets[0])]), CPU, torch.Generator())
    smaller = ImageSet.of_tensors(torch.zeros(2, 2, 2, 2), torch.arange(2))
    with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
        MixedImages([parts()[0], smaller]).batch(torch.tensor([0, 7]), CPU, torch.Generator())


def test_a_subset_and_other_labels_keep_each_sets_own_way():
    mixed = MixedImages(parts())
    some = mixed.subset([11, 0, 8]).relabelled(torch.tensor([1, 2, 3]))
    batch = some.batch(torch.tensor([1, 0]), CPU, torch.Generator())
    whole = mixed.batch(torch.tensor([0, 11]), CPU, torch.Generator())
    assert torch.equal(batch.images, whole.images) and batch.labels.tolist() == [2, 1]
    assert len(some) == 3 and mixed.labels.tolist() == [*range(7), *range(10, 15)]


def test_a_set_of_sets_can_itself_be_a_part():
    inner = MixedImages(parts())
    outer = MixedImages([inner, parts()[1]])
    positions = torch.tensor([13, 2, 9])
    batch = outer.batch(positions, CPU)
    assert batch.labels.tolist() == [11, 2, 12]
    assert outer.kinds(positions) == {"retain": 1, "synthetic": 2}


def test_passes_are_counted_by_the_kind_of_each_sample():
    session = Session(accelerator=Accelerator(cpu=True))
    mixed = MixedImages(parts())
    model = nn.Sequential(nn.Flatten(), nn.Linear(18, 15))
    rounds = session.epochs(mixed, cross_entropy, epochs=2, batch_size=5)
    session.train(model, rounds, lambda p: SGD(p, lr=0.1), batch_norm="update")
    session.predict(model, mixed)
    assert session.passes.as_dict() == {
        "forward": {"retain": 21, "synthetic": 15},
        "backward": {"retain": 14, "synthetic": 10},
    }


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 11), min_size=1, max_size=20))
def test_a_batch_is_split_into_batches_of_the_sets(positions):
    sets = parts()
    mixed = MixedImages(sets)
    batch = mixed.batch(torch.tensor(positions), CPU, torch.Generator())
    found = []
    for images, at, own in mixed.split(batch):
        again = images.batch(own.positions, CPU, torch.Generator())
        assert torch.equal(again.images, own.images) and torch.equal(again.labels, own.labels)
        assert torch.equal(batch.images[at], own.images) and own.kind == images.kind
        found += at.tolist()
    assert sorted(found) == list(range(len(positions)))
