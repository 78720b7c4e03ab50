"""A harness's own loop as a method of ours: what it costs is counted, whatever it does."""

import copy
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import torch
from small_problem import request, trained_convnet
from torch import nn

from benchmark_adapters.harnesses.erasure_methods import WithFeatures
from benchmark_adapters.harnesses.peers import PeerMethod
from suli_plugin import run

BOTH = frozenset({"forget", "retain"})


@dataclass(frozen=True, kw_only=True)
class OwnLoop(PeerMethod):
    """A student, a teacher and some noise, as peers have them."""

    name: ClassVar[str] = "own_loop"
    paper: ClassVar[str] = "a test"
    needs: ClassVar[dict] = {"class-wise": BOTH}
    there: ClassVar[str] = "own_loop"

    def _theirs(self, model, session, outputs):
        teacher = copy.deepcopy(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for kind in ("forget", "retain"):
            for images, labels in self.loader(session, session.granted[kind], _pair):
                optimizer.zero_grad()
                with torch.no_grad():
                    teacher(images)
                nn.functional.cross_entropy(model(images), labels).backward()
                optimizer.step()
        noise = torch.rand(5, 1, 8, 8)
        model(noise).sum().backward()
        return copy.deepcopy(model)


def _pair(image, label):
    return image, label


def test_every_forward_and_backward_pass_of_a_peers_loop_is_counted_by_its_kind_of_data():
    asked = request("class-wise")
    forget, retain = len(asked.forget), len(asked.retain)
    result = run(OwnLoop(), trained_convnet(), asked)
    assert result.passes["forward"] == {"forget": 2 * forget, "retain": 2 * retain, "synthetic": 5}
    assert result.passes["backward"] == {"forget": forget, "retain": retain, "synthetic": 5}


def test_nothing_counts_on_once_the_loop_is_over():
    original = trained_convnet()
    model = run(OwnLoop(), original, request("class-wise")).model
    assert not model._forward_hooks and not original._forward_hooks


def test_erasures_form_of_a_model_shows_its_layers_and_its_mode():
    model = trained_convnet()
    form = WithFeatures(model, SimpleNamespace(logits_of=lambda output: output, device="cpu"))
    assert list(form.children()) == list(model.children())
    assert form.train() is form and model.training and model[1].training
    form.eval()
    assert not model.training and not model[1].training
