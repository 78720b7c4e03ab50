"""Classes that were forgotten earlier: no target teaches them, and no retain data hold them."""

from dataclasses import replace

import pytest
import torch
from small_problem import request, tensors, trained_convnet

from benchmark_adapters.baselines.adv import Adv
from benchmark_adapters.baselines.aru import ARU
from benchmark_adapters.baselines.bad_teacher import BadTeacher
from benchmark_adapters.baselines.boundary_shrink import BoundaryShrink
from benchmark_adapters.baselines.contrastive_label import ContrastiveLabel
from benchmark_adapters.baselines.delete import Delete
from benchmark_adapters.baselines.initial_label import InitialLabel
from benchmark_adapters.baselines.neg_grad_plus import NegGradPlus
from benchmark_adapters.baselines.random_label import RandomLabel
from benchmark_adapters.baselines.regun import ReGUn
from benchmark_adapters.baselines.semu import Semu
from benchmark_adapters.baselines.spotter import Spotter
from benchmark_adapters.baselines.trew import Trew
from benchmark_adapters.baselines.unsc import Unsc
from suli_plugin import SU, SULI, ForgetRequest, run
from suli_plugin.spa import spa_targets, suppressed_classes
from suli_plugin.training import Trainer

BEFORE = 5
METHODS = (
    SU(epochs=1),
    replace(SULI.preset("official", "class-wise"), sweeps=1),
    replace(SULI.preset("paper", "class-wise"), inner_steps=1),
    Delete(epochs=1),
    RandomLabel(epochs=1),
    BoundaryShrink(epochs=1, epsilon=0.3),
    InitialLabel(epochs=1),
    InitialLabel(epochs=1, labels="soft"),
    Adv(epochs=1, adversarial_images=2, iterations=2),
    BadTeacher(),
    ContrastiveLabel(epochs=1, forget_epochs=1),
    ContrastiveLabel(epochs=1, forget_epochs=1, contrast="least_likely"),
    Trew(epochs=1),
    Semu(epochs=1),
    Spotter(epochs=1),
    Unsc(epochs=1),
    ReGUn(epochs=1),
    ARU(epochs=1, radius=0.3, iterations=5),
)


def knows(model, label):
    """The mean probability that the digits of this class get."""
    images, labels = tensors(request("class-wise", label=label).forget)
    assert set(labels.tolist()) == {label}
    with torch.no_grad():
        return float(model(images).softmax(1)[:, label].mean())


def without(asked, *labels):
    """The request with no sample of these classes in retain and reference."""
    kept = {
        name: images.subset(torch.where(~torch.isin(images.labels, torch.tensor(labels)))[0])
        for name, images in (("retain", asked.retain), ("reference", asked.reference))
    }
    return replace(asked, **kept)


def test_every_sample_loses_what_was_forgotten_earlier():
    labels = torch.tensor([0, 2])
    classes = suppressed_classes(labels, 5, (1, 3), (4,))
    assert classes.tolist() == [[False, True, False, True, True]] * 2
    samples = suppressed_classes(labels, 5, forgotten_before=(4,))
    assert samples.tolist() == [
        [True, False, False, False, True],
        [False, False, True, False, True],
    ]
    targets = spa_targets(torch.zeros(2, 5), samples).exp()
    torch.testing.assert_close(targets.sum(1), torch.ones(2))
    assert targets[:, 4].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("method", "scope"),
    [(method, scope) for method in METHODS for scope in method.needs],
    ids=lambda each: getattr(each, "name", each),
)
def test_no_target_names_a_class_that_was_forgotten_earlier(method, scope, monkeypatch):
    """No step of any loss (but ascent, which has no target) raises the earlier class's logit."""
    seen, train = [], Trainer.train

    def watched(trainer, model, rounds, *arguments, **settings):
        rounds = list(rounds)
        for step in (step for round_ in rounds for step in round_.steps):
            for term in step:
                if term.images.kind == "forget" and term.loss.__name__ == "_ascent":
                    continue
                batch = term.images.batch(term.positions, trainer.device)
                with term.around(batch):
                    logits = trainer.forward(model, batch).detach().requires_grad_()
                (gradient,) = torch.autograd.grad(term.loss(logits, batch).sum(), logits)
                seen.append(float(gradient[:, BEFORE].min()))
        return train(trainer, model, rounds, *arguments, **settings)

    monkeypatch.setattr(Trainer, "train", watched)
    asked = replace(without(request(scope), BEFORE), forgotten_before=(BEFORE,))
    few = asked.forget.subset(torch.arange(0, len(asked.forget), 4))
    run(method, trained_convnet(), replace(asked, forget=few))
    assert seen and min(seen) >= -1e-6


def test_forgetting_another_class_does_not_bring_the_first_back():
    first = run(
        SU(epochs=20, lr=1e-3), trained_convnet(), request("class-wise", label=BEFORE)
    ).model
    assert knows(first, BEFORE) < 0.3
    asked = request("class-wise", label=3)
    told = run(SU(epochs=20, lr=1e-3), first, replace(asked, forgotten_before=(BEFORE,))).model
    untold = run(SU(epochs=20, lr=1e-3), first, asked).model
    assert knows(told, BEFORE) < knows(first, BEFORE) + 0.02
    assert knows(told, BEFORE) < knows(untold, BEFORE)


@pytest.mark.parametrize("name", ["retain", "reference"])
def test_retain_data_with_what_was_forgotten_earlier_are_refused(name):
    method = {"retain": NegGradPlus(epochs=1), "reference": SU(epochs=1)}[name]
    asked = replace(request("instance-wise"), forgotten_before=(BEFORE,))
    with pytest.raises(
        ValueError, match=rf"the {name} set holds \d+ images of class 5, forgotten earlier"
    ):
        run(method, trained_convnet(), asked)
    run(method, trained_convnet(), without(asked, BEFORE))


def test_all_classes_but_one_may_be_forgotten_in_several_requests():
    asked = request("class-wise")
    with pytest.raises(ValueError, match="every class is forgotten"):
        run(SU(), trained_convnet(), replace(asked, forgotten_before=tuple(range(10))))
    with pytest.raises(ValueError, match="forgotten class 12 is out of range"):
        run(SU(), trained_convnet(), replace(asked, forgotten_before=(12,)))
    run(SU(epochs=1), trained_convnet(), replace(asked, forgotten_before=tuple(range(1, 10))))
    assert ForgetRequest(forgotten_before=[5, 3, 5]).forgotten_before == (3, 5)
