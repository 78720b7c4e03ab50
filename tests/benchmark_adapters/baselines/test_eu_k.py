"""EU-k: the last layers are made anew and trained, all before them stays as it is."""

from dataclasses import replace

import pytest
import torch
from characteristic import characteristic
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problem import convnet, request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.baselines import eu_k
from benchmark_adapters.baselines.eu_k import EUk, make_anew
from suli_plugin import ForgetRequest, run
from suli_plugin.last_layers import last_layers


def asked(fresh=convnet):
    return ForgetRequest(retain=request("class-wise").retain, fresh_model=fresh)


@pytest.mark.parametrize("batch_norm", ["update", "frozen"])
def test_epochs_are_those_of_a_plain_loop_from_new_layers(batch_norm):
    wanted, by_hand, fresh = asked(lambda: convnet(seed=4)), trained_convnet(), convnet(seed=4)
    images, labels = tensors(wanted.retain)
    by_hand[3].weight.data = fresh[3].weight.data.clone()
    by_hand[4] = fresh[4]
    by_hand[9] = fresh[9]
    learning = [*by_hand[3:].parameters()]
    optimizer = torch.optim.SGD(learning, lr=0.1, momentum=0.9, weight_decay=5e-5)
    by_hand.eval()
    by_hand[4].train(batch_norm == "update")
    for rate in (0.1, 0.1, 0.0525):
        optimizer.param_groups[0]["lr"] = rate
        loss = nn.functional.cross_entropy(by_hand(images), labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learning, 10.0)
        optimizer.step()
    method = EUk(layers=2, epochs=3, batch_size=1000, batch_norm=batch_norm)
    ours = run(method, trained_convnet(), wanted).model.state_dict()
    for name, value in by_hand.state_dict().items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-6)


def nothing_anew(patch):
    patch.setattr(eu_k, "make_anew", lambda *_: None)


@characteristic(nothing_anew)
@settings(deadline=None, max_examples=5)
@given(st.integers(1, 3), st.floats(-2, 2))
def test_nothing_of_the_originals_last_layers_is_left(layers, shift):
    method = EUk(layers=layers, epochs=1)
    one = run(method, trained_convnet(), asked(lambda: convnet(seed=4))).model.state_dict()
    other = trained_convnet()
    for layer in last_layers(other, layers):
        for value in [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]:
            value.data = (value.data + 3 + shift).to(value.dtype)
    two = run(method, other, asked(lambda: convnet(seed=4))).model.state_dict()
    assert all(torch.equal(one[name], value) for name, value in two.items())


def test_with_all_layers_the_original_does_not_matter():
    one, other = (
        run(EUk(layers=9, epochs=1), model, asked(lambda: convnet(seed=4))).model.state_dict()
        for model in (trained_convnet(), trained_convnet(seed=1))
    )
    assert all(torch.equal(one[name], value) for name, value in other.items())


@pytest.mark.parametrize("name", ["cifar_resnet20", "torchvision/resnet18"])
def test_layers_deep_in_a_network_are_made_anew_and_no_others(name):
    model, untrained = build_architecture(name, 10), build_architecture(name, 10)
    for value in [*model.parameters(), *model.buffers()]:
        value.data = torch.full_like(value, 7)
    make_anew(last_layers(model, 6), model, untrained)
    anew = {id(layer) for layer in last_layers(model, 6)}
    changed = 0
    for (where, layer), twin in zip(model.named_modules(), untrained.modules(), strict=True):
        for key, value in [
            *layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)
        ]:  # fmt: skip
            expected = getattr(twin, key) if id(layer) in anew else torch.full_like(value, 7)
            assert torch.equal(value, expected), (where, key)
            changed += id(layer) in anew
    assert changed > 10


def test_what_the_caller_froze_is_not_made_anew():
    model = trained_convnet()
    for parameter in model[3:5].parameters():
        parameter.requires_grad_(False)
    after = run(EUk(layers=2, epochs=1, batch_norm="keep"), model, asked()).model.state_dict()
    for name, value in trained_convnet().state_dict().items():
        assert torch.equal(after[name], value) == (not name.startswith("9")), name


def test_fresh_models_are_declared_and_an_epoch_is_the_least():
    assert EUk().resources("instance-wise") == {"retain", "fresh_model"}
    assert EUk.preset("official", "class-wise") == EUk() and EUk().epochs == 62
    with pytest.raises(ValueError, match="epochs must be at least 1"):
        replace(EUk(), epochs=0)
