"""Counterfactual unlearning: forget images go where the original's counterfactuals are."""

import pytest
import torch
from characteristic import characteristic
from small_problem import request, request_of_two_classes, tensors, trained_convnet
from torch.nn.functional import cross_entropy, kl_div

from benchmark_adapters.baselines import counterfactual
from benchmark_adapters.baselines.counterfactual import Counterfactual, forget_rows
from suli_plugin import ImageSet, run

ONE_STEP = {"epochs": 1, "iterations": 1, "batch_size": 1000}
RADIUS = 24 / 255


def mirrored(images, positions, generator, device):
    pixels, labels = images.pixels(positions, device)
    return ImageSet.of_tensors(
        pixels.flip(3),
        labels,
        mean=images.mean.flatten().tolist(),
        std=images.std.flatten().tolist(),
    )


def attacked(original, forget, target):
    """One signed step of a third of the radius, rounded towards the image as bytes."""
    pixels = forget.pixels(torch.arange(len(forget)), torch.device("cpu"))[0].float()
    x = (pixels / 255).requires_grad_()
    cross_entropy(original(forget.normalised(x)), target, reduction="sum").backward()
    moved = (x.detach() - RADIUS / 3 * x.grad.sign()).clamp(0, 1)
    return forget.normalised((pixels + (255 * moved - pixels).trunc()) / 255)


def test_a_step_is_adams_on_the_sum_that_the_docstring_has(monkeypatch):
    monkeypatch.setattr(counterfactual, "views_of", mirrored)
    wanted, original, by_hand = request("class-wise"), trained_convnet(), trained_convnet()
    images, _ = tensors(wanted.forget)
    with torch.no_grad():
        rest = original(images).index_fill(1, torch.tensor([3]), -torch.inf)
        others = [k for k in range(10) if k != 3]
        for values in (by_hand[-1].weight, by_hand[-1].bias):
            values[3] = values[others].mean(0)
    near, views = attacked(original, wanted.forget, rest.argmax(1)), images.flip(3)

    def distance(a, b):
        z, z_o = by_hand[:-1](a), original[:-1](b).detach()
        q = original(b).detach().index_fill(1, torch.tensor([3]), -torch.inf).softmax(1)
        kl = kl_div(by_hand(a).log_softmax(1), q, reduction="none").sum(1)
        return (z - z_o).square().sum(1) / size + 0.5 * kl

    size = original[:-1](near).detach().square().sum(1).mean()
    unseen = original(views).detach().softmax(1)[:, 3] < 0.4
    assert unseen.any() and not unseen.all()
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=0.01 / 25)
    loss = 8 * distance(images, near) + distance(near, near) + 2 * unseen * distance(views, views)
    loss.mean().backward()
    optimizer.step()
    made = run(
        Counterfactual(**ONE_STEP, lr=0.01, move=8, hold=2, seen=0.4, radius=RADIUS,
                       attack_steps=1),
        trained_convnet(),
        wanted,
    )  # fmt: skip
    assert made.history[0].loss == pytest.approx(float(loss.mean().detach()), rel=1e-4)
    for one, other in zip(made.model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def unmoved(session, model, images, targets, **options):
    return images.of_kind("synthetic")


@characteristic(lambda patch: patch.setattr(counterfactual, "linf_neighbours", unmoved))
def test_features_of_forget_images_go_most_of_the_way_to_their_counterfactuals():
    wanted, original = request("class-wise"), trained_convnet()
    images, _ = tensors(wanted.forget)
    options = {"lr": 0.01, "radius": RADIUS, "attack_steps": 1}
    made = run(Counterfactual(**options), trained_convnet(), wanted).model
    with torch.no_grad():
        target = original(images).index_fill(1, torch.tensor([3]), -torch.inf).argmax(1)
    near = original[:-1](attacked(original, wanted.forget, target)).detach()
    far, left = ((model[:-1](images) - near).square().sum(1).mean() for model in (original, made))
    assert left < 0.6 * far, left / far


def test_nothing_but_forget_data_is_needed_and_all_forgotten_classes_go():
    wanted = request_of_two_classes()
    made = run(Counterfactual(), trained_convnet(), wanted).model
    images, _ = tensors(wanted.forget)
    answers = made(images).argmax(1)
    assert not torch.isin(answers, torch.tensor(wanted.forget_classes)).any()
    assert Counterfactual().resources("class-wise") == {"forget"}


def test_forgotten_rows_become_the_mean_of_the_others():
    head = trained_convnet()[-1]
    before = head.weight.detach().clone()
    forget_rows(head, [3, 5])
    others = [0, 1, 2, 4, 6, 7, 8, 9]
    assert torch.equal(head.weight[others], before[others])
    for row in (3, 5):
        torch.testing.assert_close(head.weight[row], before[others].mean(0))


def test_a_small_set_gets_as_many_updates_as_there_must_be():
    made = run(Counterfactual(epochs=1, iterations=7), trained_convnet(), request("class-wise"))
    assert made.history[-1].step == 7
    whole = run(Counterfactual(epochs=3, iterations=0), trained_convnet(), request("class-wise"))
    assert whole.history[-1].step == 3
