"""MU-Mis: sensitivity to the label's logit falls, that to others rises, and that ends it."""

import pytest
import torch
from accelerate import Accelerator
from characteristic import characteristic
from hypothesis import given
from hypothesis import strategies as st
from small_problem import request, request_of_two_classes, tensors, trained_convnet

from benchmark_adapters.baselines import mu_mis
from benchmark_adapters.baselines.mu_mis import MUMis, irrelevant_sensitivity, other_classes
from suli_plugin import Session, evaluate, run

FORGET = request("class-wise").forget


def classes_other_than(labels, forbidden, generator):
    weights = torch.ones(len(labels), 10)
    weights[:, forbidden] = 0
    weights[torch.arange(len(labels)), labels] = 0
    return torch.multinomial(weights, 1, generator=generator).squeeze(1)


def squared_norms(model, images, classes):
    """One gradient of one logit by one image at a time."""
    for image, label in zip(images, classes, strict=True):
        image = image[None].clone().requires_grad_()
        (gradient,) = torch.autograd.grad(model(image)[0, label], image, create_graph=True)
        yield gradient.square().sum()


def mean_sensitivity(model, images, classes):
    return float(sum(norm.detach() for norm in squared_norms(model.eval(), images, classes))) / len(
        images
    )


@pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])
def test_two_epochs_are_those_of_a_plain_loop(scope):
    wanted = request(scope, count=30)
    images, labels = tensors(wanted.forget)
    by_hand, generator = trained_convnet().eval(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=1e-3)
    forbidden = [3] if scope == "class-wise" else []
    watched = classes_other_than(labels, forbidden, generator)
    means = [mean_sensitivity(by_hand, images, watched)]
    for _ in range(2):
        others = classes_other_than(labels, forbidden, generator)
        torch.randperm(len(images), generator=generator)
        own = sum(squared_norms(by_hand, images, labels))
        other = sum(squared_norms(by_hand, images, others))
        optimizer.zero_grad()
        ((own - other) / len(images)).backward()
        optimizer.step()
        means.append(mean_sensitivity(by_hand, images, watched))
    result = run(MUMis(epochs=2, lr=1e-3, rise=5.0), trained_convnet(), wanted)
    for one, other in zip(result.model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    assert result.notes["irrelevant_sensitivity"] == pytest.approx(means, rel=1e-4)


def test_a_step_with_batch_statistics_is_that_of_a_plain_loop():
    images, labels = tensors(FORGET)
    by_hand, generator = trained_convnet().train(), torch.Generator().manual_seed(0)
    classes_other_than(labels, [3], generator)
    others = classes_other_than(labels, [3], generator)
    order = torch.randperm(len(images), generator=generator)
    images = images[order].requires_grad_()
    logits, loss = by_hand(images), 0
    for sign, classes in ((1, labels[order]), (-1, others[order])):
        picked = logits.gather(1, classes[:, None]).sum()
        (gradient,) = torch.autograd.grad(picked, images, create_graph=True)
        loss = loss + sign * gradient.square().sum() / len(images)
    gradients = torch.autograd.grad(loss, list(by_hand.parameters()), allow_unused=True)
    method = MUMis.preset("torchunlearn", "class-wise")
    ours = run(method, trained_convnet(), request("class-wise")).model
    for one, other, slope in zip(ours.parameters(), by_hand.parameters(), gradients, strict=True):
        moved = other if slope is None else other - 1e-4 * slope
        torch.testing.assert_close(one, moved, rtol=1e-4, atol=1e-6)
    for one, other in zip(ours.buffers(), by_hand.buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def only_the_irrelevant_term(patch):
    of_class = mu_mis.of_class
    patch.setattr(
        mu_mis,
        "of_class",
        lambda logits, classes: of_class(logits, classes) * (classes != 3).to(logits),
    )


@characteristic(only_the_irrelevant_term)
def test_sensitivity_of_the_labels_logit_falls_and_that_of_others_rises():
    wanted = request("class-wise")
    images, labels = tensors(wanted.forget)
    others = classes_other_than(labels, [3], torch.Generator().manual_seed(5))
    after = run(MUMis(epochs=10, lr=1e-3, stop="never"), trained_convnet(), wanted).model
    before = trained_convnet()
    assert mean_sensitivity(after, images, labels) < 0.8 * mean_sensitivity(before, images, labels)
    assert mean_sensitivity(after, images, others) > mean_sensitivity(before, images, others)


def test_it_forgets_a_class_and_stops_by_the_irrelevant_sensitivity():
    wanted = request("class-wise")
    result = run(MUMis(lr=1e-3, rise=1.5), trained_convnet(), wanted)
    means = result.notes["irrelevant_sensitivity"]
    assert result.stop_reason == "irrelevant sensitivity risen"
    assert means[-1] > 2.5 * means[0] >= max(means[:-1])
    assert len(means) == len(result.history) + 1 < 101
    assert evaluate(result.model, wanted.forget, Accelerator()).accuracy() < 0.1


@given(means=st.lists(st.floats(0.01, 100), min_size=2, max_size=6), rise=st.floats(0, 3))
def test_it_stops_above_the_start_and_never_on_the_way_down(means, rise):
    assert MUMis(rise=rise)._risen(means) == (means[-1] > (1 + rise) * means[0])
    assert not MUMis(rise=rise)._risen(sorted(means, reverse=True))


def test_the_measure_is_the_mean_over_the_set_whatever_the_batches():
    images, labels = tensors(FORGET)
    others = (labels + 1) % 10
    session = Session(accelerator=Accelerator(cpu=True), granted={"forget": FORGET})
    by_hand = mean_sensitivity(trained_convnet(), images, others)
    for size in (7, 100):
        got = irrelevant_sensitivity(trained_convnet(), others, size, session)
        assert got == pytest.approx(by_hand, rel=1e-4)


def test_other_classes_are_neither_the_samples_own_nor_forgotten():
    wanted = request_of_two_classes()
    session = Session(
        accelerator=Accelerator(cpu=True),
        granted={"forget": wanted.forget},
        forget_classes=(3, 5),
        forgotten_before=(7,),
    )
    drawn = torch.stack([other_classes(10, session) for _ in range(20)])
    assert set(drawn.unique().tolist()) == {0, 1, 2, 4, 6, 8, 9}


def test_passes_count_the_gradients_by_the_images():
    size = len(FORGET)
    result = run(MUMis(epochs=2, lr=1e-6), trained_convnet(), request("class-wise"))
    # One image tells the number of outputs; three measures, two epochs.
    assert result.passes == {
        "forward": {"forget": 1 + (3 + 2) * size},
        "backward": {"forget": (3 + 2 * 3) * size},
    }
