"""NegGrad: ascent on the forget set."""

import pytest
import torch
from accelerate import Accelerator
from characteristic import characteristic
from small_problem import request, tensors, trained_convnet
from torch.nn.functional import cross_entropy

from benchmark_adapters.baselines import neg_grad
from benchmark_adapters.baselines.neg_grad import NegGrad
from suli_plugin import evaluate, run

LR = 1e-5
STEP = {"epochs": 1, "batch_size": 1000, "batch_norm": "frozen", "stop": "never", "lr": LR}


def downhill(logits, batch):
    return cross_entropy(logits, batch.labels, reduction="none")


@characteristic(lambda patch: patch.setattr(neg_grad, "_ascent", downhill))
def test_a_small_step_raises_the_loss_by_the_rate_times_the_squared_gradient():
    wanted, by_hand = request("instance-wise"), trained_convnet()
    images, labels = tensors(wanted.forget)
    before = cross_entropy(by_hand(images), labels)
    before.backward()
    squared = sum(weight.grad.square().sum().item() for weight in by_hand.parameters())
    after = run(NegGrad(max_grad_norm=1e9, **STEP), trained_convnet(), wanted).model
    for one, other in zip(after.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(one, other + LR * other.grad, rtol=1e-5, atol=1e-7)
    losses = evaluate(after, wanted.forget, Accelerator(cpu=True)).losses().double()
    rise = losses.mean().item() - before.item()
    assert rise == pytest.approx(LR * squared, rel=0.1)
