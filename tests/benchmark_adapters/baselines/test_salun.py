"""SalUn: half of the weights move, those with the largest gradient of the forget set's loss."""

import copy
import itertools

import pytest
import torch
from characteristic import characteristic
from hypothesis import given
from hypothesis import strategies as st
from small_problem import request, request_of_two_classes, tensors, trained_convnet
from torch.nn.functional import cross_entropy
from watched_labels import taught_labels

from benchmark_adapters.baselines import salun
from benchmark_adapters.baselines.salun import SalUn, saliency_masks
from suli_plugin import ForgetRequest, run

SCOPES = pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])
METHODS = ("random_label", "finetune", "neg_grad")
QUICK = {"epochs": 2, "batch_size": 64}
SEED = 5


def largest(model, forget, fraction):
    """Where the `fraction` of weights with the largest gradients is, by one backward pass."""
    images, labels = tensors(forget)
    judged = copy.deepcopy(model).eval()
    cross_entropy(judged(images), labels).backward()
    magnitudes = torch.cat([p.grad.abs().flatten() for p in judged.parameters()])
    chosen = torch.zeros(len(magnitudes), dtype=torch.bool)
    chosen[magnitudes.argsort(descending=True, stable=True)[: int(fraction * len(chosen))]] = True
    parts = chosen.split([p.numel() for p in judged.parameters()])
    return [part.view_as(p) for part, p in zip(parts, judged.parameters(), strict=True)]


def everything(gradients, fraction):
    return [torch.ones_like(gradient, dtype=torch.bool) for gradient in gradients]


@characteristic(lambda patch: patch.setattr(salun, "saliency_masks", everything))
def test_other_weights_stay_bitwise_under_momentum_and_weight_decay():
    original, wanted = trained_convnet(), request("instance-wise")
    for fraction, method in itertools.product((0.05, 0.5, 0.9), METHODS):
        unlearner = SalUn(mask_fraction=fraction, method=method, weight_decay=0.1, **QUICK)
        after = run(unlearner, original, wanted).model
        masks = largest(original, wanted.forget, fraction)
        for mask, before, now in zip(masks, original.parameters(), after.parameters(), strict=True):
            assert torch.equal(now[~mask], before[~mask])
            assert not bool(mask.any()) or bool((now[mask] != before[mask]).float().mean() > 0.9)
        assert not torch.equal(after[1].running_mean, original[1].running_mean)


@given(
    shapes=st.lists(st.lists(st.integers(1, 4), max_size=3), min_size=1, max_size=4),
    fraction=st.floats(0, 1),
    levels=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_a_mask_has_its_density_and_none_left_out_is_larger(shapes, fraction, levels, seed):
    draw = torch.Generator().manual_seed(seed)
    # Few levels make ties.
    gradients = [
        torch.randint(-levels, levels + 1, shape, generator=draw).float() for shape in shapes
    ]
    masks = saliency_masks(gradients, fraction)
    assert [mask.shape for mask in masks] == [gradient.shape for gradient in gradients]
    chosen = torch.cat([mask.flatten() for mask in masks])
    magnitudes = torch.cat([gradient.abs().flatten() for gradient in gradients])
    assert int(chosen.sum()) == int(fraction * len(chosen))
    if 0 < int(chosen.sum()) < len(chosen):
        assert float(magnitudes[chosen].min()) >= float(magnitudes[~chosen].max())


def transcribed(unlearner, original, wanted):
    """Some epochs of the published method in plain torch, on the weights that the mask leaves."""
    student, draw = copy.deepcopy(original).train(), torch.Generator().manual_seed(SEED)
    masks = largest(original, wanted.forget, unlearner.mask_fraction)
    start = [p.detach().clone() for p in student.parameters()]
    velocity = [torch.zeros_like(p) for p in start]
    (lost, own), (kept, labels) = tensors(wanted.forget), tensors(wanted.retain)

    def descend(images, targets, sign=1):
        for batch in torch.randperm(len(images), generator=draw).split(unlearner.batch_size):
            loss = sign * cross_entropy(student(images[batch]), targets[batch])
            gradients = torch.autograd.grad(loss, list(student.parameters()))
            for mask, p, before, v, g in zip(
                masks, student.parameters(), start, velocity, gradients, strict=True
            ):
                v.mul_(0.9).add_(g + 5e-4 * p.detach())
                p.data = torch.where(mask, p.data - unlearner.lr * v, before)

    for _ in range(unlearner.epochs):
        if unlearner.method == "random_label":
            allowed = torch.ones(len(own), 10)
            allowed[:, list(wanted.forget_classes)] = 0
            if not unlearner.own_label:
                allowed[torch.arange(len(own)), own] = 0
            descend(lost, torch.multinomial(allowed, 1, generator=draw)[:, 0])
        if unlearner.method == "neg_grad":
            descend(lost, own, sign=-1)
        else:
            descend(kept, labels)
    return student


@SCOPES
@pytest.mark.parametrize("own_label", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_epochs_are_those_of_a_plain_transcription(scope, method, own_label):
    wanted = request(scope)
    unlearner = SalUn(method=method, own_label=own_label, lr=0.01, **QUICK)
    ours = run(unlearner, trained_convnet(), wanted, seed=SEED).model.state_dict()
    published = transcribed(unlearner, trained_convnet(), wanted).state_dict()
    for name, value in ours.items():
        torch.testing.assert_close(value, published[name], rtol=1e-4, atol=1e-6, msg=name)


def test_no_mask_is_the_method_itself_and_a_full_one_moves_no_weight():
    original, wanted = trained_convnet(), request("class-wise")
    held = run(SalUn(mask_fraction=0.0, **QUICK), original, wanted)
    for before, now in zip(original.parameters(), held.model.parameters(), strict=True):
        assert torch.equal(before, now)
    assert held.notes["mask_density"] == 0
    free = run(SalUn(mask_fraction=1.0, **QUICK), original, wanted)
    assert free.notes["mask_density"] == 1
    assert all(
        bool((before != now).float().mean() > 0.9)
        for before, now in zip(original.parameters(), free.model.parameters(), strict=True)
    )


def test_labels_are_drawn_for_every_epoch_and_are_another_class():
    wanted = request("instance-wise")
    first, second, third = taught_labels(SalUn(epochs=3), wanted)
    assert not bool((first == wanted.forget.labels).any())
    assert not torch.equal(first, second) and not torch.equal(second, third)


def test_the_official_labels_are_of_all_classes():
    wanted = request("instance-wise", count=200)
    labels = torch.cat(taught_labels(SalUn(epochs=20, own_label=True, lr=0.0), wanted))
    own = (labels == wanted.forget.labels.repeat(20)).double().mean()
    assert float(own) == pytest.approx(0.1, abs=0.02)
    assert set(labels.tolist()) == set(range(10))


@pytest.mark.parametrize("own_label", [False, True])
def test_a_forgotten_class_is_never_drawn(own_label):
    drawn = taught_labels(SalUn(epochs=5, own_label=own_label), request_of_two_classes())
    assert set(torch.cat(drawn).tolist()) == {0, 1, 2, 4, 6, 7, 8, 9}


def test_ascent_needs_no_retained_images():
    method = SalUn(method="neg_grad", lr=1e-4, **QUICK)
    assert method.resources("class-wise") == {"forget"}
    wanted = request("class-wise")
    alone = ForgetRequest(forget=wanted.forget, forget_classes=(3,))
    assert run(method, trained_convnet(), alone).passes["forward"].keys() == {"forget"}


def test_presets_have_the_values_of_both_readmes():
    official, earlier = (SalUn.preset(name, "class-wise") for name in ("official", "earlier"))
    assert (official.lr, official.epochs, official.own_label) == (0.013, 10, True)
    assert (earlier.lr, earlier.epochs, earlier.own_label) == (0.1, 10, True)
