"""UNSIR: noise that the model errs on, an impairing and a repairing epoch, no forgotten image."""

import pytest
import torch
from characteristic import characteristic
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from small_problem import request, request_of_two_classes, tensors, trained_convnet
from torch import nn
from torch.nn.functional import cross_entropy

from benchmark_adapters.baselines import impair_repair
from benchmark_adapters.baselines.learnt_noise import learnt_noise
from benchmark_adapters.baselines.unsir import Unsir, some_of_each
from suli_plugin import ForgetRequest, run

SEED = 5
SHORT = {"noise_images": 12, "iterations": 8, "copies": 2, "samples_per_class": 9, "batch_size": 32}
IDLE = {"impair_epochs": 0, "repair_epochs": 0}


def turned_round(*args, error, **options):
    return learnt_noise(*args, error="minimised", **options)


@characteristic(lambda patch: patch.setattr(impair_repair, "learnt_noise", turned_round))
@settings(deadline=None, max_examples=3, phases=[Phase.generate])
@given(st.integers(0, 2**31), st.sampled_from([0.0, 0.001, 0.01]))
def test_the_noise_is_further_from_the_class_than_where_it_began(seed, penalty):
    options = {**SHORT, "noise_penalty": penalty, "repair_epochs": 0, "samples_per_class": 1}
    reached = [
        run(Unsir(**{**options, "iterations": steps}), trained_convnet(), request("class-wise"),
            seed=seed).notes["noise_cross_entropy"]["3"]
        for steps in (0, 10)
    ]  # fmt: skip
    assert reached[1] > reached[0] + 0.5


def test_no_buffer_moves_while_the_noise_is_learnt_and_the_impairing_epoch_moves_them():
    original = trained_convnet()
    options = {**SHORT, "lr": 0, "repair_lr": 0}
    still = run(Unsir(**options, batch_norm="keep"), original, request("class-wise"))
    for key, value in still.model.state_dict().items():
        assert torch.equal(value, original.state_dict()[key]), key
    moved = run(Unsir(**options), original, request("class-wise")).model
    assert not torch.equal(moved[1].running_mean, original[1].running_mean)


def test_one_run_is_the_published_steps():
    asked = request("class-wise")
    ours = run(Unsir(**SHORT, repair_batch_size=50), trained_convnet(), asked, seed=SEED).model
    images, labels = tensors(asked.retain)
    draw = torch.Generator().manual_seed(SEED)
    kept = []
    for label in (0, 1, 2, 4, 5, 6, 7, 8, 9):
        rows = (labels == label).nonzero().flatten()
        kept.append(rows[torch.randperm(len(rows), generator=draw)][:9])
    images, labels = images[torch.cat(kept)], labels[torch.cat(kept)]

    model = trained_convnet().eval()
    noise = nn.Parameter(torch.randn(12, 1, 8, 8, generator=draw))
    steps = torch.optim.Adam([noise], lr=0.1)
    for _ in range(8):
        norm = noise.pow(2).sum((1, 2, 3)).mean()
        loss = -cross_entropy(model(noise), torch.full((12,), 3)) + 0.1 * norm
        steps.zero_grad()
        loss.backward()
        steps.step()

    noise = noise.detach()
    both, targets = torch.cat([noise, noise, images]), torch.cat([torch.full((24,), 3), labels])
    student = trained_convnet().train()
    for inputs, wanted, lr, size in ((both, targets, 0.02, 32), (images, labels, 0.01, 50)):
        optimizer = torch.optim.Adam(student.parameters(), lr=lr)
        for batch in torch.randperm(len(wanted), generator=draw).split(size):
            optimizer.zero_grad()
            cross_entropy(student(inputs[batch]), wanted[batch]).backward()
            optimizer.step()
    for key, value in student.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[key], value, rtol=1e-4, atol=1e-6, msg=key)


def test_it_forgets_two_classes_with_noise_of_their_own_and_reads_no_forgotten_image():
    asked = request_of_two_classes()
    sizes = {"noise_images": 32, "copies": 4, "batch_size": 16, "repair_batch_size": 16}
    result = run(Unsir(**sizes, repair_epochs=2), trained_convnet(), asked)
    assert result.passes["forward"].keys() == {"retain", "synthetic"}
    assert result.notes["noise_cross_entropy"].keys() == {"3", "5"}
    forgotten, kept = tensors(asked.forget), tensors(asked.retain)
    with torch.no_grad():
        accuracy = [
            float((result.model(images).argmax(1) == labels).float().mean())
            for images, labels in (forgotten, kept)
        ]
    assert accuracy[0] < 0.2 and accuracy[1] > 0.8


def test_images_may_have_any_number_of_channels():
    draw = torch.Generator().manual_seed(0)
    images, labels = torch.rand(24, 5, 6, 7, generator=draw), torch.arange(24) % 3
    model = nn.Sequential(nn.Flatten(), nn.Linear(5 * 6 * 7, 4))
    rows = list(zip(images, labels, strict=True))
    asked = ForgetRequest(retain=rows, forget_classes=(3,))
    assert run(Unsir(**SHORT), model, asked).passes["forward"]["synthetic"] > 0


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(1, 9))
def test_at_most_so_many_samples_of_each_class_are_chosen(labels, most):
    labels = torch.tensor(labels)
    chosen = some_of_each(labels, most, torch.Generator().manual_seed(0))
    assert len(chosen.unique()) == len(chosen)
    for label in labels.unique():
        assert int((labels[chosen] == label).sum()) == min(most, int((labels == label).sum()))


@pytest.mark.parametrize(
    ("preset", "values"),
    [
        ("official", {}),
        ("ssd", {"noise_images": 32, "iterations": 25, "copies": 80, "lr": 1e-4}),
    ],
)
def test_the_presets_have_their_sources_values(preset, values):
    made = Unsir.preset(preset, "class-wise")
    assert made == Unsir(**{**made.hyperparameters(), **values})
    assert (made == Unsir()) == (preset == "official")
