"""A loss on the features of a training pass reaches what makes them, and keeps nothing."""

import gc
import weakref

import pytest
import torch
from accelerate import Accelerator
from small_problem import request, tensors, trained_convnet
from torch import nn

from suli_plugin import Session
from suli_plugin.feature_terms import feature_term
from suli_plugin.features import NoFeatures
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import Round


def trained(model, loss, images, **options):
    session = Session(accelerator=Accelerator(cpu=True))
    positions = torch.arange(len(images))
    session.train(
        model,
        [Round([[feature_term(model, images, positions, loss, **options)]])],
        lambda parameters: SGD(parameters, lr=0.1),
        batch_norm="frozen",
    )
    return session


@pytest.mark.parametrize("whole", [False, True])
def test_a_step_is_descent_on_a_loss_of_features_and_logits(whole):
    images, by_hand, model = request("class-wise").forget, trained_convnet(), trained_convnet()
    pixels, _ = tensors(images)
    features = by_hand[:-1](pixels)
    (features.square().sum(1) + by_hand[-1](features)[:, 0]).mean().backward()
    trained(model, lambda seen, logits, _: seen.square().sum(1) + logits[:, 0], images, whole=whole)
    for one, other in zip(model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(one, other - 0.1 * other.grad, rtol=1e-4, atol=1e-6)


def test_a_pass_is_counted_once_and_its_graph_is_let_go():
    images, model, seen = request("class-wise").forget, trained_convnet(), []

    def loss(features, logits, batch):
        seen.append(weakref.ref(features))
        return features.sum(1)

    positions = torch.arange(10)
    terms = [feature_term(model, images, positions, loss) for _ in range(2)]
    session = Session(accelerator=Accelerator(cpu=True))
    session.train(
        model,
        [Round([[term] for term in terms])],
        lambda parameters: SGD(parameters, lr=0.1),
        batch_norm="frozen",
    )
    gc.collect()
    assert [each() for each in seen] == [None, None]
    assert session.passes.forward == session.passes.backward == {"retain": 20}


def test_a_model_without_features_is_refused():
    images = request("class-wise").forget

    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(10))

        def forward(self, pixels):
            return pixels.mean((1, 2, 3))[:, None] * self.scale

    with pytest.raises(NoFeatures, match="the model runs neither"):
        trained(Mean(), lambda features, logits, batch: logits.sum(1), images)
