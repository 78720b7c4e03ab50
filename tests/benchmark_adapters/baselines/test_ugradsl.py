"""UGradSL: smoothed labels with a negative rate, fixed or by distance to retained images."""

from dataclasses import replace

import pytest
import torch
from characteristic import characteristic
from hypothesis import given
from hypothesis import strategies as st
from small_problem import request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines import ugradsl
from benchmark_adapters.baselines.neg_grad_plus import NegGradPlus
from benchmark_adapters.baselines.ugradsl import UGradSL, smoothed_labels
from suli_plugin import run

WHOLE = UGradSL(batch_size=1000, batch_norm="frozen")


def features_of(model, images):
    return model[:-1](images)


def rates_by_hand(model, forget, retain, beta):
    """-c_j / |B_f|, at least -1, image by image."""
    found = []
    for image in features_of(model, forget):
        close = 0
        for other in features_of(model, retain):
            cosine = float(image @ other / (image.norm() * other.norm()))
            close += max(0.0, 1 - cosine) <= beta
        found.append(-min(1.0, close / len(forget)))
    return torch.tensor(found)


@pytest.mark.parametrize("alpha", [-0.4, None])
@pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])
def test_steps_are_those_of_a_plain_loop(alpha, scope):
    wanted, by_hand = request(scope, count=30), trained_convnet()
    (forget, lost), (retain, kept) = tensors(wanted.forget), tensors(wanted.retain)
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    rates = []
    for _ in range(2):
        rate = torch.full((len(lost),), -0.4)
        if alpha is None:
            with torch.no_grad():
                rate = rates_by_hand(by_hand, forget, retain, 0.2)
        rates.append(rate)
        log_p = by_hand(forget).log_softmax(1)
        own = (1 - rate) * -log_p[torch.arange(len(lost)), lost]
        smoothed = own + rate / 10 * -log_p.sum(1)
        loss = 0.8 * nn.functional.cross_entropy(by_hand(retain), kept) - 0.2 * smoothed.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    method = replace(WHOLE, epochs=2, p=0.8, lr=0.01, alpha=alpha, beta=0.2)
    ours = run(method, trained_convnet(), wanted)
    for name, value in by_hand.state_dict().items():
        torch.testing.assert_close(ours.model.state_dict()[name], value, rtol=1e-4, atol=1e-6)
    if alpha is None:
        assert ours.notes["mean_alpha"] == pytest.approx(float(torch.cat(rates).mean()), abs=1e-6)
        assert len(set(torch.cat(rates).tolist())) > 2


def not_smoothed(patch):
    def own(labels, outputs, alphas, forbidden):
        return nn.functional.one_hot(labels, outputs).float()

    patch.setattr(ugradsl, "smoothed_labels", own)


@characteristic(not_smoothed)
def test_a_model_that_is_sure_still_moves_where_plain_ascent_has_no_gradient():
    wanted, sure = request("class-wise"), trained_convnet()
    sure[-1].weight.data *= 20
    sure[-1].bias.data *= 20
    images, labels = tensors(wanted.forget)
    certain = torch.where(sure(images).softmax(1)[torch.arange(len(labels)), labels] == 1)[0]
    assert len(certain) > 10
    asked = replace(wanted, forget=wanted.forget.subset(certain))
    method = replace(WHOLE, epochs=1, p=0, alpha=-0.4, lr=1e-3, weight_decay=0)
    after = run(method, sure, asked).model
    fallen = (sure(images) - after(images))[certain, 3]
    assert float(fallen.detach().mean()) > 0.1


@pytest.mark.parametrize("p", [0.2, 0.9])
def test_without_smoothing_a_step_is_that_of_neg_grad_plus(p):
    wanted = request("class-wise")
    recipe = {"epochs": 1, "batch_size": 1000, "lr": 0.01, "batch_norm": "frozen"}
    method = UGradSL(alpha=0, p=p, momentum=0, weight_decay=0, **recipe)
    ours = run(method, trained_convnet(), wanted).model
    plus = NegGradPlus(alpha=p, forget_batch_size=1000, **recipe)
    theirs = run(plus, trained_convnet(), wanted).model
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=6),
    st.floats(-2, 0),
    st.sets(st.integers(0, 4), max_size=3),
)
def test_smoothed_labels_sum_to_one_and_their_gradient_to_zero(labels, alpha, forbidden):
    labels, alphas = torch.tensor(labels), torch.full((len(labels),), alpha)
    smoothed = smoothed_labels(labels, 5, alphas, sorted(forbidden))
    torch.testing.assert_close(smoothed.sum(1), torch.ones(len(labels)))
    logits = torch.randn(
        len(labels), 5, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()
    (smoothed * logits.log_softmax(1)).sum().backward()
    assert float(logits.grad.sum(1).abs().max()) < 1e-5
    for row, label in zip(smoothed, labels.tolist(), strict=True):
        assert all(float(row[other]) == 0 for other in forbidden - {label})
        rest = [float(row[other]) for other in range(5) if other not in {*forbidden, label}]
        assert len({round(value, 6) for value in rest}) <= 1
        assert all(value <= 0 for value in rest) and float(row[label]) >= 1 - 1e-6


def test_an_epoch_goes_along_the_forget_set_and_the_features_are_counted():
    wanted = request("class-wise")
    ours = run(UGradSL(epochs=3, batch_size=16), trained_convnet(), wanted)
    steps = -(-len(wanted.forget) // 16)
    assert ours.history[-1].step == 3 * steps
    assert ours.passes["backward"]["forget"] == 3 * len(wanted.forget)
    assert ours.passes["forward"]["forget"] == 6 * len(wanted.forget)
    fixed = run(UGradSL(epochs=3, batch_size=16, alpha=-0.1), trained_convnet(), wanted)
    assert fixed.passes["forward"] == fixed.passes["backward"] and fixed.notes == {}


def test_a_model_without_features_is_told_to_take_a_rate():
    wanted = request("class-wise")
    pooled = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.Unflatten(1, (2, 2)), Weights())
    with pytest.raises(ValueError, match=r"ugradsl finds .* give it a rate, such as alpha=-0\.1"):
        run(UGradSL(), pooled, wanted)
    run(UGradSL(alpha=-0.1, epochs=1), pooled, wanted)


class Weights(nn.Module):
    """Logits (B, 10) by a linear layer on rows (B, 2, 2), which are not one feature vector."""

    def __init__(self):
        super().__init__()
        self.rows = nn.Linear(2, 10)

    def forward(self, images):
        return self.rows(images).mean(1)
