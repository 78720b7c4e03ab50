"""TREW: SU's target tilted towards similar classes."""

from dataclasses import replace

import pytest
import torch
from characteristic import characteristic
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from small_problem import request, request_of_two_classes, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines import trew
from benchmark_adapters.baselines.trew import Trew, class_similarities, tilted
from suli_plugin import SU, run

WHOLE = {"epochs": 1, "batch_size": 1000, "batch_norm": "frozen", "stop": "never"}
SEEDS = st.integers(0, 10_000)


def rows_of(seed, classes=6, width=8):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(classes, width, generator=draw)


@pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])
@pytest.mark.parametrize("batch_norm", ["update", "frozen"])
def test_without_a_tilt_it_is_su_with_epsilon_0_to_the_last_bit(scope, batch_norm):
    options = {"epochs": 2, "batch_size": 16, "batch_norm": batch_norm}
    ours = run(Trew(tilt=0.0, **options), trained_convnet(), request(scope))
    su = run(SU(epsilon=0.0, temperature=1.0, **options), trained_convnet(), request(scope))
    assert ours.history == su.history and ours.passes == su.passes and ours.steps > 0
    theirs = su.model.state_dict()
    assert all(torch.equal(theirs[key], value) for key, value in ours.model.state_dict().items())


def test_a_step_is_adams_on_the_divergence_from_the_tilted_target():
    wanted, by_hand = request_of_two_classes(), trained_convnet()
    images, labels = tensors(wanted.forget)
    rows = by_hand[-1].weight.detach()
    centred = rows - rows.mean(0)
    variances, axes = torch.linalg.eigh(centred.T @ centred)
    parts, count = variances.flip(0) / variances.sum(), 1
    while parts[:count].sum() < 0.9:
        count += 1
    low = centred @ axes.flip(1)[:, :count]
    cosine = nn.functional.cosine_similarity(low[:, None], low[None], dim=2)
    tilt = torch.exp(4.0 * cosine[labels] * cosine[labels].abs())
    p = by_hand(images).detach().softmax(1)
    q = p * tilt
    q[:, [3, 5]] = 0
    q = q / q.sum(1, keepdim=True)
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=0.01)
    (q * (q.clamp(min=1e-38).log() - by_hand(images).log_softmax(1))).sum(1).mean().backward()
    expected = [parameter.grad.clone() for parameter in by_hand.parameters()]
    optimizer.step()
    ours = run(
        Trew(lr=0.01, tilt=4.0, explained=0.9, sharpness=2.0, **WHOLE), trained_convnet(), wanted
    )
    for one, other, gradient in zip(
        ours.model.parameters(), by_hand.parameters(), expected, strict=True
    ):
        # Adam's first step is the gradient's sign: where that is 0 but for rounding, either.
        clear = gradient.abs() > 1e-6
        torch.testing.assert_close(one[clear], other[clear], rtol=1e-4, atol=1e-6)


@characteristic(lambda patch: patch.setattr(trew, "tilted", lambda logits, similar, tilt: logits))
@hypothesis_settings(max_examples=8)
@given(seed=SEEDS, low=st.floats(0, 5), more=st.floats(0.5, 5))
def test_more_tilt_moves_mass_to_the_more_similar_of_two_classes(seed, low, more):
    model = trained_convnet()
    with torch.no_grad():
        model[-1].weight.copy_(rows_of(seed, 10, 64))
    similar = class_similarities(model[-1].weight.detach(), explained=0.95, sharpness=2.0)[3]
    farthest, *_, nearest, own = similar.argsort().tolist()
    assert own == 3 and similar[nearest] > similar[farthest]
    gaps = []
    for tilt in (low, low + more):
        targets = targets_of(Trew(tilt=tilt), model, request("class-wise"))
        gaps.append(targets[:, nearest] - targets[:, farthest])
    moved = more * float(similar[nearest] - similar[farthest])
    assert torch.allclose(gaps[1] - gaps[0], torch.full_like(gaps[0], moved), atol=1e-3)


def targets_of(method, model, wanted):
    """log q of the forget set's samples, as a run has it."""
    kept = []

    def keep(targets, logits):
        kept.append(targets)
        return nn.functional.kl_div(logits.log_softmax(1), targets.exp(), reduction="none").sum(1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trew, "spa_loss", keep)
        run(replace(method, **WHOLE), model, wanted)
    return kept[0]


@given(seed=SEEDS, explained=st.floats(0.1, 1), sharpness=st.sampled_from([1.0, 2.0, 4.0]))
def test_similarities_are_symmetric_bounded_and_blind_to_scale_shift_and_order(
    seed, explained, sharpness
):
    rows = rows_of(seed)
    options = {"explained": explained, "sharpness": sharpness}
    similar = class_similarities(rows, **options)
    torch.testing.assert_close(similar, similar.T)
    assert similar.abs().max() <= 1
    torch.testing.assert_close(similar.diagonal(), torch.ones(6))
    torch.testing.assert_close(
        class_similarities(3 * rows + 5, **options), similar, atol=1e-4, rtol=0
    )
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(
        class_similarities(rows[order], **options), similar[order][:, order], atol=1e-5, rtol=0
    )


@given(seed=SEEDS, tilt=st.floats(0, 30))
def test_the_tilt_weighs_probabilities_by_an_exponential(seed, tilt):
    logits, similar = rows_of(seed).double(), torch.tanh(rows_of(seed + 1)).double()
    weighed = logits.softmax(1) * torch.exp(tilt * similar)
    expected = weighed / weighed.sum(1, keepdim=True)
    torch.testing.assert_close(tilted(logits, similar, tilt).softmax(1), expected)


def test_equal_rows_are_alike_in_nothing():
    similar = class_similarities(torch.ones(4, 3), explained=0.95, sharpness=2.0)
    assert torch.equal(similar, torch.zeros(4, 4))


def test_the_most_similar_class_is_noted_and_is_none_that_is_forgotten():
    wanted = request_of_two_classes()
    noted = run(Trew(**WHOLE), trained_convnet(), wanted).notes["most_similar_class"]
    assert noted.keys() == {"3", "5"}
    assert not {3, 5} & set(noted.values())


def test_a_head_that_has_no_row_for_each_class_is_refused():
    model = nn.Sequential(trained_convnet(), nn.Linear(10, 4), nn.ConstantPad1d((0, 6), 0.0))
    with pytest.raises(ValueError, match="has 4 rows and the model 10 outputs"):
        run(Trew(), model, request("class-wise"))
