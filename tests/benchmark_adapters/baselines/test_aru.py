"""ARU: forget images are pulled to images made of them that are taken for something else."""

import pytest
import torch
from accelerate import Accelerator
from characteristic import characteristic
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problem import request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines import aru
from benchmark_adapters.baselines.aru import ARU, cosine_triplet
from suli_plugin import ForgetRequest, ImageSet, Session, evaluate, run

WHOLE = {"batch_size": 1000, "radius": 0.1, "iterations": 4}


def session(wanted):
    return Session(
        accelerator=Accelerator(cpu=True),
        granted={"forget": wanted.forget},
        forget_classes=wanted.forget_classes,
        method="aru",
    )


def retain_like_by_hand(wanted, radius, iterations, generator):
    """Images in [0, 1] and labels, as the code has it with pixels kept in the box."""
    images, model = wanted.forget, trained_convnet()
    natural = images.pixels(torch.arange(len(images)), torch.device("cpu"))[0].float() / 255
    allowed = torch.zeros(len(images), 10)
    allowed[torch.arange(len(images)), images.labels] = -torch.inf
    targets = (model(images.normalised(natural)) + allowed).argmax(1)
    made = natural
    for _ in range(iterations):
        noise = radius * (2 * torch.rand(natural.shape, generator=generator) - 1)
        asked = (made + noise).clamp(0, 1).requires_grad_()
        loss = nn.functional.cross_entropy(model(images.normalised(asked)), targets)
        (gradient,) = torch.autograd.grad(loss, asked)
        made = made - 2 * radius / iterations * gradient.sign()
        made = made.clamp(natural - radius, natural + radius).clamp(0, 1)
    # Kept as uint8, rounded towards the natural image.
    made = (natural * 255 + (made * 255 - natural * 255).trunc()) / 255
    normalised = images.normalised(made)
    predicted = model(normalised).argmax(1)
    hits = predicted != images.labels
    return normalised[hits], predicted[hits]


@pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])
def test_two_epochs_are_those_of_a_plain_loop(scope):
    wanted, by_hand = request(scope), trained_convnet()
    images, _ = tensors(wanted.forget)
    generator = torch.Generator().manual_seed(0)
    made, labels = retain_like_by_hand(wanted, 0.1, 4, generator)
    assert 0.1 < len(made) / len(images) < 1
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    by_hand.train()
    for _ in range(2):
        near, logits = by_hand(made), by_hand(images)
        positive, negative = near.detach().mean(0), logits.detach().mean(0)
        unit = nn.functional.normalize(logits, dim=1)
        to_near = 1 - unit @ nn.functional.normalize(positive, dim=0)
        to_own = 1 - unit @ nn.functional.normalize(negative, dim=0)
        triplet = torch.relu(to_near - to_own + 1.0).mean()
        optimizer.zero_grad()
        (triplet + nn.functional.cross_entropy(near, labels)).backward()
        optimizer.step()
    ours = run(ARU(epochs=2, **WHOLE), trained_convnet(), wanted).model.state_dict()
    for name, value in by_hand.state_dict().items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-6)


def no_triplet(patch):
    patch.setattr(aru, "cosine_triplet", lambda anchors, *_: 0 * anchors.sum(1))


@characteristic(no_triplet)
def test_the_triplet_makes_it_forget_a_class():
    wanted = request("class-wise")
    result = run(ARU(epochs=10, radius=0.3, iterations=10), trained_convnet(), wanted)
    assert result.notes["hit_rate"] == 1
    assert evaluate(result.model, wanted.forget, Accelerator()).accuracy() < 0.2


@pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])
def test_retain_like_images_have_the_label_that_the_original_gives_them(scope):
    wanted, using = request(scope), session(request(scope))
    made = ARU(radius=0.2, iterations=5)._retain_like(trained_convnet(), using)
    again = evaluate(trained_convnet(), made, Accelerator())
    assert again.accuracy() == 1 and made.kind == "synthetic"
    assert len(made) == round(using.notes["hit_rate"] * len(wanted.forget)) > 0
    counts = torch.bincount(made.labels, minlength=10)
    assert counts.tolist() == using.notes["label_counts"]
    if scope == "class-wise":
        assert counts[3] == 0


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    margin=st.floats(0, 2),
    scale=st.floats(0.1, 10),
    batch=st.integers(1, 6),
)
def test_the_triplet_does_not_see_lengths_and_is_the_margin_between_equals(
    seed, margin, scale, batch
):
    draw = torch.Generator().manual_seed(seed)
    anchors = torch.randn(batch, 5, generator=draw)
    positive, negative = torch.randn(2, 5, generator=draw)
    losses = cosine_triplet(anchors, positive, negative, margin)
    longer = cosine_triplet(scale * anchors, positive / scale, scale * negative, margin)
    torch.testing.assert_close(longer, losses, rtol=1e-4, atol=1e-5)
    assert bool((losses >= 0).all()) and bool((losses <= margin + 2 + 1e-5).all())
    between_equals = cosine_triplet(anchors, positive, positive, margin)
    torch.testing.assert_close(between_equals, torch.full((batch,), margin))


def test_without_a_retain_like_image_the_model_is_returned_as_it_is():
    # Far inside the class that the model is sure of.
    images, original = request("class-wise").forget, trained_convnet()
    sure = torch.where(evaluate(original, images, Accelerator()).logits.argmax(1) == 3)[0]
    wanted = ForgetRequest(forget=images.subset(sure), forget_classes=(3,))
    result = run(ARU(radius=1e-3, iterations=2), original, wanted)
    assert result.stop_reason == "no retain-like image was made"
    assert result.notes["hit_rate"] == 0
    for name, value in original.state_dict().items():
        assert torch.equal(result.model.state_dict()[name], value)


def test_normalised_images_are_refused():
    images, labels = tensors(request("class-wise").forget)
    asked = ForgetRequest(forget=ImageSet.of_tensors(images, labels), forget_classes=(3,))
    with pytest.raises(ValueError, match=r"aru works on .* in \[0, 1\].*mean= and std="):
        run(ARU(epochs=1), trained_convnet(), asked)


def test_passes_count_the_attack_the_retain_like_images_and_both_terms():
    wanted = request("class-wise")
    result = run(ARU(epochs=2, **WHOLE), trained_convnet(), wanted)
    size, made = len(wanted.forget), sum(result.notes["label_counts"])
    assert result.passes == {
        "forward": {"forget": (1 + 4 + 2) * size, "synthetic": size + 2 * made},
        "backward": {"forget": (4 + 2) * size, "synthetic": 2 * made},
    }


def test_the_preset_has_torchunlearns_values():
    made = ARU.preset("torchunlearn", "class-wise")
    values = (made.lr, made.momentum, made.weight_decay, made.epochs, made.batch_size)
    assert values == (0.01, 0.9, 5e-4, 5, 128)
    assert (made.radius, made.iterations, made.margin) == (0.05, 50, 1.0)
