"""GKT: the gate, the generator, attention, and a student that learns what passes."""

import pytest
import torch
from characteristic import characteristic
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problem import convnet, trained_convnet
from torch import nn
from torch.nn.functional import normalize

from benchmark_adapters.baselines import gated_transfer
from benchmark_adapters.baselines.attention import attention_distance, attention_maps
from benchmark_adapters.baselines.gkt import Gkt
from benchmark_adapters.baselines.pseudo_images import PseudoImages
from suli_plugin import ForgetRequest, run
from suli_plugin.testing import parametrize_unlearners
from suli_plugin.testing.problem import Problem

SEED = 5
SHORT = {"iterations": 2, "batch_size": 8, "code_size": 4, "student_steps": 3, "threshold": 0.5}


def asked(**more):
    return ForgetRequest(image_shape=(1, 8, 8), fresh_model=convnet, forget_classes=(3,), **more)


def everything(logits, forgotten, threshold):
    return torch.ones(len(logits), dtype=torch.bool)


@characteristic(lambda patch: patch.setattr(gated_transfer, "passes", everything))
@settings(deadline=None, max_examples=20)
@given(
    st.integers(0, 999),
    st.sampled_from([0.0, 0.01, 0.1, 0.3]),
    st.sets(st.integers(0, 4), min_size=1),
)
def test_nothing_passes_the_gate_that_may_be_of_a_forgotten_class(seed, threshold, forgotten):
    logits = 3 * torch.randn(50, 5, generator=torch.Generator().manual_seed(seed))
    through = gated_transfer.passes(logits, tuple(forgotten), threshold)
    probable = logits.softmax(1)[:, sorted(forgotten)].max(1).values
    assert bool((probable[through] <= threshold).all())
    assert bool((probable[~through] > threshold).all())
    assert threshold > 0 or not bool(through.any())


def test_a_gate_that_lets_nothing_through_teaches_nothing():
    result = run(Gkt(**{**SHORT, "threshold": 0.0}), trained_convnet(), asked(), seed=SEED)
    assert result.stop_reason == "nothing passed the gate" and result.steps == 0
    assert result.notes == {"gate_passed": 0.0, "empty_rounds": 2, "generator_restarts": 0}
    assert result.passes == {"forward": {"synthetic": 16}, "backward": {}}


def test_a_generator_of_nothing_but_the_class_begins_anew(monkeypatch):
    monkeypatch.setattr(gated_transfer, "EMPTY_IN_A_ROW", 2)
    result = run(Gkt(**{**SHORT, "threshold": 0.0, "iterations": 5}), trained_convnet(), asked())
    assert result.notes["generator_restarts"] == 2


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (5, 7, 10), (2, 1, 3)])
def test_generated_images_have_any_shape(shape):
    made = PseudoImages(6, shape)(torch.randn(4, 6, generator=torch.Generator().manual_seed(0)))
    assert made.shape == (4, *shape)
    torch.testing.assert_close(made.mean((0, 2, 3)), torch.zeros(shape[0]), atol=1e-4, rtol=0)


def test_attention_is_where_the_convolutions_respond_and_nothing_stays_hooked():
    model = trained_convnet().eval()
    images = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with attention_maps(model) as latest:
        model(images)
        first, second = latest()
        assert latest() == []
    expected = model[:4](images).pow(2).mean(1).flatten(1)
    torch.testing.assert_close(second, expected / expected.norm(dim=1, keepdim=True))
    assert first.shape == (3, 64) and second.shape == (3, 16)
    assert attention_distance([first, second], [first, second]).item() == 0
    assert not any(module._forward_hooks for module in model)


@pytest.mark.parametrize("batch_norm", ["frozen", "update"])
def test_two_rounds_are_the_published_steps(batch_norm):
    method = Gkt(**SHORT, batch_norm=batch_norm, temperature=2.0)
    ours = run(method, trained_convnet(), asked(), seed=SEED)
    torch.manual_seed(SEED)
    draw = torch.Generator().manual_seed(SEED)
    teacher = trained_convnet().eval()
    student = convnet()
    generator = nn.Sequential(
        nn.Linear(4, 512), nn.Unflatten(1, (128, 2, 2)), nn.BatchNorm2d(128),
        nn.Upsample(scale_factor=2), nn.Conv2d(128, 128, 3, padding=1), nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2), nn.Upsample(scale_factor=2), nn.Conv2d(128, 64, 3, padding=1),
        nn.BatchNorm2d(64), nn.LeakyReLU(0.2), nn.Conv2d(64, 1, 3, padding=1), nn.BatchNorm2d(1),
    )  # fmt: skip
    student.train()
    for layer in (student[1], student[4]):
        layer.train(batch_norm == "update")

    def forward(network, images):
        first = network[0](images)
        second = network[3](network[1:3](first))
        logits = network[4:](second)
        maps = [normalize(each.pow(2).mean(1).flatten(1)) for each in (first, second)]
        return logits, maps

    def divergence(taught, logits):
        p, q = (taught / 2).softmax(1), (logits / 2).softmax(1)
        return (p * (p / q).log()).sum() / len(p)

    def step(network, optimizer, loss):
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5)
        optimizer.step()

    gen_steps = torch.optim.Adam(generator.parameters(), lr=1e-3)
    own_steps = torch.optim.Adam(student.parameters(), lr=1e-3)
    for _ in range(2):
        codes = torch.randn(8, 4, generator=draw)
        for number in range(4):
            images = generator(codes)
            probability = teacher(images).softmax(1)[:, 3]
            images = images[probability <= 0.5]
            assert len(images)
            taught, theirs = forward(teacher, images)
            if number == 0:
                step(generator, gen_steps, -divergence(taught, forward(student, images)[0]))
                continue
            logits, own = forward(student, images.detach())
            distance = sum((a - b.detach()).pow(2).mean() for a, b in zip(own, theirs, strict=True))
            step(student, own_steps, divergence(taught.detach(), logits) + 250 * distance)
    for key, value in student.state_dict().items():
        torch.testing.assert_close(
            ours.model.state_dict()[key], value, rtol=1e-4, atol=2e-5, msg=key
        )
    assert ours.steps == 8 and ours.passes["forward"].keys() == {"synthetic"}


def test_the_codes_mean_makes_attention_weigh_as_many_times_as_there_are_classes():
    options = {**SHORT, "max_grad_norm": None}
    one = run(Gkt(**options, kl_mean="elements", attention_weight=250), trained_convnet(), asked())
    other = run(Gkt(**options, attention_weight=2500), trained_convnet(), asked())
    # The first loss of the student, before Adam's own scale; entries are means over the rounds.
    assert one.history[0].loss * 10 == pytest.approx(other.history[0].loss, rel=0.05)


def test_a_frozen_parameter_is_the_originals_and_flags_are_too():
    original = trained_convnet()
    original[0].weight.requires_grad_(False)
    made = run(Gkt(**SHORT), original, asked()).model
    assert torch.equal(made[0].weight, original[0].weight)
    flags = [[p.requires_grad for p in model.parameters()] for model in (made, original)]
    assert flags[0] == flags[1] and not torch.equal(made[3].weight, original[3].weight)


def test_a_network_without_convolutions_is_refused_unless_attention_is_left_out():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    request = ForgetRequest(
        image_shape=(1, 8, 8), forget_classes=(3,),
        fresh_model=lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)),
    )  # fmt: skip
    with pytest.raises(ValueError, match="attention_weight=0 does without"):
        run(Gkt(**SHORT), flat, request)
    assert run(Gkt(**SHORT, attention_weight=0), flat, request).steps == 8


# Of the suite's network the default gate lets nothing through, so that no rule would be tried.
@parametrize_unlearners([Gkt(**{**SHORT, "batch_size": 16, "threshold": 0.3})])
def test_the_contract_is_kept_where_the_gate_is_open(unlearner, check):
    check(unlearner)


def test_the_suites_network_passes_that_gate():
    result = Problem(Gkt(), "class-wise").run(Gkt(**{**SHORT, "threshold": 0.3}))
    assert result.steps == 8 and result.notes["gate_passed"] > 0.5
