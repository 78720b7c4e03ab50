"""Fisher forgetting: noise where the retained images know little."""

import copy
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from characteristic import characteristic
from hypothesis import given
from hypothesis import strategies as st
from small_problem import request, request_of_two_classes, tensors, trained_convnet
from torch.nn.functional import cross_entropy

from benchmark_adapters.baselines import fisher
from benchmark_adapters.baselines.fisher import Fisher, fisher_information, variances
from suli_plugin import ForgetRequest, Session, run

SEED = 5
SCOPES = pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])


def asked(scope, count=25):
    """A request with few retained images, since each takes ten backward passes."""
    wanted = request(scope)
    return replace(wanted, retain=wanted.retain.subset(range(count)))


def information(model, retain):
    """Image after image, class after class, as the source goes through them."""
    judged, (images, _) = copy.deepcopy(model).eval(), tensors(retain)
    total = [torch.zeros_like(weight) for weight in judged.parameters()]
    for image in images:
        logits = judged(image[None])
        for label in range(logits.shape[1]):
            judged.zero_grad()
            cross_entropy(logits, torch.tensor([label])).backward(retain_graph=True)
            likely = logits.detach().softmax(1)[0, label]
            for part, weight in zip(total, judged.parameters(), strict=True):
                part += likely * weight.grad**2
    return [part / len(images) for part in total]


def deviations(known, alpha, forgotten, last):
    """Standard deviations by the source's rule, one tensor after another."""
    variance = alpha * torch.minimum(1 / (known + 1e-8), torch.tensor(1e2 if last else 1e3))
    if variance.dim() > 1:
        variance = variance.mean(1, keepdim=True).expand_as(variance).clone()
    if last:
        variance[list(forgotten)] = 1e-4
    return (variance * 10 if last or variance.dim() == 1 else variance).sqrt()


@SCOPES
def test_weights_are_those_of_a_plain_transcription(scope):
    original, wanted = trained_convnet(), asked(scope)
    draw, alpha = torch.Generator().manual_seed(SEED), 1e-4
    ours = run(Fisher(alpha=alpha), original, wanted, seed=SEED)
    known = information(original, wanted.retain)
    for number, (before, now) in enumerate(
        zip(original.parameters(), ours.model.parameters(), strict=True)
    ):
        # The last two tensors are the last layer's weights and biases.
        last = number >= len(known) - 2
        mean = before.detach().clone()
        if last:
            mean[list(wanted.forget_classes)] = 0
        spread = deviations(known[number], alpha, wanted.forget_classes, last)
        expected = mean + spread * torch.randn(before.shape, generator=draw)
        torch.testing.assert_close(now.detach(), expected, rtol=1e-4, atol=1e-6)
    assert ours.passes == {"forward": {"retain": 25}, "backward": {"retain": 250}}


def constant(model, images, session):
    return [torch.full_like(weight, 0.01) for weight in model.parameters()]


@characteristic(lambda patch: patch.setattr(fisher, "fisher_information", constant))
def test_noise_is_larger_where_the_retained_images_know_less():
    original, wanted = trained_convnet(), asked("instance-wise")
    moves = [
        run(Fisher(alpha=1e-5), original, wanted, seed=seed).model[0].weight - original[0].weight
        for seed in range(8)
    ]
    size = torch.stack(moves).detach().abs().mean(0).flatten()
    order = information(original, wanted.retain)[0].flatten().argsort()
    third = len(order) // 3
    assert float(size[order[:third]].mean()) > 1.5 * float(size[order[-third:]].mean())


@given(
    values=st.lists(st.floats(0, 10), min_size=2, max_size=8),
    alpha=st.floats(1e-9, 1e-3),
    head=st.booleans(),
)
def test_variances_fall_with_information_and_are_bounded(values, alpha, head):
    known = torch.tensor(values).sort().values
    found = variances(known, alpha, head=head)
    assert bool((found.diff() <= 0).all())
    assert float(found.max()) <= 10 * alpha * (1e2 if head else 1e3) * (1 + 1e-6)
    kernel = variances(known[None, :, None].expand(3, -1, 2), alpha, head=head)
    assert torch.equal(kernel, kernel[:1, :1, :1].expand_as(kernel))


def test_the_diagonal_does_not_depend_on_how_many_images_are_looked_at_together(monkeypatch):
    retain, model = asked("class-wise", count=10).retain.of_kind("retain"), trained_convnet()
    session = Session(accelerator=Accelerator(cpu=True))
    together = fisher_information(model, retain, session)
    monkeypatch.setattr(fisher, "_AT_ONCE", 1)
    for one, other in zip(together, fisher_information(model, retain, session), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-7)


@SCOPES
def test_alpha_0_leaves_the_model_bitwise(scope):
    original = trained_convnet()
    after = run(Fisher(alpha=0.0), original, asked(scope)).model.state_dict()
    for name, value in original.state_dict().items():
        assert torch.equal(after[name], value)


def test_rows_of_forgotten_classes_are_noise_alone():
    original, wanted = trained_convnet(), request_of_two_classes()
    wanted = replace(wanted, retain=wanted.retain.subset(range(10)))
    head = run(Fisher(alpha=1e-9), original, wanted).model[-1].weight
    noise = head[[3, 5]]
    assert noise.std().item() == pytest.approx(1e-3**0.5, rel=0.2)
    kept = [row for row in range(10) if row not in (3, 5)]
    assert (head[kept] - original[-1].weight[kept]).abs().max().item() < 5e-3


def test_statistics_stay_or_are_those_of_the_retained_images():
    original, wanted = trained_convnet(), asked("instance-wise")
    kept = run(Fisher(alpha=1e-5), original, wanted)
    retaken = run(Fisher(alpha=1e-5, statistics="retaken"), original, wanted)
    assert torch.equal(kept.model[1].running_mean, original[1].running_mean)
    assert torch.equal(kept.model[0].weight, retaken.model[0].weight)
    with torch.no_grad():
        seen = retaken.model[0](tensors(wanted.retain)[0]).mean((0, 2, 3))
    torch.testing.assert_close(retaken.model[1].running_mean, seen, rtol=1e-4, atol=1e-6)
    assert retaken.passes["forward"] == {"retain": 50}


def test_the_forget_set_is_not_asked_for():
    alone = ForgetRequest(retain=asked("class-wise").retain, forget_classes=(3,))
    assert run(Fisher(), trained_convnet(), alone).stop_reason == "noise added"


def test_the_preset_for_larger_data_has_less_noise():
    assert Fisher.preset("large", "class-wise").alpha == 1e-7
