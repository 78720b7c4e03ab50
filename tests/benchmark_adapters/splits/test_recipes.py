import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmark_adapters.splits.recipes import (
    PARTS,
    ClassWise,
    InstanceWise,
    Listed,
    Reference,
    divide,
    forget_mask,
    recipe_of,
    stratified_draw,
)

LABELS = torch.arange(120) % 4
IDS = [f"train-{row}" for row in range(120)]
BOTH = {"train": LABELS, "test": torch.arange(40) % 4}


def test_class_wise_forgets_all_samples_of_the_classes_in_both_splits():
    parts = divide(ClassWise(classes=(2, 1, 2)), None, BOTH, IDS)
    assert list(parts) == ["forget", "retain", "test_forget", "test_retain"]
    assert set(LABELS[parts["forget"]].tolist()) == {1, 2} and len(parts["forget"]) == 60
    assert set(BOTH["test"][parts["test_forget"]].tolist()) == {1, 2}
    assert len(parts["test_retain"]) == 20


def test_instance_wise_draws_what_the_benchmarks_draw():
    recipe = InstanceWise(n=16, seed=3)
    assert torch.equal(recipe.mask(LABELS, IDS), forget_mask(LABELS, "instance-16", 3))
    assert not torch.equal(recipe.mask(LABELS, IDS), InstanceWise(n=16, seed=4).mask(LABELS, IDS))
    assert "test_forget" not in divide(recipe, None, BOTH, IDS)


def test_a_stratified_draw_keeps_the_proportions():
    labels = torch.tensor([0] * 90 + [1] * 30)
    mask = InstanceWise(n=20, seed=1, stratified=True).mask(labels, IDS)
    assert labels[mask].bincount().tolist() == [15, 5]


@given(st.lists(st.integers(0, 5), min_size=2, max_size=60), st.data())
def test_a_stratified_draw_is_exact_and_within_one_of_each_share(labels, data):
    labels = torch.tensor(labels)
    n = data.draw(st.integers(1, len(labels) - 1))
    drawn = stratified_draw(torch.arange(len(labels)), labels, n, 0)
    assert len(set(drawn.tolist())) == n and drawn.tolist() == sorted(drawn.tolist())
    share = labels.bincount(minlength=6).double() * n / len(labels)
    assert bool(((labels[drawn].bincount(minlength=6) - share).abs() < 1).all())


@pytest.mark.parametrize("drawn_from", ["train", "test"])
@pytest.mark.parametrize(
    "recipe", [ClassWise(classes=(0,)), InstanceWise(n=20), Listed(ids=("train-5", "train-9"))]
)
def test_the_parts_are_disjoint_and_cover_everything(recipe, drawn_from):
    reference = Reference(fraction=0.1, drawn_from=drawn_from)
    parts = divide(recipe, reference, BOTH, IDS)
    assert set(parts) <= set(PARTS) and len(parts["reference"]) == len(BOTH[drawn_from]) // 10
    train = [part for part in parts if not part.startswith("test") and part != "reference"]
    test = [part for part in parts if part.startswith("test")]
    (train if drawn_from == "train" else test).append("reference")
    for names, labels in ((train, BOTH["train"]), (test, BOTH["test"])):
        rows = torch.cat([parts[name] for name in names])
        assert sorted(rows.tolist()) == list(range(len(labels)))


def test_a_reference_set_from_training_data_holds_no_forgotten_sample():
    reference = Reference(fraction=0.2, drawn_from="train")
    parts = divide(ClassWise(classes=(3,)), reference, {"train": LABELS}, IDS)
    assert LABELS[parts["reference"]].bincount().tolist() == [8, 8, 8]


def test_listed_ids_are_forgotten_and_unknown_ones_named():
    parts = divide(Listed(ids=("train-7", "train-2")), None, {"train": LABELS}, IDS)
    assert parts["forget"].tolist() == [2, 7] and list(parts) == ["forget", "retain"]
    with pytest.raises(ValueError, match="1 of 2 ids are not in the data, such as 'train-900'"):
        Listed(ids=("train-1", "train-900")).mask(LABELS, IDS)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (ClassWise(classes=(9,)), "class 9 has no training sample"),
        (ClassWise(classes=()), "nothing would be forgotten"),
        (ClassWise(classes=(0, 1, 2, 3)), "all 120 training samples would be forgotten"),
        (InstanceWise(n=120), "forgets all 120"),
        (InstanceWise(n=120, stratified=True), "cannot draw 120 of 120"),
        (Listed(ids=()), "nothing would be forgotten"),
    ],
)
def test_recipes_that_forget_nothing_or_everything_are_refused(recipe, message):
    with pytest.raises(ValueError, match=message):
        divide(recipe, None, BOTH, IDS)


def test_impossible_numbers_are_refused_when_they_are_set():
    for make in (
        lambda: InstanceWise(n=0),
        lambda: InstanceWise(n=1, seed=-1),
        lambda: Reference(fraction=1.0),
        lambda: Reference(fraction=0.1, drawn_from="valid"),
    ):
        with pytest.raises(ValueError, match="must be"):
            make()
    with pytest.raises(ValueError, match="needs a test split"):
        divide(InstanceWise(n=2), Reference(fraction=0.1), {"train": LABELS}, IDS)


@pytest.mark.parametrize(
    "recipe",
    [
        ClassWise(classes=(1, 2)),
        InstanceWise(n=5, seed=2, stratified=True),
        Listed(ids=("train-1",)),
    ],
)
def test_a_recipe_comes_back_from_its_description(recipe):
    assert recipe_of(recipe.as_dict(), ["train-1"]) == recipe


def test_an_unknown_recipe_is_named():
    with pytest.raises(ValueError, match="unknown recipe 'magic'; known: class-wise"):
        recipe_of({"kind": "magic"}, [])
