"""One update: what a projection leaves of the gradient is what the optimiser gets."""

import pytest
import torch
from accelerate import Accelerator
from small_problem import request, tensors, trained_convnet
from torch import nn

from suli_plugin import Session
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import cross_entropy


def test_an_optimiser_gets_what_a_projection_leaves_of_the_gradient():
    model, by_hand = trained_convnet(), trained_convnet()
    forget = request("class-wise").forget
    images, labels = tensors(forget)
    nn.functional.cross_entropy(by_hand(images), labels).backward()
    session = Session(accelerator=Accelerator(cpu=True))
    first, *others = by_hand.parameters()
    projections = [lambda gradient: gradient * 0.5, *[torch.zeros_like] * len(others)]
    session.train(
        model,
        session.epochs(forget, cross_entropy, epochs=1, batch_size=1000),
        lambda parameters: SGD(parameters, lr=0.1),
        batch_norm="frozen",
        max_grad_norm=0.01,
        projections=projections,
    )
    (first, *others), (expected, *same) = model.parameters(), by_hand.parameters()
    # Clipped afterwards: the gradients that were taken away have no part in the norm.
    step = expected.grad * min(0.5, 0.01 / float(expected.grad.norm()))
    torch.testing.assert_close(first, expected - 0.1 * step, rtol=1e-4, atol=1e-7)
    assert all(torch.equal(one, other) for one, other in zip(others, same, strict=True))


def test_a_projection_for_each_trainable_parameter_is_demanded():
    session = Session(accelerator=Accelerator(cpu=True))
    rounds = session.epochs(request("class-wise").forget, cross_entropy, epochs=1, batch_size=50)
    with pytest.raises(ValueError, match="one projection for each trainable parameter"):
        session.train(
            trained_convnet(),
            rounds,
            lambda parameters: SGD(parameters, lr=0.1),
            batch_norm="frozen",
            projections=[torch.zeros_like],
        )
