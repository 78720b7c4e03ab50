"""Boundary Shrink: nearest labels from FGSM, learnt on the clean images."""

import torch
from accelerate import Accelerator
from characteristic import characteristic
from small_problem import request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines import boundary_shrink
from benchmark_adapters.baselines.adversarial_images import fgsm
from benchmark_adapters.baselines.boundary_shrink import BoundaryShrink
from suli_plugin import Session, run

ONE_STEP = {"epochs": 1, "batch_size": 1000, "momentum": 0.0, "lr": 0.1, "batch_norm": "frozen"}


def attacked(wanted, epsilon):
    """What FGSM gives for a request's forget set, outside a run."""
    session = Session(accelerator=Accelerator(cpu=True))
    return fgsm(session, trained_convnet(), wanted.forget, epsilon=epsilon)


def test_failed_attacks_keep_their_label_and_are_counted():
    wanted = request("class-wise")
    result = run(BoundaryShrink(epochs=1), trained_convnet(), wanted)
    own = result.notes["label_counts"][3]
    assert result.notes["hit_rate"] == 1 - own / len(wanted.forget)
    assert 0 < own < len(wanted.forget)
    assert sum(result.notes["label_counts"]) == len(wanted.forget)


def test_an_attack_without_a_step_misses_what_the_original_knows():
    result = run(BoundaryShrink(epochs=0, epsilon=0.0), trained_convnet(), request("class-wise"))
    assert result.notes["hit_rate"] == 0


def no_step(session, model, images, *, epsilon):
    return fgsm(session, model, images, epsilon=0.0)


@characteristic(lambda patch: patch.setattr(boundary_shrink, "fgsm", no_step))
def test_a_step_is_cross_entropy_of_clean_images_with_the_nearest_labels():
    wanted, by_hand = request("class-wise"), trained_convnet()
    nearest = attacked(wanted, 0.2).predicted
    assert bool((nearest != 3).any())
    images, _ = tensors(wanted.forget)
    nn.functional.cross_entropy(by_hand(images), nearest).backward()
    ours = run(BoundaryShrink(epsilon=0.2, **ONE_STEP), trained_convnet(), wanted).model
    for one, other in zip(ours.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(one, other - 0.1 * other.grad, atol=1e-5, rtol=1e-4)


def test_it_forgets_the_class_where_attacks_hit():
    method = BoundaryShrink(epsilon=0.5, lr=0.01, epochs=30)
    result = run(method, trained_convnet(), request("class-wise"))
    assert result.history[-1].forget_accuracy < 0.3 < result.notes["hit_rate"]


def test_without_a_stop_rule_no_reference_set_is_needed():
    assert "reference" not in BoundaryShrink(stop="never").resources("instance-wise")
    assert "reference" in BoundaryShrink().resources("instance-wise")


def test_official_presets_do_all_epochs():
    preset = BoundaryShrink.preset("official", "class-wise")
    assert (preset.lr, preset.epochs, preset.epsilon, preset.stop) == (1e-5, 10, 0.1, "never")
    result = run(preset, trained_convnet(), request("class-wise"))
    assert len(result.history) == 10
