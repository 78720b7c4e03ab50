"""The case that settings are tuned on: disjoint, stratified, and without the test set."""

import dataclasses

import pytest
import torch
from accelerate import Accelerator
from untouchable_images import Untouchable

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.images.joined_images import joined
from benchmark_adapters.metrics.scoring import score
from benchmark_adapters.tuning.validation_case import validation_case
from suli_plugin.images import ImageSet

CPU = torch.device("cpu")


def made(scenario="class-3", **options):
    case = Digits().case(scenario, seed=0)
    return case, validation_case(case, 0, **options)


@pytest.mark.parametrize("scenario", ["class-3", "instance-64"])
def test_no_image_of_the_test_set_is_read(scenario):
    case = dataclasses.replace(Digits().case(scenario, seed=0), test=Untouchable())
    held_out = validation_case(case, 0)
    assert score(held_out.original, held_out, Accelerator(), seed=0, attack=False)
    with pytest.raises(AssertionError, match="test set"):
        score(case.original, case, Accelerator(), seed=0, attack=False)


def test_class_wise_a_part_of_each_class_is_held_out_and_nothing_is_lost_or_twice():
    case, validation = made()
    assert len(validation.forget) == round(0.8 * len(case.forget))
    assert (validation.test.labels == 3).sum() == len(case.forget) - len(validation.forget)
    before = sorted([*case.forget.ids, *case.retain.ids])
    parts = (validation.forget, validation.retain, validation.test)
    assert sorted(name for part in parts for name in part.ids) == before
    kept = torch.bincount(validation.retain.labels, minlength=10)
    assert (kept - 0.8 * torch.bincount(case.retain.labels, minlength=10)).abs().max() <= 1


def test_instance_wise_the_forget_set_stays_whole():
    case, validation = made("instance-64")
    assert validation.forget is case.forget
    assert sorted([*validation.retain.ids, *validation.test.ids]) == sorted(case.retain.ids)


def test_the_held_out_images_are_those_that_their_ids_name():
    case, validation = made()
    at = {name: position for position, name in enumerate(case.retain.ids)}
    rows = [(row, at[name]) for row, name in enumerate(validation.test.ids) if name in at]
    ours, theirs = (torch.tensor(column) for column in zip(*rows, strict=True))
    assert torch.equal(
        validation.test.batch(ours, CPU).images, case.retain.batch(theirs, CPU).images
    )
    assert torch.equal(validation.test.labels[ours], case.retain.labels[theirs])


def test_another_seed_holds_out_other_images_and_the_same_seed_the_same():
    case = Digits().case("class-3", seed=0)
    ids = [validation_case(case, seed).test.ids for seed in (0, 0, 1)]
    assert ids[0] == ids[1] != ids[2]


def test_a_limit_holds_for_the_retained_images_on_both_sides():
    case, validation = made(retain_scored=30)
    assert len(validation.scored_retain) == 30 and len(validation.retain) > 200
    assert (validation.test.labels != 3).sum() == 30
    assert set(validation.scored_retain.ids) < set(validation.retain.ids)
    sampled = dataclasses.replace(case, retain_sample=case.retain.subset(range(25)))
    assert len(validation_case(sampled, 0).scored_retain) == 25


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 2])
def test_a_fraction_that_leaves_nothing_is_refused(fraction):
    with pytest.raises(ValueError, match="between 0 and 1"):
        made(fraction=fraction)


def test_a_set_of_one_image_cannot_be_divided():
    case = Digits().case("class-3", seed=0)
    alone = dataclasses.replace(case, forget=case.forget.subset([0]))
    with pytest.raises(ValueError, match="forget set, which needs two images or more; it has 1"):
        validation_case(alone, 0)


def test_sets_that_are_normalised_differently_are_not_joined():
    case = Digits().case("class-3", seed=0)
    other = ImageSet.of_tensors(torch.zeros(2, 1, 8, 8), torch.zeros(2), mean=(0.5,), std=(1.0,))
    with pytest.raises(ValueError, match="means and standard deviations differ"):
        joined(case.forget, other)
