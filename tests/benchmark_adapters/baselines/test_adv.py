"""ADV: ascent on forget images, descent on adversarial images made of them."""

import pytest
import torch
from accelerate import Accelerator
from characteristic import characteristic
from small_problem import request, request_of_two_classes, trained_convnet

from benchmark_adapters.baselines import adv as adv_module
from benchmark_adapters.baselines.adv import Adv
from benchmark_adapters.baselines.neg_grad import NegGrad
from suli_plugin import Session, evaluate, run
from suli_plugin.rounds import cross_entropy
from suli_plugin.training import Trainer

SCOPES = ("class-wise", "instance-wise")
QUICK = {"adversarial_images": 2, "iterations": 10, "radius": 3.0, "step": 0.3}


def weights(result):
    return result.model.state_dict()


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


class Watched:
    """The terms of every step that the loop was given."""

    def __init__(self, monkeypatch):
        self.steps = []
        train = Trainer.train

        def watching(trainer, model, rounds, *others, **options):
            def watched():
                for round_ in rounds:
                    self.steps += round_.steps
                    yield round_

            return train(trainer, model, watched(), *others, **options)

        monkeypatch.setattr(Session, "train", watching)


@pytest.mark.parametrize("scope", SCOPES)
def test_without_adversarial_images_it_is_neg_grad(scope):
    ascent = NegGrad(epochs=3, batch_size=16)
    adv = Adv(
        adversarial_images=0, epochs=3, batch_size=16, lr=ascent.lr, weight_decay=0.0,
        max_grad_norm=ascent.max_grad_norm, updates_per_check=None,
    )  # fmt: skip
    ours = run(adv, trained_convnet(), request(scope))
    theirs = run(ascent, trained_convnet(), request(scope))
    assert same(weights(ours), weights(theirs))
    assert ours.history == theirs.history
    assert "hit_rate" not in ours.notes


@characteristic(lambda patch: patch.setattr(adv_module, "_ascent", cross_entropy))
def test_forget_images_are_unlearnt_while_adversarial_ones_are_learnt():
    wanted, before = request("instance-wise", count=50), trained_convnet()
    method = Adv(epochs=20, stop="never", lr=0.01, batch_norm="frozen", **QUICK)
    after = run(method, before, wanted).model
    one, other = (
        evaluate(model, wanted.forget, Accelerator(cpu=True)).losses().mean()
        for model in (before, after)
    )
    assert other > 2 * one


@pytest.mark.parametrize("scope", SCOPES)
def test_targets_are_not_the_images_own_and_mostly_reached(scope, monkeypatch):
    watched = Watched(monkeypatch)
    wanted = request(scope)
    result = run(Adv(epochs=1, stop="never", **QUICK), trained_convnet(), wanted)
    adversaries = watched.steps[0][0].images
    assert len(adversaries) == 2 * len(wanted.forget)
    own = wanted.forget.labels.repeat_interleave(2)
    assert not bool((adversaries.labels == own).any())
    assert result.notes["hit_rate"] >= 0.9


def test_targets_are_in_no_forgotten_class(monkeypatch):
    watched = Watched(monkeypatch)
    run(Adv(epochs=1, stop="never", **QUICK), trained_convnet(), request_of_two_classes())
    targets = watched.steps[0][0].images.labels
    assert set(targets.tolist()) == {0, 1, 2, 4, 6, 7, 8, 9}


def test_a_step_weighs_both_kinds_by_their_number(monkeypatch):
    watched = Watched(monkeypatch)
    run(
        Adv(epochs=2, stop="never", batch_size=20, adversarial_batch_size=60, **QUICK),
        trained_convnet(),
        request("instance-wise", count=50),
    )
    sizes = [(len(forget.positions), len(other.positions)) for other, forget in watched.steps]
    # 100 adversarial images make batches of 60 and 40; 50 forget images go round in 20, 20, 10.
    assert sizes == [(20, 60), (20, 40), (10, 60), (20, 40)]
    for (other, forget), (n_f, n_a) in zip(watched.steps, sizes, strict=True):
        assert forget.weight == pytest.approx(n_f / (n_f + n_a))
        assert other.weight == pytest.approx(n_a / (n_f + n_a))


def test_the_stop_rule_is_asked_as_often_as_told():
    wanted = request("instance-wise", count=50)
    for updates, rounds in ((1, 4), (3, 2), (None, 1)):
        method = Adv(epochs=1, stop="never", adversarial_batch_size=25, lr=0.0, **QUICK)
        method = type(method)(**{**method.hyperparameters(), "updates_per_check": updates})
        assert len(run(method, trained_convnet(), wanted).history) == rounds


def test_the_official_preset_goes_to_zero_and_needs_no_reference_set():
    preset = Adv.preset("official", "instance-wise")
    assert preset.resources("instance-wise") == {"forget"}
    quick = type(preset)(**{**preset.hyperparameters(), **QUICK, "lr": 0.01})
    result = run(quick, trained_convnet(), request("instance-wise", count=20))
    assert result.stop_reason == "target met"
    assert result.history[-1].forget_accuracy == 0


def test_adversarial_batches_can_leave_the_running_statistics_alone():
    def tracked(adversarial_batch_norm):
        method = Adv(epochs=1, stop="never", adversarial_batch_norm=adversarial_batch_norm, **QUICK)
        result = run(method, trained_convnet(), request("instance-wise", count=50))
        return int(result.model[1].num_batches_tracked), len(result.history)

    start = int(trained_convnet()[1].num_batches_tracked)
    assert tracked("same") == (start + 2, 1)
    assert tracked("frozen") == (start + 1, 1)
