"""NegGrad+: retain batches once an epoch, forget batches round and round."""

import pytest
import torch
from characteristic import characteristic
from small_problem import request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines import neg_grad_plus
from benchmark_adapters.baselines.finetune import FineTune
from benchmark_adapters.baselines.neg_grad import NegGrad
from benchmark_adapters.baselines.neg_grad_plus import NegGradPlus
from suli_plugin import ForgetRequest, ImageSet, run
from suli_plugin.rounds import Term


def parameters(result):
    return list(result.model.parameters())


def test_alpha_1_is_fine_tuning_and_never_touches_the_forget_set():
    wanted = request("class-wise")
    recipe = {"epochs": 2, "batch_size": 64, "lr": 0.02, "momentum": 0.9, "weight_decay": 5e-4}
    method = NegGradPlus(alpha=1.0, **recipe)
    assert method.resources("class-wise") == {"retain"}
    ours = run(method, trained_convnet(), ForgetRequest(retain=wanted.retain)).model.state_dict()
    theirs = run(
        FineTune(**recipe), trained_convnet(), ForgetRequest(retain=wanted.retain)
    ).model.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def downhill(images, positions, loss, weight=1.0):
    return Term(images, positions, loss, abs(weight))


@characteristic(lambda patch: patch.setattr(neg_grad_plus, "Term", downhill))
def test_alpha_0_is_neg_grad_on_cycled_batches():
    wanted = request("class-wise")
    steps = -(-len(wanted.retain) // 64)
    assert steps > 3
    # One batch a round, so that the order that is drawn does not matter.
    ours = run(
        NegGradPlus(
            alpha=0.0, epochs=1, batch_size=64, forget_batch_size=1000, lr=1e-3, momentum=0.9,
            max_grad_norm=1.0,
        ),
        trained_convnet(),
        wanted,
    )  # fmt: skip
    theirs = run(
        NegGrad(epochs=steps, batch_size=1000, lr=1e-3, stop="never"), trained_convnet(), wanted
    )
    for one, other in zip(parameters(ours), parameters(theirs), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    assert ours.passes["forward"] == {"forget": steps * len(wanted.forget)}


@pytest.mark.parametrize("alpha", [0.2, 0.95])
def test_a_step_is_the_weighted_difference_of_both_losses(alpha):
    wanted, by_hand = request("class-wise"), trained_convnet()
    (retain, kept), (forget, lost) = tensors(wanted.retain), tensors(wanted.forget)
    loss = nn.functional.cross_entropy
    (alpha * loss(by_hand(retain), kept) - (1 - alpha) * loss(by_hand(forget), lost)).backward()
    method = NegGradPlus(
        alpha=alpha, epochs=1, batch_size=1000, forget_batch_size=1000, batch_norm="frozen"
    )
    ours = run(method, trained_convnet(), wanted)
    for one, other in zip(parameters(ours), by_hand.parameters(), strict=True):
        torch.testing.assert_close(one, other - 0.01 * other.grad, atol=1e-5, rtol=1e-4)


def test_a_forget_image_is_augmented_anew_each_time_round():
    wanted, seen = request("class-wise"), []

    def augment(images, generator):
        seen.append(float(torch.rand((), generator=generator)))
        return images

    forget = ImageSet(wanted.forget._store, augment=augment, mean=(0.3,), std=(0.4,)).subset(
        torch.arange(40)
    )
    method = NegGradPlus(epochs=2, batch_size=64, forget_batch_size=40)
    run(method, trained_convnet(), ForgetRequest(forget=forget, retain=wanted.retain))
    steps = 2 * -(-len(wanted.retain) // 64)
    assert len(seen) == len(set(seen)) == steps


def test_the_official_preset_has_the_notebooks_values():
    preset = NegGradPlus.preset("official", "instance-wise")
    assert (preset.alpha, preset.epochs, preset.lr, preset.momentum) == (0.9999, 5, 0.01, 0.0)
