"""Attacks stay in the ball and the pixel box, and say how often they hit."""

import copy

import pytest
import torch
from accelerate import Accelerator
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from small_problem import request, trained_convnet
from torch import nn

from benchmark_adapters.baselines.adversarial_images import fgsm, linf_neighbours, targeted_l2_pgd
from benchmark_adapters.baselines.random_label import random_labels
from suli_plugin import ImageSet
from suli_plugin.session import Session

FORGET = request("instance-wise", count=40).forget.of_kind("forget")
CPU = torch.device("cpu")


def session():
    return Session(accelerator=Accelerator(cpu=True), method="a_method")


def unit(images):
    pixels = images.pixels(torch.arange(len(images)), CPU)[0]
    return pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels


def as_floats(images):
    """The same images as float pixels, with the same normalisation."""
    options = {"mean": images.mean.flatten().tolist(), "std": images.std.flatten().tolist()}
    return ImageSet.of_tensors(unit(images), images.labels, kind="forget", **options)


def other_labels(images):
    return random_labels(images.labels, 10, (), torch.Generator().manual_seed(0))


def pgd(images, targets, *, radius=3.0, step=0.2, iterations=20, using=None):
    return targeted_l2_pgd(
        using or session(),
        trained_convnet(),
        images,
        targets,
        radius=radius,
        step=step,
        iterations=iterations,
    )


@hypothesis_settings(max_examples=8)
@given(epsilon=st.floats(0, 0.5), floats=st.booleans())
def test_fgsm_stays_in_the_ball_and_the_box(epsilon, floats):
    images = as_floats(FORGET) if floats else FORGET
    made = unit(fgsm(session(), trained_convnet(), images, epsilon=epsilon).images)
    assert made.min() >= 0 and made.max() <= 1
    assert (made - unit(FORGET)).abs().max() <= epsilon + 1e-6


@hypothesis_settings(max_examples=8)
@given(radius=st.floats(0.1, 4), floats=st.booleans())
def test_l2_pgd_stays_in_the_ball_and_the_box(radius, floats):
    images = as_floats(FORGET) if floats else FORGET
    made = unit(pgd(images, other_labels(images), radius=radius, iterations=3).images)
    assert made.min() >= 0 and made.max() <= 1
    assert (made - unit(FORGET)).flatten(1).norm(dim=1).max() <= radius + 1e-5


def test_l2_pgd_reaches_its_targets():
    targets = other_labels(FORGET)
    made = pgd(FORGET, targets)
    assert made.hit_rate >= 0.95
    assert made.hit_rate == float((made.predicted == targets).double().mean())
    assert torch.equal(made.images.labels, targets)


def test_l2_pgd_without_room_reaches_nothing():
    made = pgd(FORGET, other_labels(FORGET), radius=0)
    assert torch.equal(unit(made.images), unit(FORGET))
    assert made.hit_rate <= 0.05


def test_uint8_images_stay_uint8_and_float_images_float():
    for images, dtype in ((FORGET, torch.uint8), (as_floats(FORGET), torch.float32)):
        made = fgsm(session(), trained_convnet(), images, epsilon=0.1)
        assert made.images.pixels(torch.tensor([0]), CPU)[0].dtype == dtype
        assert made.images.kind == "synthetic"


def test_fgsm_is_the_sign_of_the_gradient_of_a_network_that_normalises_inside():
    images, model = as_floats(FORGET), trained_convnet()

    class Normalise(nn.Module):
        def forward(self, pixels):
            return (pixels - images.mean) / images.std

    natural = unit(images).requires_grad_()
    logits = nn.Sequential(Normalise(), model)(natural)
    nn.functional.cross_entropy(logits, images.labels).backward()
    by_hand = (natural + 0.1 * natural.grad.sign()).clamp(0, 1).detach()
    made = fgsm(session(), trained_convnet(), images, epsilon=0.1)
    # A gradient of zero but for rounding may have either sign.
    clear = natural.grad.abs() > 1e-7
    assert clear.double().mean() > 0.3
    torch.testing.assert_close(unit(made.images)[clear], by_hand[clear])


def test_fgsm_counts_the_predictions_that_are_not_the_label():
    made = fgsm(session(), trained_convnet(), FORGET, epsilon=0.2)
    assert made.hit_rate == float((made.predicted != FORGET.labels).double().mean())
    assert 0.2 < made.hit_rate < 1


def test_passes_are_counted():
    using = session()
    pgd(FORGET, other_labels(FORGET), iterations=3, using=using)
    assert using.passes.as_dict() == {
        "forward": {"forget": 120, "synthetic": 40},
        "backward": {"forget": 120},
    }


def test_an_attack_leaves_the_model_as_it_was():
    model = trained_convnet().train()
    before = copy.deepcopy(model.state_dict())
    fgsm(session(), model, FORGET, epsilon=0.1)
    assert all(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_the_same_seed_makes_the_same_images():
    first, again = (unit(pgd(FORGET, other_labels(FORGET)).images) for _ in range(2))
    assert torch.equal(first, again)


def test_normalised_images_are_refused():
    normalised = ImageSet.of_tensors(unit(FORGET) * 4 - 2, FORGET.labels)
    with pytest.raises(ValueError, match=r"a_method works on .* in \[0, 1\].*mean= and std="):
        fgsm(session(), trained_convnet(), normalised, epsilon=0.1)


def neighbours(images, *, radius=0.1, step=0.04, iterations=3, **others):
    options = {"radius": radius, "step": step, "iterations": iterations, **others}
    return linf_neighbours(session(), trained_convnet(), images, other_labels(images), **options)


@hypothesis_settings(max_examples=8)
@given(
    radius=st.floats(0, 0.5), floats=st.booleans(), away=st.booleans(), smoothing=st.floats(0, 1)
)
def test_neighbours_stay_in_the_ball_and_the_box(radius, floats, away, smoothing):
    images = as_floats(FORGET) if floats else FORGET
    options = {"away": away, "random_start": not away, "smoothing": smoothing}
    made = unit(neighbours(images, radius=radius, step=radius / 2, **options))
    assert made.min() >= 0 and made.max() <= 1
    assert (made - unit(FORGET)).abs().max() <= radius + 1e-6


def test_neighbours_towards_a_class_are_nearer_to_it_than_a_random_start_and_than_those_away():
    targets = other_labels(FORGET)

    def loss(made):
        return session().predict(trained_convnet(), made.relabelled(targets)).losses().mean()

    images = as_floats(FORGET)
    towards, start, away = (
        loss(neighbours(images, **options)) for options in ({}, {"iterations": 0}, {"away": True})
    )
    assert towards < start - 0.5 and start < away - 0.5


def test_without_a_random_start_neighbours_start_at_the_images():
    images = as_floats(FORGET)
    made = unit(neighbours(images, iterations=0, random_start=False))
    assert torch.equal(made, unit(images))


def test_smoothing_takes_each_gradient_at_noise_of_its_own():
    images, model = as_floats(FORGET), trained_convnet()
    natural, targets = unit(images), other_labels(images)
    generator, near = torch.Generator().manual_seed(0), natural
    for _ in range(2):
        noise = 0.2 * (2 * torch.rand(natural.shape, generator=generator) - 1)
        asked = (near + noise).clamp(0, 1).requires_grad_()
        loss = nn.functional.cross_entropy(model(images.normalised(asked)), targets)
        (gradient,) = torch.autograd.grad(loss, asked)
        near = (near - 0.04 * gradient.sign()).clamp(natural - 0.1, natural + 0.1).clamp(0, 1)
    made = unit(neighbours(images, iterations=2, random_start=False, smoothing=0.2))
    # A gradient of zero but for rounding may have either sign.
    assert ((made - near).abs() < 1e-6).double().mean() > 0.99
    plain = unit(neighbours(images, iterations=2, random_start=False))
    assert ((made - plain).abs() > 0.01).double().mean() > 0.05
