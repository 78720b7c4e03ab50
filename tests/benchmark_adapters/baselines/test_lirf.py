"""LIRF: the lower layers forget, the upper ones stay, and a deposit gives the class back."""

import copy
from contextlib import contextmanager

import pytest
import torch
from accelerate import Accelerator
from characteristic import characteristic
from small_problem import request, request_of_two_classes, tensors, trained_convnet
from torch import nn
from torch.nn.functional import cross_entropy, kl_div

from benchmark_adapters.baselines import lirf
from benchmark_adapters.baselines.lirf import Lirf
from benchmark_adapters.baselines.recovered import Recovered
from suli_plugin import ForgetRequest, evaluate, run
from suli_plugin.last_layers import weighted_layers

SEED = 5
SHORT = {"epochs": 2, "batch_size": 16}


def accuracy(model, images):
    return evaluate(model, images, Accelerator(cpu=True)).accuracy()


def nothing_wrong(logits, labels):
    return torch.zeros(len(logits))


@characteristic(lambda patch: patch.setattr(lirf, "_wrong", nothing_wrong))
def test_the_class_is_forgotten_and_a_withdrawal_recovers_it():
    asked = request("class-wise")
    result = run(Lirf(epochs=20, batch_size=16), trained_convnet(), asked)
    assert accuracy(result.model, asked.forget) < 0.3
    recovered = Recovered(result.model, result.by_products["deposit"], (3,)).eval()
    assert accuracy(recovered, asked.forget) > 0.9
    # With one class nothing but it is seen: its logit rises for the others, too.
    assert accuracy(recovered, asked.retain) > 0.6 and accuracy(result.model, asked.retain) > 0.9
    assert "recovered" in result.notes["deposit"]


@contextmanager
def trained_whole(parameters, model):
    yield


@characteristic(lambda patch: patch.setattr(lirf, "trained_alone", trained_whole))
def test_upper_layers_stay_bitwise_in_the_target_and_in_the_deposit():
    original = trained_convnet()
    result = run(Lirf(**SHORT, upper=0.7), original, request("class-wise"))
    for network in (result.model, result.by_products["deposit"]):
        for key, value in network.state_dict().items():
            same = torch.equal(value, original.state_dict()[key])
            assert same == (int(key.split(".")[0]) > 2), key
        assert all(p.requires_grad and p.grad is None for p in network.parameters())
        assert not any(module.training for module in network.modules())


def test_with_alpha_1_there_is_nothing_to_learn_for_the_preserved_logits():
    result = run(Lirf(epochs=1, alpha=1.0, batch_norm="frozen", lr=0), trained_convnet(),
                 request_of_two_classes())  # fmt: skip
    assert [entry.loss for entry in result.history] == pytest.approx([0, 0], abs=1e-6)


def test_both_trainings_are_the_published_losses():
    asked, draw = request_of_two_classes(), torch.Generator().manual_seed(SEED)
    ours = run(Lirf(**SHORT), trained_convnet(), asked, seed=SEED)
    images, labels = tensors(asked.forget)
    preserved, removed = torch.tensor([0, 1, 2, 4, 6, 7, 8, 9]), torch.tensor([3, 5])
    teacher = trained_convnet().eval()(images).detach()

    def distilled(student, batch, classes):
        own, theirs = student[:, classes] / 4, teacher[batch][:, classes] / 4
        return 0.5 * 16 * kl_div(own.log_softmax(1), theirs.softmax(1), reduction="batchmean")

    def learnt(loss, random):
        student = trained_convnet().train()
        optimizer = torch.optim.SGD(student[:6].parameters(), 0.01, 0.9, weight_decay=5e-4)
        for _ in range(2):
            wanted = labels
            if random:
                wanted = preserved[torch.randint(8, (len(labels),), generator=draw)]
            for batch in torch.randperm(len(labels), generator=draw).split(16):
                optimizer.zero_grad()
                loss(student(images[batch]), batch, wanted[batch]).backward()
                optimizer.step()
        return student

    def of_target(logits, batch, wanted):
        return distilled(logits, batch, preserved) + 0.5 * cross_entropy(logits, wanted)

    target = learnt(of_target, random=True)
    finished = copy.deepcopy(target).eval()(images).detach()

    def of_deposit(logits, batch, wanted):
        both = finished[batch].clone()
        both[:, removed] = logits[:, removed]
        return distilled(logits, batch, removed) + 0.5 * cross_entropy(both, wanted)

    deposit = learnt(of_deposit, random=False)
    for mine, other in ((ours.model, target), (ours.by_products["deposit"], deposit)):
        for key, value in other.state_dict().items():
            torch.testing.assert_close(mine.state_dict()[key], value, rtol=1e-4, atol=1e-5, msg=key)
    assert ours.passes["forward"].keys() == {"forget"}


def test_the_source_splits_a_resnet_18_at_its_last_stage():
    from benchmark_adapters.architectures import build_architecture

    model = build_architecture("cifar_resnet18", 10)
    upper = set(Lirf().upper_layers(model))
    names = {name for name, module in model.named_modules() if module in upper}
    assert "layer4.0.conv1" in names and "fc" in names
    assert all(name.startswith(("layer4", "fc")) for name in names)
    assert len(upper & set(weighted_layers(model))) == 6


def test_a_network_of_one_layer_is_refused():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with pytest.raises(ValueError, match="two layers or more, it has 1"):
        run(Lirf(), flat, request("class-wise"))


def test_random_labels_never_name_what_was_forgotten_earlier(monkeypatch):
    seen, relabelled = [], lirf.ImageSet.relabelled
    monkeypatch.setattr(
        lirf.ImageSet, "relabelled",
        lambda self, labels: seen.extend(labels.tolist()) or relabelled(self, labels),
    )  # fmt: skip
    whole = request("class-wise")
    asked = ForgetRequest(forget=whole.forget, forget_classes=(3,), forgotten_before=(7,))
    run(Lirf(epochs=10), trained_convnet(), asked)
    assert set(seen) == {0, 1, 2, 4, 5, 6, 8, 9}


def test_where_images_are_augmented_both_teachers_see_each_view():
    whole = request("class-wise")
    flipped = copy.copy(whole.forget)
    flipped.augment = lambda images, _: images.flip(-1)
    asked = ForgetRequest(forget=flipped, forget_classes=(3,))
    options = {"epochs": 1, "batch_norm": "frozen", "lr": 0}
    result = run(Lirf(**options), trained_convnet(), asked)
    # One image for the number of outputs; the target and its teacher; the deposit and its two.
    assert result.passes["forward"] == {"forget": 1 + 5 * len(flipped)}
    again = run(Lirf(**{**options, "alpha": 1.0}), trained_convnet(), asked)
    assert [entry.loss for entry in again.history] == pytest.approx([0, 0], abs=1e-6)
