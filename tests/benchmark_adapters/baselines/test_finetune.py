"""Fine-tune: further training on the retain set alone."""

import torch
from accelerate import Accelerator
from characteristic import characteristic
from small_problem import request, tensors, trained_convnet
from torch.nn.functional import cross_entropy

from benchmark_adapters.baselines import finetune
from benchmark_adapters.baselines.finetune import FineTune
from suli_plugin import ForgetRequest, evaluate, run

WHOLE = {"batch_size": 1000, "batch_norm": "frozen", "lr": 1e-3}


def uphill(logits, batch):
    return -cross_entropy(logits, batch.labels, reduction="none")


@characteristic(lambda patch: patch.setattr(finetune, "cross_entropy", uphill))
def test_the_loss_of_retained_images_falls_from_epoch_to_epoch():
    retain = request("class-wise").retain
    losses = [
        float(evaluate(run(FineTune(epochs=epochs, **WHOLE), trained_convnet(),
                           ForgetRequest(retain=retain)).model,
                       retain, Accelerator(cpu=True)).losses().mean())
        for epochs in range(4)
    ]  # fmt: skip
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0]


def test_a_step_is_descent_on_the_retain_set():
    wanted, by_hand = request("instance-wise"), trained_convnet()
    images, labels = tensors(wanted.retain)
    cross_entropy(by_hand(images), labels).backward()
    ours = run(FineTune(epochs=1, weight_decay=0.1, **WHOLE), trained_convnet(), wanted)
    for one, other in zip(ours.model.parameters(), by_hand.parameters(), strict=True):
        expected = other - 1e-3 * (other.grad + 0.1 * other)
        torch.testing.assert_close(one, expected, rtol=1e-4, atol=1e-6)
    assert ours.passes["forward"].keys() == {"retain"}
