"""CF-k: the last layers learn, all before them stays as it is."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from characteristic import characteristic
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problem import request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines import cf_k
from benchmark_adapters.baselines.cf_k import CFk
from benchmark_adapters.baselines.finetune import FineTune
from suli_plugin import ForgetRequest, run
from suli_plugin.request import SCOPES

# Where each of the network's three layers begins in its state.
FIRST_KEYS = ("0.weight", "3.weight", "9.weight")


def only_retain(scope="class-wise"):
    return ForgetRequest(retain=request(scope).retain)


@pytest.mark.parametrize("batch_norm", ["update", "frozen"])
def test_epochs_are_those_of_a_plain_loop(batch_norm):
    wanted, by_hand = only_retain(), trained_convnet()
    images, labels = tensors(wanted.retain)
    learning = [*by_hand[3:].parameters()]
    optimizer = torch.optim.SGD(learning, lr=0.1, momentum=0.9, weight_decay=5e-5)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(
        optimizer, T_0=1, T_mult=2, eta_min=0.005
    )
    by_hand.eval()
    by_hand[4].train(batch_norm == "update")
    for _ in range(5):
        loss = nn.functional.cross_entropy(by_hand(images), labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learning, 0.05)
        optimizer.step()
        scheduler.step()
    method = CFk(layers=2, epochs=5, batch_size=1000, max_grad_norm=0.05, batch_norm=batch_norm)
    ours = run(method, trained_convnet(), wanted).model.state_dict()
    for name, value in by_hand.state_dict().items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-6)


def all_learn(patch):
    patch.setattr(cf_k, "trained_alone", lambda *_: nullcontext())


@characteristic(all_learn)
@settings(deadline=None, max_examples=6)
@given(st.integers(1, 3), st.sampled_from(["update", "keep", "frozen"]))
def test_all_before_the_last_layers_stays_bitwise(layers, batch_norm):
    before = trained_convnet().state_dict()
    method = CFk(layers=layers, epochs=2, batch_norm=batch_norm)
    result = run(method, trained_convnet(), only_retain())
    learning = False
    for name, value in result.model.state_dict().items():
        learning = learning or name == FIRST_KEYS[-layers]
        if not learning:
            assert torch.equal(value, before[name]), name
        elif value.dim() and not ("running" in name and batch_norm != "update"):
            assert not torch.equal(value, before[name]), name
    assert result.notes == {"layers": layers}
    assert all(parameter.requires_grad for parameter in result.model.parameters())


def test_with_more_layers_than_there_are_it_is_fine_tuning():
    recipe = {"epochs": 2, "batch_size": 64, "lr": 0.02, "weight_decay": 5e-5}
    method = CFk(layers=50, lowest_share=1.0, max_grad_norm=None, **recipe)
    ours = run(method, trained_convnet(), only_retain())
    theirs = run(FineTune(**recipe), trained_convnet(), only_retain()).model.state_dict()
    assert ours.notes == {"layers": 3}
    assert all(torch.equal(value, theirs[name]) for name, value in ours.model.state_dict().items())


@given(st.integers(0, 70))
def test_the_rate_is_that_of_cosine_cycles_of_doubling_length(epoch):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    restarts = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(
        optimizer, T_0=1, T_mult=2, eta_min=0.005
    )
    for _ in range(epoch):
        optimizer.step()
        restarts.step()
    (rate,) = restarts.get_last_lr()
    assert 0.1 * cf_k._share(epoch, 0.05) == pytest.approx(rate, abs=1e-9)


def test_it_reads_the_retain_set_alone_and_the_official_values_are_the_defaults():
    for scope in SCOPES:
        assert CFk().resources(scope) == {"retain"}
        assert CFk.preset("official", scope) == CFk()
    assert replace(CFk(), layers=50).layers == 50
    values = (CFk().layers, CFk().epochs, CFk().lr, CFk().max_grad_norm, CFk().weight_decay)
    assert values == (10, 30, 0.1, 10.0, 5e-5)
