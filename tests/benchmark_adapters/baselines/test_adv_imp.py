"""ADV+IMP: the weights that matter least for the forget set are held."""

from dataclasses import replace

import torch
from accelerate import Accelerator
from characteristic import characteristic
from small_problem import request, tensors, trained_convnet

from benchmark_adapters.baselines.adv import Adv
from benchmark_adapters.baselines.adv_imp import AdvImp, held_weights
from suli_plugin import Session, run

QUICK = {"adversarial_images": 1, "iterations": 3, "epochs": 3, "stop": "never"}


def omegas(model, batch_size=1000):
    forget = request("class-wise").forget
    session = Session(accelerator=Accelerator(cpu=True), granted={"forget": forget})
    return [omega for _, omega in held_weights(model, session, batch_size)]


def test_omega_is_one_minus_the_scaled_gradient_of_the_logits_norm():
    model = trained_convnet()
    images, _ = tensors(request("class-wise").forget)
    model(images).norm(dim=1).mean().backward()
    for omega, parameter in zip(omegas(trained_convnet()), model.parameters(), strict=True):
        gradient = parameter.grad.abs()
        scaled = (gradient - gradient.min()) / (gradient.max() - gradient.min())
        torch.testing.assert_close(omega, 1 - scaled, atol=1e-4, rtol=1e-4)


def test_omega_is_between_0_and_1_and_reaches_both_in_every_tensor():
    for omega in omegas(trained_convnet(), batch_size=16):
        assert float(omega.min()) == 0 and float(omega.max()) == 1


def test_a_tensor_of_one_importance_is_held_whole():
    model = trained_convnet()
    with torch.no_grad():
        model[9].weight.zero_()
        model[9].bias.zero_()
    # Nothing before an output layer of zeros matters.
    assert all(bool((omega == 1).all()) for omega in omegas(model)[:-2])
    assert all(bool(omega.isfinite().all()) for omega in omegas(model))


def test_without_penalty_it_is_adv():
    wanted = request("class-wise")
    ours = run(AdvImp(penalty=0.0, **QUICK), trained_convnet(), wanted).model.state_dict()
    theirs = run(Adv(**QUICK), trained_convnet(), wanted).model.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def movement(penalty):
    """How far the weights of a high and of a low Omega moved, mean magnitudes."""
    original = trained_convnet()
    method = AdvImp(penalty=penalty, momentum=0.0, weight_decay=0.0, **QUICK)
    after = run(replace(method, epochs=10), original, request("class-wise")).model
    moved = [
        (one - other).detach().abs().flatten()
        for one, other in zip(after.parameters(), original.parameters(), strict=True)
    ]
    omega = torch.cat([part.flatten() for part in omegas(original)])
    moved = torch.cat(moved)
    return float(moved[omega > 0.99].mean()), float(moved[omega < 0.2].mean())


def no_penalty(method, model, session):
    return None


@characteristic(lambda patch: patch.setattr(AdvImp, "_penalty", no_penalty))
def test_a_large_penalty_holds_the_weights_of_omega_1():
    free, held = movement(0.0), movement(1000.0)
    assert free[0] > 0
    assert held[0] < 0.2 * free[0]
    # What matters for the forget set stays freer, and moves further than what is held.
    assert held[1] > 5 * held[0]
