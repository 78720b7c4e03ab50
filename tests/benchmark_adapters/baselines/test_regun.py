"""ReGUn: forget images are answered as held-out images of their classes are."""

import pytest
import torch
from accelerate import Accelerator
from characteristic import characteristic
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problem import request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines.regun import HeldOut, ReGUn
from suli_plugin import ForgetRequest, Session, run
from suli_plugin.evaluation import Predictions

WHOLE = {"batch_size": 1000}


def session(**options):
    return Session(accelerator=Accelerator(cpu=True), **options)


def matched(labels, pool_labels, generator):
    """As the repository has it: class by class, with replacement."""
    chosen = []
    for label, count in enumerate(torch.bincount(labels, minlength=10).tolist()):
        if count:
            pool = torch.where(pool_labels == label)[0]
            chosen.append(pool[torch.randint(len(pool), (count,), generator=generator)])
    return torch.cat(chosen)


@pytest.mark.parametrize("batch_norm", ["update", "frozen"])
def test_two_epochs_are_those_of_a_plain_loop(batch_norm):
    wanted, by_hand = request("instance-wise"), trained_convnet()
    (forget, labels), (retain, retain_labels) = tensors(wanted.forget), tensors(wanted.retain)
    held_out, held_labels = tensors(wanted.reference)
    with torch.no_grad():
        predicted = trained_convnet()(held_out).softmax(1)
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.01, momentum=0.9)
    generator = torch.Generator().manual_seed(0)
    by_hand.train(batch_norm == "update")
    for _ in range(2):
        torch.randperm(len(forget), generator=generator)
        target = predicted[matched(labels, held_labels, generator)].mean(0)
        torch.randperm(len(retain), generator=generator)
        log_p = by_hand(forget).log_softmax(1)
        repeated = target.repeat(len(forget), 1)
        towards = nn.functional.kl_div(log_p, repeated, reduction="batchmean")
        kept = nn.functional.cross_entropy(by_hand(retain), retain_labels)
        optimizer.zero_grad()
        (0.7 * towards + 0.3 * kept).backward()
        optimizer.step()
    method = ReGUn(epochs=2, retain_weight=0.3, batch_norm=batch_norm, **WHOLE)
    ours = run(method, trained_convnet(), wanted).model.state_dict()
    for name, value in by_hand.state_dict().items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-6)


def divergence_from_the_held_out(model, wanted):
    """KL from the original's mean answer to reference images of the class 3, in nats."""
    images, labels = tensors(wanted.reference)
    with torch.no_grad():
        target = trained_convnet()(images[labels == 3]).softmax(1).mean(0)
        log_p = model.eval()(tensors(wanted.forget)[0]).log_softmax(1)
    return float((target * (target.log() - log_p)).sum(1).mean())


def its_own_answer(patch):
    """No target but what the label says."""
    one_hot = torch.zeros(10).index_fill(0, torch.tensor(3), 1.0)
    patch.setattr(HeldOut, "mean", lambda self, positions: one_hot)


@characteristic(its_own_answer)
def test_forget_images_are_answered_as_held_out_images_of_their_class():
    parts = request("instance-wise")
    threes = torch.where(parts.forget.labels == 3)[0]
    wanted = ForgetRequest(
        forget=parts.forget.subset(threes), retain=parts.retain, reference=parts.reference
    )
    before = divergence_from_the_held_out(trained_convnet(), wanted)
    after = run(ReGUn(epochs=30, retain_weight=0.1), trained_convnet(), wanted).model
    assert divergence_from_the_held_out(after, wanted) < 0.5 * before


@settings(max_examples=30, deadline=None)
@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=20),
    pool=st.lists(st.integers(0, 4), min_size=1, max_size=20),
    seed=st.integers(0, 100),
)
def test_the_target_is_a_distribution_from_images_of_the_same_classes(labels, pool, seed):
    draw = torch.Generator().manual_seed(seed)
    labels, pool = torch.tensor(labels), torch.tensor(pool)
    logits = torch.randn(len(pool), 6, generator=draw)
    held_out = HeldOut(Predictions(logits, pool), session(forgotten_before=(5,)))
    chosen = held_out.matched(labels, draw)
    unmatched = torch.tensor(held_out.unmatched(labels), dtype=torch.int64)
    assert unmatched.tolist() == sorted(set(labels.tolist()) - set(pool.tolist()))
    known = labels[~torch.isin(labels, unmatched)]
    drawn = torch.bincount(pool[chosen], minlength=5)
    assert bool((drawn >= torch.bincount(known, minlength=5)).all())
    assert len(chosen) == len(labels)
    target = held_out.mean(chosen)
    assert float(target.sum()) == pytest.approx(1, abs=1e-5)
    assert bool((target >= 0).all()) and target[5] == 0


def test_uniform_takes_all_reference_images_in_turn(monkeypatch):
    seen = []
    mean = HeldOut.mean
    monkeypatch.setattr(
        HeldOut, "mean", lambda self, chosen: seen.append(chosen) or mean(self, chosen)
    )
    wanted = request("instance-wise")
    run(ReGUn(selector="uniform", epochs=9, batch_size=70), trained_convnet(), wanted)
    size = len(wanted.reference)
    assert torch.equal(torch.cat(seen)[:size].sort().values, torch.arange(size))


def test_without_a_retain_weight_no_retain_set_is_read():
    parts = request("instance-wise")
    asked = ForgetRequest(forget=parts.forget, reference=parts.reference)
    method = ReGUn(epochs=2, retain_weight=0.0)
    assert method.resources("instance-wise") == {"forget", "reference"}
    result = run(method, trained_convnet(), asked)
    assert result.passes["backward"] == {"forget": 140}
    assert result.passes["forward"] == {"reference": len(parts.reference), "forget": 140}


def test_classes_without_held_out_images_are_noted_and_draw_from_all():
    parts = request("instance-wise")
    left = torch.where(parts.reference.labels != 3)[0]
    asked = ForgetRequest(
        forget=parts.forget, retain=parts.retain, reference=parts.reference.subset(left)
    )
    assert run(ReGUn(epochs=1), trained_convnet(), asked).notes == {"unmatched_classes": [3]}


def test_the_official_preset_has_the_codes_values():
    made = ReGUn.preset("official", "instance-wise")
    values = (made.selector, made.lr, made.momentum, made.epochs, made.batch_size)
    assert values == ("uniform", 0.01, 0.9, 10, 128)
    assert made.retain_weight == 0.5
