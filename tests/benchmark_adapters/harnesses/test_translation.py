"""Rows, loaders and outputs of harnesses as ours."""

import pytest
import torch
from small_problem import request, trained_convnet
from torch import nn
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from benchmark_adapters.harnesses.handed_over import unlearn_in_place
from benchmark_adapters.harnesses.installed import clone_on_path
from benchmark_adapters.harnesses.translation import (
    accelerator_on,
    dataset_of,
    harness_logits,
    image_and_label,
    names_in_harness,
    our_labels,
    untrained_copy,
)
from suli_plugin import SU
from suli_plugin.images import as_image_set

PAIRS = TensorDataset(torch.arange(12.0).view(12, 1, 1, 1), torch.arange(12))


@pytest.mark.parametrize(
    "row",
    [
        ("image", 3),
        ["image", "fine label", 3],
        {"pixel_values": "image", "labels": 3, "image": "raw"},
        {"img": "image", "label": 3, "is_df": 1},
        {"image": "image", "age_group": 3, "person_id": 8},
    ],
)
def test_every_row_form_gives_image_and_label(row):
    assert image_and_label(row) == ("image", 3)


@pytest.mark.parametrize("row", ["image", ("image",), {"image": 1}, 5])
def test_another_row_is_refused_with_what_came(row):
    with pytest.raises(TypeError, match="expected a row"):
        image_and_label(row)


@pytest.mark.parametrize("options", [{}, {"shuffle": True}, {"drop_last": True}])
def test_a_loader_gives_all_its_samples_in_the_datasets_order(options):
    images = as_image_set(dataset_of(DataLoader(PAIRS, batch_size=5, **options)))
    assert images.labels.tolist() == list(range(12))


def test_a_loader_that_samples_a_part_gives_that_part_only():
    # Its dataset is everything: taken whole, the retain set would be forgotten, too.
    loader = DataLoader(PAIRS, sampler=SubsetRandomSampler([4, 2, 9]))
    assert as_image_set(dataset_of(loader)).labels.tolist() == [4, 2, 9]
    subset = DataLoader(Subset(PAIRS, [1, 5]), shuffle=True)
    assert as_image_set(dataset_of(subset)).labels.tolist() == [1, 5]


def test_a_loader_whose_samples_cannot_be_known_is_refused():
    loader = DataLoader(PAIRS, sampler=WeightedRandomSampler([1.0] * 12, 12))
    with pytest.raises(TypeError, match="WeightedRandomSampler"):
        dataset_of(loader)


def test_a_stream_is_refused():
    class Stream(IterableDataset):
        def __iter__(self):
            yield from PAIRS

    with pytest.raises(TypeError, match="map-style"):
        dataset_of(DataLoader(Stream()))


def test_logits_are_the_last_of_a_tuple():
    logits = torch.rand(2, 3)
    assert harness_logits((torch.rand(2, 8), logits)) is logits
    assert harness_logits(logits) is logits


def test_a_name_that_the_harness_has_gets_a_suffix():
    names = names_in_harness(["suli@official", "scrub"], taken={"scrub"}.__contains__)
    assert names == {"suli_official": "suli@official", "scrub_plugin": "scrub"}


def test_harnesses_see_every_method_of_ours():
    assert {"suli", "suli@official", "su", "neg_grad", "retrain"} <= set(our_labels())


def test_the_harness_keeps_its_model_object_and_its_parameters():
    # An original that knows the class: SU stops before its first step where nothing is to forget.
    model, asked = trained_convnet(), request("class-wise")
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    before = model[-1].weight.detach().clone()
    unlearn_in_place("su", model, asked, accelerator=accelerator_on("cpu"), seed=0)
    assert not torch.equal(model[-1].weight, before)
    assert optimizer.param_groups[0]["params"][-2] is model[-1].weight


def test_a_result_of_another_architecture_is_said(monkeypatch):
    model, asked = trained_convnet(), request("class-wise")
    monkeypatch.setattr(SU, "unlearn", lambda self, model, session: nn.Linear(1, 1))
    with pytest.raises(ValueError, match="su returned a model of another architecture"):
        unlearn_in_place("su", model, asked, accelerator=accelerator_on("cpu"), seed=0)


def test_an_untrained_copy_leaves_the_model_alone():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    before = model[0].weight.detach().clone()
    assert not torch.equal(untrained_copy(model)[0].weight, before)
    assert torch.equal(model[0].weight, before)


def test_a_package_of_the_same_name_is_not_taken_for_the_clone(tmp_path, monkeypatch):
    # PyPI has an unrelated package called erasure.
    (tmp_path / "erasure").mkdir()
    (tmp_path / "erasure" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert clone_on_path("erasure", "core/unlearner.py") is None
    assert clone_on_path("a_package_that_is_not_there", "core/unlearner.py") is None
    (tmp_path / "erasure" / "core").mkdir()
    (tmp_path / "erasure" / "core" / "unlearner.py").touch()
    assert clone_on_path("erasure", "core/unlearner.py") == str(tmp_path / "erasure")
