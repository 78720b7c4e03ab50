"""Models that Python can't copy: copied all the same, or refused in one line."""

import threading
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from small_problem import request, trained_convnet
from torch import nn

from suli_plugin import SULI, run
from suli_plugin.evaluation import evaluate
from suli_plugin.session import Session
from suli_plugin.twin import twin_of

METHOD = SULI(sweeps=1, stop="never", lr=0.01)


class Locked(nn.Module):
    """A network as a server has it, with a lock, which Python refuses to copy."""

    def __init__(self, net, slope=0.0):
        super().__init__()
        self.net, self.slope, self.lock = net, slope, threading.Lock()

    def forward(self, images):
        with self.lock:
            return nn.functional.leaky_relu(self.net(images), self.slope)


def locked(**options):
    return Locked(trained_convnet(), **options).eval()


def result(model, request_):
    return run(METHOD, model, request_, accelerator=Accelerator(cpu=True)).model


def asked(fresh_model=None):
    return replace(request("class-wise"), fresh_model=fresh_model)


def test_what_a_forward_pass_left_behind_is_no_obstacle():
    model = trained_convnet()
    model[9] = nn.utils.weight_norm(model[9])
    images = torch.rand(2, 1, 8, 8)
    model(images).sum().backward()
    assert not model[9].weight.is_leaf
    before = {name: value.clone() for name, value in model.state_dict().items()}
    twin, copied = twin_of(model)
    assert copied and torch.equal(twin(images), model(images))
    twin[9].weight_g.data.zero_()
    unlearned = result(model, asked())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not torch.equal(unlearned(images), model(images))


def test_a_model_that_is_rebuilt_is_unlearned_as_its_copy_would_be():
    images = torch.rand(2, 1, 8, 8)
    plain = nn.Sequential(trained_convnet(), nn.ReLU()).eval()
    model = locked()
    model.net[0].weight.requires_grad_(False)
    plain[0][0].weight.requires_grad_(False)
    rebuilt = asked(lambda: Locked(trained_convnet(seed=1)).train())
    unlearned = result(model, rebuilt)
    assert torch.equal(unlearned(images), result(plain, rebuilt)(images))
    assert not unlearned.training and not unlearned.net[0].weight.requires_grad
    assert torch.equal(model(images), plain(images)) and unlearned.lock is not model.lock
    session = Session(Accelerator(cpu=True), construct=rebuilt.fresh_model)
    assert torch.equal(session.twin(unlearned)(images), unlearned(images))


def test_a_model_that_can_not_be_copied_is_refused_in_one_line_that_says_what_helps():
    with pytest.raises(ValueError, match=r"can't be copied \(cannot pickle '_thread.lock'") as got:
        result(locked(), asked())
    assert "pass fresh_model=" in str(got.value) and "\n" not in str(got.value)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Locked(nn.Linear(2, 2)), "fresh_model= makes another architecture: Missing key"),
        (lambda: locked(slope=5.0), "computes something else with the same weights"),
    ],
)
def test_what_is_constructed_must_be_the_original(make, reason):
    with pytest.raises(ValueError, match=reason) as got:
        result(locked(), asked(make))
    assert "\n" not in str(got.value)


def test_what_a_model_remembers_of_its_weights_does_not_outlive_them():
    class Remembering(nn.Module):
        """Computes once from its weights until it is put into training, as LeViT does."""

        def __init__(self):
            super().__init__()
            self.net, self.bias, self.held = trained_convnet(), nn.Parameter(torch.zeros(10)), {}

        def train(self, mode=True):
            if mode:
                self.held = {}
            return super().train(mode)

        def forward(self, images):
            if self.training:
                return self.net(images) + self.bias
            if "bias" not in self.held:
                self.held["bias"] = self.bias * 1
            return self.net(images) + self.held["bias"]

    images, model = torch.rand(2, 1, 8, 8), Remembering().eval()
    model(images)
    unlearned, accelerator = result(model, asked()), Accelerator(cpu=True)
    again = Remembering().eval()
    again.load_state_dict(unlearned.state_dict())
    assert unlearned.bias.abs().max() > 1e-4
    assert torch.equal(unlearned(images), again(images))
    with torch.no_grad():
        unlearned.bias.add_(1)
        again.bias.add_(1)
    one, two = (evaluate(net, asked().forget, accelerator).logits for net in (unlearned, again))
    assert torch.equal(one, two) and torch.allclose(again.held["bias"], again.bias)
