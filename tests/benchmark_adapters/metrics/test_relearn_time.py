"""Relearn time against a hand-written loop, and the index made of it."""

import copy
import math

import pytest
import torch
from accelerate import Accelerator
from small_problem import convnet, request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.metrics.relearn_time import RelearnTime, anamnesis_index, relearn_time

FORGET = request("class-wise").forget


def forgetful(**options):
    """The trained model with a bias against class 3 that relearning has to undo."""
    model = trained_convnet(**options)
    with torch.no_grad():
        model[-1].bias[3] -= 12
    return model


def measured(model, **options):
    return relearn_time(model, FORGET, FORGET, 1.0, Accelerator(), **options)


def by_hand(model, batch_size, lr, target, seed):
    """Adam on the forget set in the shared loop's order; updates until the accuracy is back."""
    model, updates = copy.deepcopy(model), 0
    images, labels = tensors(FORGET)
    optimizer, draw = torch.optim.Adam(model.parameters(), lr=lr), torch.Generator()
    draw.manual_seed(seed)
    while True:
        for part in torch.randperm(len(labels), generator=draw).split(batch_size):
            model.train()
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[part]), labels[part]).backward()
            optimizer.step()
            updates += 1
            model.eval()
            if float((model(images).argmax(1) == labels).double().mean()) >= target:
                return updates


@pytest.mark.parametrize("batch_size", [10, 256])
def test_it_counts_what_a_loop_written_by_hand_counts(batch_size):
    expected = by_hand(forgetful(), batch_size, 0.01, 0.95, seed=3)
    found = measured(forgetful(), batch_size=batch_size, lr=0.01, seed=3)
    assert found == RelearnTime(expected, reached=True)
    assert expected > 3


def test_a_model_that_forgot_nothing_needs_no_update():
    assert measured(trained_convnet()) == RelearnTime(0, reached=True)


def test_a_wider_margin_is_never_slower():
    times = [measured(forgetful(), lr=0.01, margin=m).updates for m in (0.0, 0.05, 0.3, 0.9, 1.0)]
    assert times == sorted(times, reverse=True) and times[-1] == 0 < times[0]


def test_updates_that_run_out_are_said_to():
    assert measured(convnet(), lr=1e-9, max_updates=7, batch_size=20) == RelearnTime(7, False)


def test_neither_the_model_nor_the_global_random_state_changes():
    model = forgetful(dropout=0.2).train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    before = torch.get_rng_state()
    first, second = (measured(model, max_updates=4, lr=0.01) for _ in range(2))
    assert first == second
    assert torch.equal(torch.get_rng_state(), before) and model.training
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_an_accuracy_in_percent_is_refused():
    with pytest.raises(ValueError, match=r"accuracy in \[0, 1\], got 98"):
        relearn_time(convnet(), FORGET, FORGET, 98, Accelerator())


def test_the_index_is_the_ratio_to_retrain():
    assert anamnesis_index(RelearnTime(5, True), RelearnTime(20, True)) == 0.25
    assert anamnesis_index(RelearnTime(20, True), RelearnTime(20, True)) == 1
    assert anamnesis_index(RelearnTime(0, True), RelearnTime(0, True)) == 1
    assert anamnesis_index(RelearnTime(3, True), RelearnTime(0, True)) == math.inf


@pytest.mark.parametrize("who", ["unlearned", "retrained"])
def test_no_index_is_made_of_updates_that_ran_out(who):
    times = {"unlearned": RelearnTime(5, True), "retrained": RelearnTime(5, True)}
    times[who] = RelearnTime(9, False)
    with pytest.raises(ValueError, match=f"the {who} model had not relearned after 9 updates"):
        anamnesis_index(**times)
