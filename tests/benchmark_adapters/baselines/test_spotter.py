"""Spotter: masked distillation on forget images and near them, features that scatter."""

import pytest
import torch
from characteristic import characteristic
from hypothesis import given
from hypothesis import strategies as st
from small_problem import CPU, request, request_of_two_classes, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines import spotter
from benchmark_adapters.baselines.spotter import Spotter, mean_cosine
from suli_plugin import ForgetRequest, ImageSet, run


def float_request():
    """Class 3, its pixels as floats in [0, 1], so that neighbours are not rounded."""
    forget = request("class-wise").forget
    pixels, labels = forget.pixels(torch.arange(len(forget)), CPU)
    images = ImageSet.of_tensors(pixels.float() / 255, labels, mean=(0.3055,), std=(0.3756,))
    return ForgetRequest(forget=images, forget_classes=(3,))


def masked(logits):
    p = logits.softmax(1)
    p[:, 3] = 0
    return p / p.sum(1, keepdim=True)


@pytest.mark.parametrize("side", ["towards", "away"])
def test_two_steps_are_those_of_a_plain_loop(side):
    wanted, student, teacher = float_request(), trained_convnet(), trained_convnet()
    pixels, labels = wanted.forget.pixels(torch.arange(len(wanted.forget)), CPU)

    def normalised(unit):
        return (unit - 0.3055) / 0.3756

    logits = teacher(normalised(pixels)).detach()
    top, second = logits.topk(2, dim=1).indices.T
    runner_up = torch.where(top == labels, second, top)
    near = pixels + 0.03 * (2 * torch.rand(pixels.shape, generator=seeded()) - 1)
    near = near.clamp(0, 1)
    for _ in range(3):
        near.requires_grad_()
        loss = nn.functional.cross_entropy(teacher(normalised(near)), runner_up, reduction="sum")
        (gradient,) = torch.autograd.grad(1024 * loss, near)
        with torch.no_grad():
            near = near + (0.01 if side == "away" else -0.01) * gradient.sign()
            near = torch.minimum(torch.maximum(near, pixels - 0.03), pixels + 0.03).clamp(0, 1)
    targets = masked(logits), masked(teacher(normalised(near)).detach())
    optimizer = torch.optim.SGD(student.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    kl = nn.KLDivLoss(reduction="batchmean")
    for _ in range(2):
        features = student[:-1](normalised(pixels))
        own = kl(student[-1](features).log_softmax(1), targets[0])
        other = kl(student(normalised(near)).log_softmax(1), targets[1])
        cosines = nn.functional.cosine_similarity(features[:, None], features[None], dim=2)
        count = len(pixels)
        scatter = (cosines.sum() - cosines.trace()) / (count * (count - 1))
        optimizer.zero_grad()
        (0.7 * own + 0.3 * other + 0.5 * scatter).backward()
        optimizer.step()
    method = Spotter(epochs=2, batch_size=1000, lr=0.01, dispersion=0.5, side=side)
    ours = run(method, trained_convnet(), wanted).model
    for one, by_hand in zip(ours.parameters(), student.parameters(), strict=True):
        torch.testing.assert_close(one, by_hand, rtol=1e-4, atol=1e-6)


def seeded():
    """The random numbers of a run with seed 0."""
    return torch.Generator().manual_seed(0)


def cosine_of(model, images):
    pixels, labels = tensors(images)
    with torch.no_grad():
        return float(mean_cosine(model[:-1](pixels), labels))


@characteristic(
    lambda patch: patch.setattr(spotter, "mean_cosine", lambda features, labels: features.sum() * 0)
)
def test_features_of_the_forgotten_class_scatter():
    wanted, options = request("class-wise"), {"epochs": 30, "lr": 1e-2}
    scattered = run(Spotter(**options), trained_convnet(), wanted).model
    not_told_to = run(Spotter(dispersion=0.0, **options), trained_convnet(), wanted).model
    assert cosine_of(scattered, wanted.forget) < cosine_of(not_told_to, wanted.forget) - 0.05


def test_neighbours_are_made_only_where_they_have_weight():
    wanted = request("class-wise")
    alone = run(Spotter(share=1.0, epochs=1), trained_convnet(), wanted)
    assert alone.passes["forward"].keys() == {"forget"} and alone.notes == {}
    both = run(Spotter(epochs=1), trained_convnet(), wanted)
    count = len(wanted.forget)
    # The teacher's pass over the neighbours, and the step's.
    assert both.passes["forward"]["synthetic"] == 2 * count
    assert both.notes["runner_up_counts"][3] == 0 and sum(both.notes["runner_up_counts"]) == count


@given(seed=st.integers(0, 10_000), classes=st.integers(1, 3))
def test_the_cosine_is_the_mean_over_pairs_of_one_label(seed, classes):
    draw = torch.Generator().manual_seed(seed)
    features = torch.randn(7, 4, generator=draw)
    labels = torch.randint(classes, (7,), generator=draw)
    pairs = [
        nn.functional.cosine_similarity(features[i], features[j], dim=0)
        for i in range(7)
        for j in range(7)
        if i != j and labels[i] == labels[j]
    ]
    expected = torch.stack(pairs).mean() if pairs else torch.zeros(())
    torch.testing.assert_close(mean_cosine(features, labels), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(mean_cosine(3 * features, labels), expected, rtol=0, atol=1e-5)


def test_one_sample_of_a_class_has_no_pair():
    assert mean_cosine(torch.ones(2, 3), torch.tensor([0, 1])) == 0


def test_it_forgets_several_classes_and_names_none_of_them():
    wanted = request_of_two_classes()
    result = run(Spotter(lr=1e-2, epochs=15), trained_convnet(), wanted)
    assert result.history[-1].forget_accuracy < 0.2
    assert not any(result.notes["runner_up_counts"][label] for label in (3, 5))


def test_the_teacher_sees_the_augmented_image():
    wanted = float_request()
    flipped = ImageSet(
        wanted.forget._store, mean=(0.3055,), std=(0.3756,), augment=lambda x, _: x.flip(-1)
    )
    images, _ = tensors(wanted.forget)
    model = trained_convnet()
    with torch.no_grad():
        logits = model(images.flip(-1))
        expected = nn.KLDivLoss(reduction="batchmean")(logits.log_softmax(1), masked(logits))
    method = Spotter(share=1.0, dispersion=0.0, epochs=1, batch_size=1000)
    result = run(method, model, ForgetRequest(forget=flipped, forget_classes=(3,)))
    assert result.history[0].loss == pytest.approx(float(expected), rel=1e-4)


def test_normalised_images_are_refused():
    forget = request("class-wise").forget
    images, labels = tensors(forget)
    wanted = ForgetRequest(forget=ImageSet.of_tensors(images, labels), forget_classes=(3,))
    with pytest.raises(ValueError, match=r"spotter works on .* in \[0, 1\]"):
        run(Spotter(), trained_convnet(), wanted)


def test_the_official_preset_has_the_notebooks_values():
    preset = Spotter.preset("official", "class-wise")
    assert (preset.lr, preset.momentum, preset.weight_decay) == (1e-4, 0.9, 5e-4)
    assert (preset.epochs, preset.batch_size, preset.share, preset.dispersion) == (10, 128, 0.7, 1)
    assert (preset.radius, preset.step, preset.iterations) == (0.03, 0.01, 3)
    assert (preset.side, preset.batch_norm, preset.stop) == ("away", "frozen", "never")
