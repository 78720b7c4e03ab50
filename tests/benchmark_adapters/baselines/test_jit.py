"""JiT: the model gets smoother around forget images, whatever their labels."""

import pytest
import torch
from characteristic import characteristic
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problem import request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines import jit
from benchmark_adapters.baselines.jit import JiT, extreme_values, local_lipschitz
from suli_plugin import ForgetRequest, run

FORGET = request("class-wise").forget


def noise_of_the_run(images, sigma, draws, seed=0):
    """What a run of this seed draws for its first step, in the set's order."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images), generator=generator)
    inverse = order.argsort()
    seed_of_noise = int(torch.randint(2**62, (), generator=generator))
    of_step = torch.Generator().manual_seed(seed_of_noise)
    return [sigma * torch.randn(images.shape, generator=of_step)[inverse] for _ in range(draws)]


def published_loss(model, images, noises):
    """As the official code has it, for a batch that is the whole set."""
    outputs, loss = model(images), 0
    for noise in noises:
        noisy = (images + noise).clamp(images.min(), images.max())
        with torch.no_grad():
            other = model(noisy)
        inside = torch.linalg.vector_norm((images - noisy).flatten(1), dim=1)
        loss = loss + (torch.linalg.vector_norm(outputs - other, dim=1) / inside).sum()
    return loss / len(noises)


@pytest.mark.parametrize("batch_norm", ["update", "frozen"])
def test_two_epochs_are_those_of_a_plain_loop(batch_norm):
    images, _ = tensors(FORGET)
    by_hand = trained_convnet().train(batch_norm == "update")
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(2):
        order = torch.randperm(len(images), generator=generator)
        of_step = torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=generator)))
        noises = [0.3 * torch.randn(images.shape, generator=of_step) for _ in range(4)]
        optimizer.zero_grad()
        published_loss(by_hand, images[order], noises).backward()
        optimizer.step()
    method = JiT(epochs=2, draws=4, sigma=0.3, lr=1e-3, batch_norm=batch_norm)
    ours = run(method, trained_convnet(), request("class-wise")).model.state_dict()
    for name, value in by_hand.state_dict().items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-6)


def test_the_official_momentum_is_gradients_that_add_up_over_the_batches():
    images, _ = tensors(FORGET)
    by_hand, generator = trained_convnet().eval(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=1e-3)
    order = torch.randperm(len(images), generator=generator)
    low_high = images.min(), images.max()
    for part in images[order].split(16):
        of_step = torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=generator)))
        noisy = (part + 0.3 * torch.randn(part.shape, generator=of_step)).clamp(*low_high)
        change = by_hand(part) - by_hand(noisy).detach()
        (change.norm(dim=1) / (part - noisy).flatten(1).norm(dim=1)).sum().backward()
        optimizer.step()
    method = JiT(draws=1, sigma=0.3, lr=1e-3, batch_size=16, momentum=1.0, batch_norm="frozen")
    ours = run(method, trained_convnet(), request("class-wise")).model
    for one, other in zip(ours.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def smoothness(model, images):
    with torch.no_grad():
        noises = noise_of_the_run(images, 0.5, 20, seed=3)
        return float(published_loss(model, images, noises)) / len(images)


def no_smoothing(patch):
    patch.setattr(jit, "local_lipschitz", lambda change, noise: 0 * change.sum(1))


@characteristic(no_smoothing)
def test_forget_images_get_smoother_and_more_so_than_others():
    wanted = request("class-wise")
    method = JiT(epochs=10, draws=5, lr=1e-3, batch_size=36, batch_norm="frozen")
    before, after = trained_convnet(), run(method, trained_convnet(), wanted).model
    (forget, _), (retain, _) = tensors(wanted.forget), tensors(wanted.retain)
    ratio = smoothness(after, forget) / smoothness(before, forget)
    assert ratio < 0.8
    assert ratio < smoothness(after, retain) / smoothness(before, retain)


def test_labels_are_not_read():
    images, method = FORGET, JiT(epochs=2, draws=2, batch_size=16)
    others = images.relabelled(torch.arange(len(images)) % 10)
    one, other = (
        run(method, trained_convnet(), ForgetRequest(forget=given)).model
        for given in (images, others)
    )
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), sigma=st.floats(1e-3, 10))
def test_of_a_linear_model_the_ratio_is_between_0_and_the_spectral_norm(seed, sigma):
    draw = torch.Generator().manual_seed(seed)
    weight = torch.randn(3, 12, generator=draw)
    noise = sigma * torch.randn(5, 3, 2, 2, generator=draw)
    ratios = local_lipschitz(noise.flatten(1) @ weight.T, noise)
    assert bool((ratios >= 0).all())
    assert bool((ratios <= torch.linalg.matrix_norm(weight, 2) * (1 + 1e-4)).all())


def test_passes_count_every_noisy_image():
    result = run(JiT(epochs=2, draws=3), trained_convnet(), request("class-wise"))
    size = len(FORGET)
    assert result.passes == {
        "forward": {"forget": 2 * (1 + 3) * size},
        "backward": {"forget": 2 * size},
    }


def test_noisy_images_stay_between_the_sets_extremes(monkeypatch):
    images, _ = tensors(FORGET)
    seen = []

    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = trained_convnet()

        def forward(self, given):
            seen.append(given)
            return self.inner(given)

    run(JiT(draws=2, sigma=5.0), Watched(), request("class-wise"))
    assert extreme_values(FORGET, torch.device("cpu")) == (float(images.min()), float(images.max()))
    noisy = torch.cat(seen)
    assert float(noisy.min()) >= images.min() and float(noisy.max()) <= images.max()


def test_presets_have_the_codes_values():
    values = {
        (name, scope): (made.lr, made.sigma, made.momentum, made.draws, made.epochs)
        for name in JiT.presets()
        for scope in JiT.needs
        for made in [JiT.preset(name, scope)]
    }
    assert values == {
        ("official", "class-wise"): (3e-4, 0.5, 1.0, 25, 1),
        ("official", "instance-wise"): (3e-4, 0.01, 1.0, 25, 1),
        ("vit", "class-wise"): (1.5, 0.8, 1.0, 25, 1),
        ("vit", "instance-wise"): (0.1, 0.5, 1.0, 25, 1),
    }
