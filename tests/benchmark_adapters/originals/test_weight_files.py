"""Reading weights: nothing is run, nothing is guessed, nothing is left over."""

import hashlib
import os
import pickle

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from original_layouts_example import pickled
from torch import nn

from benchmark_adapters.originals.weight_files import load_weights, read_weights, rounded


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


STATE = network().state_dict()
SAFE = safetensors.torch.save(STATE)


class Malicious:
    def __reduce__(self):
        return (os.system, ("touch pwned",))


@pytest.mark.parametrize("value", [Malicious(), {"state_dict": Malicious()}, {"w": Malicious()}])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_malicious_pickle_is_refused_and_not_run(value, legacy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = pickled(value, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ValueError, match=r"evil\.bin is not .*GLOBAL posix\.system") as got:
        read_weights(data, "evil.bin")
    assert "\n" not in str(got.value) and "weights_only" not in str(got.value)
    plain = pickle.dumps(value)
    with pytest.raises(ValueError, match=r"not a file of weights alone.*Unsupported"):
        read_weights(plain, "evil.th")
    assert list(tmp_path.iterdir()) == []


def test_pickles_are_refused_under_a_torch_that_can_be_made_to_run_them(monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
    with pytest.raises(ValueError, match="CVE-2025-32434"):
        read_weights(pickled(dict(STATE)), "model.bin")
    assert read_weights(SAFE, "model.safetensors").state.keys() == STATE.keys()


@pytest.mark.parametrize("name", ["model.safetensors", "model.bin", "model.th"])
def test_the_hash_is_compared_before_anything_is_parsed(name):
    data = b"not weights at all"
    with pytest.raises(ValueError, match=f"{name} has sha256 .*, expected {'0' * 64}"):
        read_weights(data, name, sha256="0" * 64)


def test_the_hash_is_the_files():
    weights = read_weights(SAFE, "a.safetensors", sha256=hashlib.sha256(SAFE).hexdigest().upper())
    assert weights.sha256 == hashlib.sha256(SAFE).hexdigest()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, len(SAFE) - 1))
def test_a_truncated_safetensors_is_said(length):
    with pytest.raises(ValueError, match=r"m\.safetensors is not a whole safetensors") as got:
        read_weights(SAFE[:length], "m.safetensors")
    assert "\n" not in str(got.value)


BIN = pickled(dict(STATE))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, len(BIN) - 1))
def test_a_truncated_pickle_is_said(length):
    with pytest.raises(ValueError, match="not a whole file of weights") as got:
        read_weights(BIN[:length], "m.bin")
    assert "\n" not in str(got.value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([1, 2], "holds list, expected a state dict"),
        ({}, "holds dict, expected a state dict"),
        ({"epoch": 3}, r"holds 'epoch' \(int\), expected a state dict"),
        ({"model": "resnet18", "acc": 0.9}, r"holds 'model' \(str\), 'acc' \(float\), expected"),
        ({"weights_of": dict(STATE)}, r"holds 'weights_of' \(dict\), expected a state dict"),
        ({0: torch.zeros(1)}, r"holds 0 \(Tensor\), expected a state dict"),
        (
            {"model": dict(STATE), "net": dict(STATE)},
            "several state dicts, under 'model' and 'net'",
        ),
    ],
)
def test_a_pickle_of_something_else_is_said_with_how_to_save_the_weights_alone(value, reason):
    with pytest.raises(ValueError, match=reason) as got:
        read_weights(pickled(value), "run/best.pth.tar")
    assert "save the weights alone" in str(got.value) and "\n" not in str(got.value)
    assert "torch.save(model.state_dict(), 'best-weights.pth')" in str(got.value)


def test_a_whole_model_and_a_namespace_are_refused_with_how_to_save_the_weights_alone():
    from argparse import Namespace

    for value in (network(), {"state_dict": dict(STATE), "args": Namespace(lr=0.1)}):
        with pytest.raises(ValueError, match=r"not a file of weights alone.*GLOBAL") as got:
            read_weights(pickled(value), "model_best.pt")
        assert "torch.save(model.state_dict(), 'model_best-weights.pth')" in str(got.value)


@pytest.mark.parametrize(
    "place",
    ["state_dict", "model", "net", "model_state_dict", "network", ("model", "state_dict")],
)
def test_weights_are_found_beside_what_a_training_script_saves_too(place):
    held = dict(STATE)
    for name in reversed([place] if isinstance(place, str) else place):
        held = {"epoch": 90, name: held, "optimizer": {"state": {0: torch.zeros(1)}}, "acc": 91.7}
    state = read_weights(pickled(held), "checkpoint.pth.tar").state
    assert state.keys() == STATE.keys()
    assert all(torch.equal(state[key], STATE[key]) for key in STATE)


def test_missing_unexpected_and_misshapen_weights_are_named_at_once():
    state = {key: value for key, value in STATE.items() if not key.startswith("1.")}
    state |= {
        "3.weight": torch.zeros(5, 4),
        "extra": torch.zeros(1),
        "0.bias": torch.zeros(4).int(),
    }
    weights = read_weights(safetensors.torch.save(state), "m.safetensors")
    model = network()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError, match="the weights do not fit the net; ") as got:
        load_weights(model, weights, "the net")
    assert "missing: 1.weight, 1.bias, 1.running_mean and 2 more" in str(got.value)
    assert "unexpected: extra" in str(got.value)
    assert "3.weight is (5, 4) float32 instead of (2, 4) float32" in str(got.value)
    assert "0.bias is (4,) int32 instead of (4,) float32" in str(got.value)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_only_old_pickles_may_lack_the_count_of_batches():
    old = {key: value for key, value in STATE.items() if "num_batches" not in key}
    model = network()
    load_weights(model, read_weights(pickled(old), "m.th"), "the net")
    assert torch.equal(model[0].weight, STATE["0.weight"])
    with pytest.raises(ValueError, match=r"missing: 1\.num_batches_tracked"):
        load_weights(network(), read_weights(safetensors.torch.save(old), "m.safetensors"), "x")


@pytest.mark.parametrize("other", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32_and_what_that_rounds_is_counted(other):
    state = {k: v.to(other) if v.is_floating_point() else v for k, v in STATE.items()}
    model, weights = network(), read_weights(safetensors.torch.save(state), "model.safetensors")
    load_weights(model, weights, "the net")
    assert torch.equal(model[0].weight, state["0.weight"].float())
    assert rounded(weights, model) == []


def test_double_precision_that_float32_has_only_nearly_is_named():
    state = {**STATE, "0.weight": STATE["0.weight"].double() + 1e-12}
    model, weights = network(), read_weights(safetensors.torch.save(state), "m.safetensors")
    load_weights(model, weights, "the net")
    assert rounded(weights, model) == ["0.weight"]
    assert torch.equal(model[0].weight, state["0.weight"].float())
