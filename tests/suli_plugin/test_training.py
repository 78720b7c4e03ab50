"""The shared loop: gradients, policies, terms, penalties, and what it counts."""

from contextlib import contextmanager

import pytest
import torch
from accelerate import Accelerator
from hypothesis import given
from hypothesis import strategies as st
from small_problem import convnet, request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines.finetune import FineTune
from benchmark_adapters.baselines.neg_grad import NegGrad
from benchmark_adapters.baselines.random_label import RandomLabel, random_labels
from suli_plugin import ImageSet, run
from suli_plugin.batch_norm import batch_norms, evaluation_mode, training_mode
from suli_plugin.divergence import Diverged
from suli_plugin.rounds import Round, Term, cross_entropy
from suli_plugin.training import Trainer

FORGET = request("class-wise").forget


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def one_step(model, terms, **options):
    trainer = Trainer(Accelerator())
    trainer.train(model, [Round([terms])], sgd, batch_norm="frozen", **options)
    return model


def test_one_step_is_gradient_descent_on_the_mean_loss():
    model, by_hand = trained_convnet(), trained_convnet()
    one_step(model, [Term(FORGET, torch.arange(10), cross_entropy)])
    images, labels = tensors(FORGET)
    nn.functional.cross_entropy(by_hand(images[:10]), labels[:10]).backward()
    for ours, other in zip(model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(ours, other - 0.1 * other.grad)


def test_weighted_terms_add_up_to_one_joint_step():
    joined, parted = trained_convnet(), trained_convnet()
    one_step(joined, [Term(FORGET, torch.arange(12), cross_entropy)])
    parts = [
        Term(FORGET, torch.arange(4), cross_entropy, weight=4 / 12),
        Term(FORGET, torch.arange(4, 12), cross_entropy, weight=8 / 12),
    ]
    one_step(parted, parts)
    for ours, other in zip(joined.parameters(), parted.parameters(), strict=True):
        torch.testing.assert_close(ours, other)


def test_a_penalty_joins_the_loss():
    model = trained_convnet()
    weight = model[-1].weight
    before = weight.detach().clone()
    zero = lambda logits, batch: logits.sum(1) * 0  # noqa: E731  # a loss without a gradient
    one_step(
        model, [Term(FORGET, torch.arange(3), zero)], penalty=lambda: weight.square().sum() / 2
    )
    torch.testing.assert_close(weight, before - 0.1 * before)


def test_the_gradient_is_clipped():
    model = trained_convnet()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    huge = lambda logits, batch: 1e6 * cross_entropy(logits, batch)  # noqa: E731
    one_step(model, [Term(FORGET, torch.arange(3), huge)], max_grad_norm=0.5)
    moved = sum(
        float((p - b).detach().square().sum())
        for p, b in zip(model.parameters(), before, strict=True)
    )
    assert moved**0.5 == pytest.approx(0.1 * 0.5, rel=1e-3)


@pytest.mark.parametrize("policy", ["update", "keep", "frozen"])
def test_each_batch_norm_policy_does_what_it_says(policy):
    model = trained_convnet().train()
    images, _ = tensors(FORGET)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with training_mode(model, policy), torch.no_grad():
        output = model(images)
    changed = [n for n, b in model.named_buffers() if not torch.equal(b, before[n])]
    assert bool(changed) == (policy == "update")
    with evaluation_mode(model):
        frozen = model(images)
    assert torch.equal(output, frozen) == (policy == "frozen")
    assert model.training and all(layer.track_running_stats for layer in batch_norms(model))


@pytest.mark.parametrize("policy", ["update", "keep", "frozen"])
def test_one_value_a_channel_uses_the_running_statistics(policy):
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 6), nn.BatchNorm1d(6), nn.Linear(6, 10))
    images, _ = tensors(FORGET)
    with training_mode(model, policy):
        alone = model(images[:1])
    with evaluation_mode(model):
        expected = model(images[:1])
    torch.testing.assert_close(alone, expected)
    with training_mode(model, policy):
        assert not torch.equal(model(images[:2])[:1], expected) or policy == "frozen"
        assert model[2].training == (policy != "frozen")
    assert not model[2]._forward_hooks and not model[2]._forward_pre_hooks


def test_neg_grad_is_one_descent_step_backwards():
    model, asked = trained_convnet(), request("class-wise")
    options = {"epochs": 1, "batch_size": 1000, "momentum": 0.0, "batch_norm": "frozen"}
    up = run(NegGrad(lr=1e-3, max_grad_norm=1e9, **options), model, asked).model
    images, labels = tensors(asked.forget)
    loss = nn.functional.cross_entropy(model(images), labels)
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    for new, old, gradient in zip(up.parameters(), model.parameters(), gradients, strict=True):
        torch.testing.assert_close(new, old + 1e-3 * gradient)
    risen = float(nn.functional.cross_entropy(up(images), labels) - loss)
    expected = 1e-3 * sum(float(g.square().sum()) for g in gradients)
    assert risen == pytest.approx(expected, rel=0.05)


def test_fine_tuning_lowers_the_retain_loss_and_reads_no_forget_image():
    model, asked = convnet(), request("class-wise")
    images, labels = tensors(asked.retain)
    before = nn.functional.cross_entropy(model.eval()(images), labels)
    result = run(FineTune(epochs=2, lr=1e-3), model, asked)
    after = nn.functional.cross_entropy(result.model.eval()(images), labels)
    assert after < before
    assert set(result.passes["forward"]) == {"retain"}


@given(st.integers(2, 8), st.integers(0, 1000))
def test_random_labels_are_never_the_own_class_nor_a_forgotten_one(outputs, seed):
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(outputs, (50,), generator=draw)
    drawn = random_labels(labels, outputs, (), draw)
    assert not bool((drawn == labels).any())
    assert set(drawn.tolist()) <= set(range(outputs))
    if outputs > 2:
        drawn = random_labels(torch.zeros(50).long(), outputs, (0, 1), draw)
        assert int(drawn.min()) >= 2


def test_random_labels_need_a_class_to_draw():
    with pytest.raises(ValueError, match="no class is left"):
        random_labels(torch.zeros(3).long(), 2, (1,), torch.Generator())


def test_random_label_leaves_the_retain_labels_alone():
    asked = request("class-wise")
    before = asked.forget.labels.clone(), asked.retain.labels.clone()
    run(RandomLabel(epochs=1), trained_convnet(), asked)
    assert torch.equal(asked.forget.labels, before[0])
    assert torch.equal(asked.retain.labels, before[1])


def test_every_epoch_visits_every_sample_once_in_a_new_order():
    trainer = Trainer(Accelerator(), seed=4)
    rounds = list(trainer.epochs(FORGET, cross_entropy, epochs=2, batch_size=10))
    orders = [torch.cat([step[0].positions for step in round_.steps]) for round_ in rounds]
    assert all(sorted(order.tolist()) == list(range(len(FORGET))) for order in orders)
    assert not torch.equal(*orders)


def test_roll_back_without_a_stop_rule_is_refused():
    with pytest.raises(ValueError, match="roll-back"):
        Trainer(Accelerator()).train(convnet(), [], sgd, batch_norm="frozen", roll_back=True)


def test_augmentation_reaches_the_training_batches():
    seen = []

    def augment(images, generator):
        seen.append(len(images))
        return images

    augmented = ImageSet.of_tensors(
        torch.zeros(6, 1, 8, 8, dtype=torch.uint8), torch.arange(6), augment=augment
    )
    one_step(trained_convnet(), [Term(augmented, torch.arange(6), cross_entropy)])
    assert seen == [6]


def masks_of(model, share):
    draw = torch.Generator().manual_seed(0)
    return [torch.rand(p.shape, generator=draw) < share for p in model.parameters()]


@pytest.mark.parametrize("clipped", [None, 0.5])
def test_what_is_not_movable_stays_bitwise_under_momentum_and_weight_decay(clipped):
    model, start = trained_convnet(), trained_convnet()
    movable = masks_of(model, 0.3)
    steps = [[Term(FORGET, positions, cross_entropy)] for positions in torch.arange(30).split(10)]
    Trainer(Accelerator()).train(
        model,
        [Round(steps)],
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
        batch_norm="frozen",
        movable=movable,
        max_grad_norm=clipped,
    )
    for after, before, mask in zip(model.parameters(), start.parameters(), movable, strict=True):
        assert torch.equal(after[~mask], before[~mask])
        assert (after[mask] != before[mask]).all()


def test_a_mask_for_each_trainable_parameter_is_demanded():
    model = trained_convnet()
    with pytest.raises(ValueError, match="one mask of its shape for each trainable parameter"):
        one_step(
            model, [Term(FORGET, torch.arange(3), cross_entropy)], movable=masks_of(model, 1)[1:]
        )


def test_steps_on_any_scalar_are_those_of_the_optimiser():
    model, by_hand = trained_convnet(), trained_convnet()
    trainer = Trainer(Accelerator())
    weight, before = model[-1].weight, by_hand[-1].weight
    values = trainer.steps(model, sgd(model.parameters()), lambda: weight.square().sum(), count=2)
    whole = float(before.square().sum())
    assert values == pytest.approx([whole, 0.8**2 * whole], rel=1e-6)
    torch.testing.assert_close(weight, before * 0.8**2)
    assert trainer.steps_done == 2 and trainer.update_clock.seconds > 0
    with pytest.raises(Diverged, match="at step 3"):
        trainer.steps(model, sgd(model.parameters()), lambda: weight.sum() * torch.inf, count=2)


def test_gradients_come_batch_by_batch_in_evaluation_mode_and_are_counted():
    model = trained_convnet(dropout=0.5).train()
    trainer = Trainer(Accelerator())
    found = list(trainer.gradients(model, FORGET, cross_entropy, batch_size=20))
    images, labels = tensors(FORGET)
    assert [count for _, count in found] == [20, len(FORGET) - 20]
    by_hand = trained_convnet(dropout=0.5).eval()
    nn.functional.cross_entropy(by_hand(images[20:]), labels[20:]).backward()
    for gradient, parameter in zip(found[1][0], by_hand.parameters(), strict=True):
        torch.testing.assert_close(gradient, parameter.grad)
    assert model.training and all(parameter.grad is None for parameter in model.parameters())
    once = {FORGET.kind: len(FORGET)}
    assert trainer.passes.as_dict() == {"forward": once, "backward": once}


def test_gradients_leave_out_what_is_frozen_and_are_zero_for_what_is_unused():
    model = trained_convnet()
    model[0].weight.requires_grad_(False)
    one = lambda logits, batch: model[-1].weight.sum().expand(len(logits))  # noqa: E731
    ((gradients, _),) = Trainer(Accelerator()).gradients(model, FORGET, one, batch_size=99)
    named = [name for name, p in model.named_parameters() if p.requires_grad]
    assert len(gradients) == len(named) and "0.weight" not in named
    assert [name for name, g in zip(named, gradients, strict=True) if g.any()] == ["9.weight"]


def test_every_update_of_a_training_is_watched():
    seen = []

    @contextmanager
    def watch(terms):
        before = model[-1].weight.clone()
        yield
        seen.append((terms[0].positions.tolist(), bool((model[-1].weight != before).any())))

    model = trained_convnet()
    trainer = Trainer(Accelerator(), watch=watch)
    steps = [[Term(FORGET, positions, cross_entropy)] for positions in torch.arange(4).split(2)]
    trainer.train(model, [Round(steps)], sgd, batch_norm="frozen")
    assert seen == [([0, 1], True), ([2, 3], True)]
