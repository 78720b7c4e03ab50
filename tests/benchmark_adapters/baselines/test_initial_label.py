"""Initial Label: an untrained network's labels, which know nothing of the trained one."""

from dataclasses import replace

import pytest
import torch
from characteristic import characteristic
from hypothesis import given
from hypothesis import strategies as st
from small_problem import convnet, request, request_of_two_classes, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines import initial_label
from benchmark_adapters.baselines.initial_label import InitialLabel, initial_labels
from suli_plugin import run


def untrained():
    """A network that the run's seed initialises."""
    return convnet(seed=int(torch.randint(2**31, ())))


def counts(model, seed=0, scope="instance-wise"):
    asked = replace(request(scope), fresh_model=untrained)
    result = run(InitialLabel(epochs=0), model, asked, seed=seed)
    return result.notes["label_counts"]


@given(
    logits=st.lists(st.lists(st.floats(-9, 9), min_size=4, max_size=4), min_size=1, max_size=9),
    forbidden=st.sampled_from([(), (1,), (1, 3)]),
)
def test_a_label_is_the_likeliest_class_that_is_neither_own_nor_forbidden(logits, forbidden):
    logits = torch.tensor(logits)
    own = torch.arange(len(logits)) % 4
    for row, label, chosen in zip(
        logits, own.tolist(), initial_labels(logits, own, forbidden).tolist(), strict=True
    ):
        allowed = [c for c in range(4) if c != label and c not in forbidden]
        assert chosen in allowed
        assert row[chosen] == max(row[c] for c in allowed)


def own_labels(logits, labels, forbidden):
    return labels


@characteristic(lambda patch: patch.setattr(initial_label, "initial_labels", own_labels))
def test_labels_do_not_depend_on_the_trained_weights_and_follow_the_seed():
    assert counts(trained_convnet()) == counts(convnet(seed=5)) == counts(trained_convnet())
    assert len({tuple(counts(trained_convnet(), seed)) for seed in range(5)}) > 1


def test_forgotten_classes_are_nobodys_label():
    wanted = request_of_two_classes()
    for seed in range(5):
        result = run(
            InitialLabel(epochs=0), trained_convnet(), replace(wanted, fresh_model=untrained),
            seed=seed,
        )  # fmt: skip
        counted = result.notes["label_counts"]
        assert counted[3] == counted[5] == 0
        assert sum(counted) == len(wanted.forget)


def test_labels_of_another_forgotten_class_would_be_likely():
    labels, logits = torch.tensor([0, 1]), torch.tensor([[1.0, 9.0, 2.0], [9.0, 1.0, 2.0]])
    assert initial_labels(logits, labels, ()).tolist() == [1, 0]
    assert initial_labels(logits, labels, (0, 1)).tolist() == [2, 2]


def test_soft_labels_are_the_untrained_distribution():
    wanted = request("instance-wise")
    images, _ = tensors(wanted.forget)
    asked = replace(wanted, fresh_model=lambda: convnet(seed=7))
    with torch.no_grad():
        target = convnet(seed=7).eval()(images).softmax(1)
        student = trained_convnet()(images).log_softmax(1)
    expected = nn.functional.kl_div(student, target, reduction="batchmean")
    result = run(
        InitialLabel(labels="soft", epochs=1, batch_size=1000, batch_norm="frozen"),
        trained_convnet(),
        asked,
    )
    assert result.history[0].loss == pytest.approx(float(expected), rel=1e-4)
    assert "label_counts" not in result.notes


@pytest.mark.parametrize("labels", ["hard", "soft"])
def test_it_forgets_a_class(labels):
    method = InitialLabel(labels=labels, epochs=50, lr=1e-3)
    result = run(method, trained_convnet(), request("class-wise"))
    assert result.history[-1].forget_accuracy < 0.2


def test_no_class_left_is_said():
    with pytest.raises(ValueError, match="no class is left to label with: 2 outputs"):
        initial_labels(torch.zeros(1, 2), torch.tensor([0]), (1,))
