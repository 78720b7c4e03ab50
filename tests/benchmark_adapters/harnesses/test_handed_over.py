"""A harness's loaders as a request of ours, and what a harness can't give."""

import copy
import dataclasses
from typing import ClassVar

import numpy as np
import pytest
import torch
from harness_cases import PIXEL_METHODS
from small_problem import request, trained_convnet
from torch.utils.data import DataLoader, TensorDataset

from benchmark_adapters.baselines.original import Original
from benchmark_adapters.harnesses.handed_over import (
    harness_request,
    harness_unlearner,
    unlearn_in_place,
)
from benchmark_adapters.harnesses.translation import accelerator_on, untrained_copy
from suli_plugin.plugins import registry
from suli_plugin.unlearner import RESOURCES, SCOPES, TRAINING_RECORDS

SHORT = {"epochs", "iterations"}
# The original moves nothing; no weight of so small a network is ten times as important to the
# forget set as to the whole.
STILL = {"original", "lfssd"}
PAIRS = TensorDataset(torch.rand(12, 3, 8, 5), torch.arange(12) % 4)


def handed(**given):
    return harness_request(
        **{"forget": DataLoader(PAIRS, batch_size=5), "fresh_model": trained_convnet, **given}
    )


def test_everything_but_training_records_is_handed_over():
    given = handed(retain=DataLoader(PAIRS), reference=PAIRS, forget_classes=(1,))
    missing = {name for name in RESOURCES if given.resource(name) is None}
    assert missing == set(TRAINING_RECORDS)
    assert given.forget_classes == (1,)


def test_what_a_harness_does_not_have_is_missing():
    given = handed()
    assert given.retain is None and given.reference is None


@pytest.mark.parametrize(
    ("image", "shape"),
    [
        (torch.rand(3, 8, 5), (3, 8, 5)),
        (np.zeros((8, 5, 3), dtype=np.uint8), (3, 8, 5)),
    ],
)
def test_the_shape_of_images_is_the_first_forget_images(image, shape):
    assert handed(forget=[(image, 1)] * 2).image_shape == shape


def test_an_empty_forget_set_is_left_to_the_runner_to_refuse():
    with pytest.raises(ValueError, match="there is nothing to forget"):
        unlearn_in_place(
            "neg_grad",
            trained_convnet(),
            handed(forget=[], forget_classes=(1,)),
            accelerator=accelerator_on("cpu"),
            seed=0,
        )


def needing_records():
    return [
        name
        for name, cls in registry().unlearners.items()
        if set().union(*cls.needs.values()) & set(TRAINING_RECORDS)
    ]


@pytest.mark.parametrize("record", TRAINING_RECORDS)
def test_a_method_that_needs_the_originals_training_is_refused_in_one_line(record, monkeypatch):
    class Undo(Original):
        name: ClassVar[str] = "undo"
        needs: ClassVar[dict] = dict.fromkeys(SCOPES, frozenset({record, "forget"}))

    monkeypatch.setitem(registry().unlearners, "undo", Undo)
    with pytest.raises(ValueError, match=f"undo needs {record}, .* harness does not hand over"):
        harness_unlearner("undo", "class-wise")


def test_each_of_ours_that_does_is():
    for name in needing_records():
        for scope in registry().unlearners[name].needs:
            with pytest.raises(ValueError, match=f"{name} needs .* a harness does not hand over"):
                harness_unlearner(name, scope)


def test_every_other_method_is_taken():
    for name, cls in registry().unlearners.items():
        for scope in cls.needs if name not in needing_records() else ():
            assert harness_unlearner(name, scope).name == name


def fed():
    """Each method that a harness can feed, in each of its scopes."""
    return [
        (name, scope)
        for name, cls in registry().unlearners.items()
        if not cls.peer and name not in needing_records()
        for scope in cls.needs
    ]


@pytest.mark.parametrize(("name", "scope"), fed())
def test_every_other_method_runs_on_what_a_harness_hands_over(name, scope):
    asked, model = request(scope), trained_convnet()
    before = copy.deepcopy(model.state_dict())
    handed_over = harness_request(
        forget=DataLoader(asked.forget, batch_size=5),
        retain=DataLoader(asked.retain, batch_size=5),
        reference=DataLoader(asked.reference, batch_size=5),
        fresh_model=lambda: untrained_copy(model),
        forget_classes=asked.forget_classes,
    )
    cls = registry().unlearners[name]
    short = {field.name: 1 for field in dataclasses.fields(cls) if field.name in SHORT}
    options = {"settings": short, "accelerator": accelerator_on("cpu"), "seed": 0}
    if name in PIXEL_METHODS:
        with pytest.raises(ValueError, match=f"{name} works on images whose pixels are in"):
            unlearn_in_place(name, model, handed_over, **options)
        return
    unlearned = unlearn_in_place(name, model, handed_over, **options)
    assert unlearned.unlearner.name == name
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
    moved = any(not torch.equal(model.state_dict()[key], before[key]) for key in before)
    assert moved == (name not in STILL)
