"""UNSC: runner-up labels learnt off the subspaces of the retained classes' activations."""

import numpy as np
import pytest
import torch
from characteristic import characteristic
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from small_problem import request, request_of_two_classes, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines import unsc
from benchmark_adapters.baselines.unsc import Unsc, extended_basis
from suli_plugin import ForgetRequest, run
from suli_plugin.layer_inputs import input_moments

LAYERS = {"0.weight": (0, 1), "3.weight": (3, 2), "9.weight": (9, None)}


def representation(model, images, layer, stride):
    """The inputs of a layer as columns, patch by patch."""
    with torch.no_grad():
        given = model[:layer](images).double().numpy()
    if stride is None:
        return given.T
    given = np.pad(given, ((0, 0), (0, 0), (1, 1), (1, 1)))
    side = (given.shape[2] - 3) // stride + 1
    patches = [
        each[:, i * stride : i * stride + 3, j * stride : j * stride + 3].reshape(-1)
        for each in given
        for i in range(side)
        for j in range(side)
    ]
    return np.stack(patches, 1)


def gradient_projection_memory(basis, matrix, threshold):
    """As published, by singular values of what the basis leaves of the activations."""
    total = (np.linalg.svd(matrix, compute_uv=False) ** 2).sum()
    left = matrix - basis @ basis.T @ matrix
    directions, sizes, _ = np.linalg.svd(left, full_matrices=False)
    held, count = (total - (sizes**2).sum()) / total, 0
    while held < threshold:
        held += sizes[count] ** 2 / total
        count += 1
    return np.hstack([basis, directions[:, :count]])


def test_steps_are_those_of_a_plain_loop():
    wanted, model = request("class-wise"), trained_convnet()
    (images, labels), (retained, classes) = tensors(wanted.forget), tensors(wanted.retain)
    order = torch.randperm(len(classes), generator=torch.Generator().manual_seed(0))
    bases = {name: None for name in LAYERS}
    for label in [0, 1, 2, 4, 5, 6, 7, 8, 9]:
        chosen = retained[order[classes[order] == label][:4]]
        for name, (layer, stride) in LAYERS.items():
            matrix = representation(model, chosen, layer, stride)
            basis = bases[name] if bases[name] is not None else np.zeros((len(matrix), 0))
            bases[name] = gradient_projection_memory(basis, matrix, 0.8 + 0.01 * label)
    logits = model(images).detach()
    top, second = logits.topk(2, dim=1).indices.T
    runner_up = torch.where(top == labels, second, top)
    for _ in range(3):
        model.zero_grad()
        nn.functional.cross_entropy(model(images), runner_up).backward()
        with torch.no_grad():
            for name, basis in bases.items():
                weight = model.get_parameter(name)
                rows, q = weight.grad.flatten(1), torch.from_numpy(basis).float()
                weight -= 0.1 * (rows - rows @ q @ q.T).view_as(weight)
    method = Unsc(
        epochs=3, batch_size=1000, lr=0.1, class_images=4, energy=0.8, last_energy=0.89,
        stop="never",
    )  # fmt: skip
    result = run(method, trained_convnet(), wanted)
    expected = [1 - basis.shape[1] / basis.shape[0] for basis in bases.values()]
    assert result.notes["free_share"] == pytest.approx(expected)
    assert all(0 < share < 1 for share in expected)
    start = trained_convnet().state_dict()
    for name, value in model.state_dict().items():
        ours = result.model.state_dict()[name]
        torch.testing.assert_close(ours, value, rtol=1e-4, atol=1e-5)
        assert torch.equal(ours, start[name]) == (name not in LAYERS)


@characteristic(lambda patch: patch.setattr(unsc, "_off_space", lambda basis: lambda grad: grad))
def test_what_a_layer_makes_of_retained_images_hardly_changes():
    """Of the change of weights no more meets their activations than is left of their energy."""
    wanted = request("class-wise")
    method = Unsc(energy=0.9, last_energy=0.9, epochs=20, lr=0.1, stop="never")
    ours, original = run(method, trained_convnet(), wanted).model, trained_convnet()
    retained, _ = tensors(wanted.retain)
    with torch.no_grad(), input_moments(original) as moments:
        original(retained)
    moved = 0
    for name in LAYERS:
        weight = original.get_parameter(name)
        change = (ours.get_parameter(name) - weight).detach().flatten(1)
        met = (change @ moments[weight] * change).sum()
        size = change.square().sum() * moments[weight].trace()
        assert met <= 0.1 * size + 1e-6
        moved += int(size > 1e-6)
    assert moved == len(LAYERS)
    # A layer between has most of its energy in few directions: a free step would meet them.
    assert ours(retained).argmax(1).eq(original(retained).argmax(1)).double().mean() > 0.9


@hypothesis_settings(max_examples=25)
@given(seed=st.integers(0, 10_000), energy=st.floats(0.05, 0.99), more=st.floats(0.05, 0.99))
def test_a_basis_holds_the_energy_of_every_class_with_the_fewest_directions(seed, energy, more):
    draw = torch.Generator().manual_seed(seed)
    first, second = (torch.randn(6, 4, generator=draw, dtype=torch.float64) for _ in range(2))
    basis = extended_basis(None, first @ first.T, energy)
    wider = extended_basis(basis, second @ second.T, more)
    torch.testing.assert_close(wider.T @ wider, torch.eye(wider.shape[1], dtype=torch.float64))
    assert torch.equal(wider[:, : basis.shape[1]], basis)

    def held(directions, activations):
        return (directions.T @ activations).square().sum() / activations.square().sum()

    assert held(basis, first) >= energy - 1e-9 and held(wider, second) >= more - 1e-9
    assert held(wider, first) >= energy - 1e-9
    assert held(basis[:, :-1], first) < energy
    again = extended_basis(wider, second @ second.T, more - 1e-6)
    assert torch.equal(again, wider)


def test_inputs_without_energy_add_nothing():
    assert extended_basis(None, torch.zeros(3, 3).double(), 0.97).shape == (3, 0)


def test_one_batch_of_each_retained_class_is_read():
    wanted, count = request("class-wise"), 5
    result = run(Unsc(class_images=count, epochs=2, stop="never"), trained_convnet(), wanted)
    forget = len(wanted.forget)
    assert result.passes["forward"] == {"forget": 5 * forget, "retain": 9 * count}
    assert result.passes["backward"] == {"forget": 2 * forget}
    assert Unsc().resources("class-wise") == {"forget", "retain"}


def test_labels_name_no_forgotten_class():
    counts = run(Unsc(epochs=1), trained_convnet(), request_of_two_classes()).notes["label_counts"]
    assert counts[3] == counts[5] == 0 and sum(counts) > 0


def test_a_class_forgotten_earlier_is_not_named_again():
    given_sets = request_of_two_classes()
    of_three = given_sets.forget.labels == 3
    asked = ForgetRequest(
        forget=given_sets.forget.subset(torch.where(of_three)[0]),
        retain=given_sets.retain,
        forget_classes=(3,),
        forgotten_before=(5,),
    )
    counts = run(Unsc(epochs=1), trained_convnet(), asked).notes["label_counts"]
    assert counts[3] == counts[5] == 0


def test_it_forgets_a_class():
    method = Unsc(lr=0.1, epochs=40, energy=0.8, last_energy=0.9)
    result = run(method, trained_convnet(), request("class-wise"))
    assert result.history[-1].forget_accuracy < 0.5


def test_the_official_preset_has_the_notebooks_values():
    preset = Unsc.preset("official", "class-wise")
    assert (preset.lr, preset.epochs, preset.batch_size) == (0.04, 25, 512)
    # Of ten classes: 0.97 + 0.003 c.
    assert (preset.energy, preset.last_energy) == (0.97, pytest.approx(0.97 + 0.003 * 9))
    assert preset.stop == "never" and preset.batch_norm == "frozen"
