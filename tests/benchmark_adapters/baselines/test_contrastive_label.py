"""Contrastive labels: a stage that loses the forget set, and one that distils what is kept."""

from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from characteristic import characteristic
from hypothesis import given
from hypothesis import strategies as st
from small_problem import request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines import contrastive_label
from benchmark_adapters.baselines.contrastive_label import ContrastiveLabel, contrastive_labels
from suli_plugin import evaluate, run

QUICK = ContrastiveLabel(epochs=3, forget_epochs=8, batch_size=16)


def accuracy(model, images):
    return evaluate(model, images, Accelerator()).accuracy()


@pytest.mark.parametrize("contrast", ["uniform", "least_likely"])
@pytest.mark.parametrize("batch_norm", ["update", "frozen"])
def test_both_stages_are_those_of_a_plain_loop(contrast, batch_norm):
    wanted, by_hand, original = request("class-wise"), trained_convnet(), trained_convnet()
    (forget, _), (retain, labels) = tensors(wanted.forget), tensors(wanted.retain)
    others = [label for label in range(10) if label != 3]
    with torch.no_grad():
        of_forget, of_retain = original(forget), original(retain)[:, others]
    targets = torch.zeros(len(forget), 10)
    if contrast == "uniform":
        targets[:, others] = 1 / 9
    else:
        least = of_forget[:, others].argmin(1)
        targets[torch.arange(len(forget)), torch.tensor(others)[least]] = 1
    soft = torch.zeros(len(retain), 10)
    soft[:, others] = (of_retain / 3).softmax(1)
    by_hand.train(batch_norm == "update")

    def stage(lr, loss_of):
        optimizer = torch.optim.SGD(by_hand.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4)
        for _ in range(2):
            optimizer.zero_grad()
            loss_of().backward()
            optimizer.step()

    def lost():
        return nn.functional.kl_div(by_hand(forget).log_softmax(1), targets, reduction="batchmean")

    def kept():
        logits = by_hand(retain)
        distance = nn.functional.kl_div((logits / 3).log_softmax(1), soft, reduction="batchmean")
        return 0.4 * nn.functional.cross_entropy(logits, labels) + 0.6 * 9 * distance

    stage(0.005, lost)
    stage(0.01, kept)
    method = ContrastiveLabel(
        epochs=2, forget_epochs=2, batch_size=1000, lr=0.01, forget_lr=0.005, contrast=contrast,
        alpha=0.4, beta=0.6, temperature=3.0, batch_norm=batch_norm,
    )  # fmt: skip
    ours = run(method, trained_convnet(), wanted).model.state_dict()
    for name, value in by_hand.state_dict().items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-6)


def own_labels(patch):
    def own(labels, logits, forbidden, contrast):
        return nn.functional.one_hot(labels, logits.shape[1]).float()

    patch.setattr(contrastive_label, "contrastive_labels", own)


@characteristic(own_labels)
def test_the_first_stage_loses_the_class_and_the_second_brings_the_others_back():
    wanted = request("class-wise")
    first = run(replace(QUICK, epochs=0), trained_convnet(), wanted).model
    assert accuracy(first, wanted.forget) < 0.5
    both = run(QUICK, trained_convnet(), wanted).model
    assert accuracy(both, wanted.forget) < 0.2
    assert accuracy(both, wanted.retain) > max(0.98, accuracy(first, wanted.retain))


def test_the_second_stage_alone_has_nothing_to_distil_at_first():
    wanted = request("instance-wise")
    method = ContrastiveLabel(
        epochs=1, forget_epochs=0, batch_size=1000, alpha=0, batch_norm="frozen"
    )
    (entry,) = run(method, trained_convnet(), wanted).history
    assert abs(entry.loss) < 1e-5
    (entry,) = run(replace(method, alpha=0.5), trained_convnet(), wanted).history
    losses = evaluate(trained_convnet(), wanted.retain, Accelerator()).losses()
    assert entry.loss == pytest.approx(0.5 * float(losses.mean()), abs=1e-5)


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=6),
    st.sets(st.integers(0, 4), max_size=3),
    st.sampled_from(["uniform", "least_likely"]),
)
def test_contrastive_labels_name_neither_the_own_class_nor_forbidden_ones(
    labels, forbidden, contrast
):
    logits = torch.randn(len(labels), 5, generator=torch.Generator().manual_seed(0))
    logits[:, sorted(forbidden)] = -torch.inf
    made = contrastive_labels(torch.tensor(labels), logits, sorted(forbidden), contrast)
    torch.testing.assert_close(made.sum(1), torch.ones(len(labels)))
    for row, label, scores in zip(made, labels, logits, strict=True):
        allowed = [other for other in range(5) if other not in {*forbidden, label}]
        named = torch.where(row > 0)[0].tolist()
        lowest = min(allowed, key=lambda other: float(scores[other]))
        assert named == (allowed if contrast == "uniform" else [lowest])


def test_a_sample_that_no_class_is_left_for_is_refused():
    with pytest.raises(ValueError, match="every class of a sample is suppressed"):
        contrastive_labels(torch.tensor([0]), torch.zeros(1, 3), [1, 2], "uniform")
