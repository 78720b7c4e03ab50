"""UGradSL+: the same steps, along the retain set."""

from itertools import islice

import pytest
import torch
from characteristic import characteristic
from small_problem import request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines import ugradsl
from benchmark_adapters.baselines.ugradsl import UGradSL
from benchmark_adapters.baselines.ugradsl_plus import UGradSLPlus
from suli_plugin import run


def cycled(count, size, draw):
    while True:
        yield from torch.randperm(count, generator=draw).split(size)


@pytest.mark.parametrize("batch_norm", ["update", "frozen"])
def test_an_epoch_is_that_of_a_plain_loop(batch_norm):
    wanted, by_hand = request("class-wise"), trained_convnet()
    (forget, lost), (retain, kept) = tensors(wanted.forget), tensors(wanted.retain)
    draw = torch.Generator().manual_seed(0)
    order = torch.randperm(len(kept), generator=draw).split(100)
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)
    by_hand.train(batch_norm == "update")
    for rows, at in zip(order, islice(cycled(len(lost), 100, draw), len(order)), strict=True):
        loss = 0.9 * nn.functional.cross_entropy(by_hand(retain[rows]), kept[rows])
        log_p = by_hand(forget[at]).log_softmax(1)
        own = 1.3 * -log_p[torch.arange(len(at)), lost[at]]
        loss = loss - 0.1 * (own - 0.3 / 10 * -log_p.sum(1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    method = UGradSLPlus(epochs=1, batch_size=100, alpha=-0.3, batch_norm=batch_norm)
    ours = run(method, trained_convnet(), wanted).model.state_dict()
    for name, value in by_hand.state_dict().items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-6)


def not_smoothed(patch):
    def own(labels, outputs, alphas, forbidden):
        return nn.functional.one_hot(labels, outputs).float()

    patch.setattr(ugradsl, "smoothed_labels", own)


@characteristic(not_smoothed)
def test_a_negative_rate_raises_the_other_classes_evenly():
    """Of forget images; plain ascent moves their label's share to whatever comes next."""
    wanted = request("class-wise")
    images, _ = tensors(wanted.forget)
    others = [label for label in range(10) if label != 3]

    def spread(alpha):
        method = UGradSLPlus(epochs=4, batch_size=32, alpha=alpha, lr=3e-3)
        rest = run(method, trained_convnet(), wanted).model(images)[:, others].softmax(1)
        return float(-(rest * rest.log()).sum(1).mean().detach())

    assert spread(-1.0) > spread(0.0) + 0.1


def test_an_epoch_goes_along_the_retain_set():
    wanted = request("class-wise")
    ours = run(UGradSLPlus(epochs=2, batch_size=32, alpha=-0.1), trained_convnet(), wanted)
    assert ours.passes["backward"]["retain"] == 2 * len(wanted.retain)
    assert ours.history[-1].step == 2 * -(-len(wanted.retain) // 32)
    assert UGradSLPlus.name != UGradSL.name and UGradSLPlus.needs == UGradSL.needs
