"""LFSSD: SSD whose importances need no label."""

import copy
from dataclasses import replace

import pytest
import torch
from characteristic import characteristic
from importance_order import in_order
from small_problem import request, tensors, trained_convnet

from benchmark_adapters.baselines import lfssd
from benchmark_adapters.baselines.lfssd import LFSSD
from benchmark_adapters.benchmarks.digits import digits_parts
from suli_plugin import run
from suli_plugin.rounds import cross_entropy


def importances(model, images, scope, batch_size):
    """The mean over batches of |gradient of the mean squared norm of the logits|."""
    judged, (pixels, _) = copy.deepcopy(model).eval(), in_order(images, scope)
    total, count = [torch.zeros_like(p) for p in judged.parameters()], 0
    for start in range(0, len(pixels), batch_size):
        judged.zero_grad()
        judged(pixels[start : start + batch_size]).norm(dim=1).pow(2).mean().backward()
        total = [t + p.grad.abs() for t, p in zip(total, judged.parameters(), strict=True)]
        count += 1
    return [each / count for each in total]


@pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])
@pytest.mark.parametrize("dampening", [0.5, 1.0])
def test_weights_are_those_of_a_plain_transcription(scope, dampening):
    original, wanted = trained_convnet(), request(scope)
    after = run(LFSSD(alpha=1.5, dampening=dampening), original, wanted).model
    forget = importances(original, wanted.forget, scope, 64)
    whole = importances(original, digits_parts().train, scope, 64)
    for before, now, i_f, i_d in zip(
        original.parameters(), after.parameters(), forget, whole, strict=True
    ):
        shrunk = before * torch.minimum(dampening * i_d / i_f, torch.ones(()))
        expected = torch.where(i_f > 1.5 * i_d, shrunk, before)
        torch.testing.assert_close(now, expected, rtol=1e-4, atol=1e-6)


def with_other_labels(images):
    return images.relabelled((tensors(images)[1] + 1) % 10)


@characteristic(lambda patch: patch.setattr(lfssd, "squared_norms", cross_entropy))
def test_no_label_is_used():
    original, wanted = trained_convnet(), request("instance-wise")
    others = replace(
        wanted,
        forget=with_other_labels(wanted.forget),
        retain=with_other_labels(wanted.retain),
    )
    one, other = (run(LFSSD(alpha=1.5), original, asked).model for asked in (wanted, others))
    moved = False
    for before, this, that in zip(
        original.parameters(), one.parameters(), other.parameters(), strict=True
    ):
        assert torch.equal(this, that)
        moved = moved or not torch.equal(this, before)
    assert moved


def test_the_papers_alpha_goes_with_the_scope():
    assert LFSSD.preset("paper", "class-wise").alpha == 10.0
    assert LFSSD.preset("paper", "instance-wise").alpha == 3.5
