"""SPA: the properties of the adjusted targets and of their gradient."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import softmax

from suli_plugin.spa import spa_loss, spa_targets, suppressed_classes

BATCHES = st.tuples(st.integers(1, 5), st.integers(2, 7), st.integers(0, 10_000))
EPSILONS = st.sampled_from([0.0, 1e-6, 0.01, 0.3, 0.999])


def logits_of(batch, scale=3.0):
    rows, classes, seed = batch
    draw = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(rows, classes, generator=draw, dtype=torch.float64)
    labels = torch.randint(classes, (rows,), generator=draw)
    return logits, labels, suppressed_classes(labels, classes)


@given(BATCHES, EPSILONS, st.sampled_from([0.5, 1.0, 4.0]))
def test_targets_sum_to_one_with_exactly_epsilon_on_the_label(batch, epsilon, temperature):
    logits, labels, suppressed = logits_of(batch)
    targets = spa_targets(logits, suppressed, epsilon=epsilon, temperature=temperature).exp()
    torch.testing.assert_close(targets.sum(1), torch.ones(len(targets), dtype=torch.float64))
    on_label = targets.gather(1, labels[:, None]).squeeze(1)
    torch.testing.assert_close(on_label, torch.full_like(on_label, epsilon))


@given(BATCHES, EPSILONS)
def test_other_classes_keep_their_proportions(batch, epsilon):
    logits, _, suppressed = logits_of(batch)
    targets = spa_targets(logits, suppressed, epsilon=epsilon).exp()
    others = softmax(logits, 1).masked_fill(suppressed, 0)
    expected = others / others.sum(1, keepdim=True) * (1 - epsilon)
    torch.testing.assert_close(targets.masked_fill(suppressed, 0), expected)


@given(BATCHES, EPSILONS, st.floats(-50, 50))
def test_targets_do_not_depend_on_a_shift_or_on_the_suppressed_logit(batch, epsilon, shift):
    logits, labels, suppressed = logits_of(batch)
    targets = spa_targets(logits, suppressed, epsilon=epsilon)
    torch.testing.assert_close(spa_targets(logits + shift, suppressed, epsilon=epsilon), targets)
    moved = logits.scatter_add(1, labels[:, None], torch.full((len(labels), 1), shift).double())
    torch.testing.assert_close(spa_targets(moved, suppressed, epsilon=epsilon), targets)


@given(BATCHES)
def test_epsilon_zero_is_the_masked_softmax(batch):
    logits, _, suppressed = logits_of(batch)
    masked = logits.masked_fill(suppressed, -math.inf).log_softmax(1)
    assert torch.equal(spa_targets(logits, suppressed), masked)


@given(BATCHES, EPSILONS)
def test_a_set_of_suppressed_classes_gets_the_total_mass_epsilon(batch, epsilon):
    logits, _, _ = logits_of((batch[0], batch[1] + 2, batch[2]))
    suppressed = suppressed_classes(torch.zeros(len(logits)).long(), logits.shape[1], (0, 2))
    targets = spa_targets(logits, suppressed, epsilon=epsilon).exp()
    mass = targets[:, [0, 2]].sum(1)
    torch.testing.assert_close(mass, torch.full_like(mass, epsilon))


@pytest.mark.parametrize("epsilon", [0.0, 0.1])
@pytest.mark.parametrize("gap", [1e4, -1e4])
def test_everything_is_finite_for_a_logit_gap_of_ten_thousand(epsilon, gap):
    logits = torch.tensor([[gap, 0.0, -1.0, 5.0]], requires_grad=True)
    suppressed = suppressed_classes(torch.tensor([0]), 4)
    loss = spa_loss(spa_targets(logits.detach(), suppressed, epsilon=epsilon), logits)
    loss.sum().backward()
    assert bool(loss.isfinite().all()) and bool(logits.grad.isfinite().all())
    # Two non-suppressed classes 1e4 apart must not underflow to nothing either.
    far = torch.tensor([[0.0, gap, 1.0]])
    total = spa_targets(far, suppressed_classes(torch.tensor([0]), 3), epsilon=epsilon).exp().sum()
    assert float(total) == pytest.approx(1.0)


@settings(max_examples=50)
@given(BATCHES)
def test_with_itself_as_teacher_the_gradient_is_that_of_unlikelihood(batch):
    logits, labels, suppressed = logits_of(batch)
    own = logits.clone().requires_grad_()
    spa_loss(spa_targets(logits, suppressed), own).sum().backward()
    other = logits.clone().requires_grad_()
    p = softmax(other, 1).gather(1, labels[:, None])
    (-torch.log1p(-p)).sum().backward()
    torch.testing.assert_close(own.grad, other.grad, rtol=1e-6, atol=1e-9)


@given(BATCHES)
def test_epsilon_equal_to_the_probability_gives_no_loss_and_no_gradient(batch):
    logits, labels, _ = logits_of((1, *batch[1:]))
    suppressed = suppressed_classes(labels[:1], logits.shape[1])
    epsilon = float(softmax(logits, 1)[0, labels[0]])
    own = logits.clone().requires_grad_()
    loss = spa_loss(spa_targets(logits, suppressed, epsilon=min(epsilon, 1 - 1e-12)), own).sum()
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-9)
    assert float(own.grad.abs().max()) < 1e-8


@given(BATCHES, EPSILONS)
def test_renaming_the_classes_renames_the_targets(batch, epsilon):
    logits, _, suppressed = logits_of(batch)
    order = torch.randperm(logits.shape[1], generator=torch.Generator().manual_seed(batch[2]))
    targets = spa_targets(logits, suppressed, epsilon=epsilon)
    renamed = spa_targets(logits[:, order], suppressed[:, order], epsilon=epsilon)
    torch.testing.assert_close(renamed, targets[:, order])


@pytest.mark.parametrize("epsilon", [-0.1, 1.0, 1.5, math.nan])
def test_epsilon_outside_its_range_is_refused(epsilon):
    with pytest.raises(ValueError, match="epsilon"):
        spa_targets(torch.zeros(1, 3), torch.tensor([[True, False, False]]), epsilon=epsilon)


def test_a_suppressed_set_that_is_everything_is_refused():
    with pytest.raises(ValueError, match="every class"):
        suppressed_classes(torch.tensor([0]), 3, (0, 1, 2))
    last = torch.tensor([1, 2])
    with pytest.raises(ValueError, match="every class"):
        suppressed_classes(last, 3, forgotten_before=(0, 1))
    assert suppressed_classes(last[:1], 3, forgotten_before=(0, 1)).tolist() == [
        [True, True, False]
    ]
