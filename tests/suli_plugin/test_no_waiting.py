"""While a method trains, nothing waits for the device but the end of a round."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from device_stand_in import device_stand_in
from small_problem import request, trained_convnet
from torch import nn

from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks.augmentation import crop_and_flip
from suli_plugin import SU, SULI, ImageSet, run
from suli_plugin.pixel_store import PixelStore
from suli_plugin.rounds import Round, Term
from suli_plugin.training import Trainer

CPU = torch.device("cpu")
MODEL, ASKED = trained_convnet(), request("class-wise")


def augmented(asked):
    retain = asked.retain.subset(torch.arange(len(asked.retain)))
    retain.augment = crop_and_flip
    retain.mean, retain.std = (torch.full((1, 1, 1), value) for value in (0.3, 0.4))
    return replace(asked, retain=retain)


def waits_of(method, asked=ASKED):
    with device_stand_in() as waits:
        result = run(method, MODEL, asked)
    return Counter(waits), result


SULI_ROUNDS = SULI(stop="never", sweeps=1, n_layers=2, batch_size=40, inner_steps=2)
SU_ROUNDS = SU(stop="never", epochs=2, batch_size=40)
RETRAIN_ROUNDS = Retrain(epochs=2, batch_size=400)


@pytest.mark.parametrize(
    ("method", "more_steps", "more_rounds", "asked"),
    [
        (SULI_ROUNDS, {"inner_steps": 7}, {"sweeps": 3}, ASKED),
        (replace(SULI_ROUNDS, teacher="original"), {"inner_steps": 7}, {"sweeps": 3}, ASKED),
        (SU_ROUNDS, {"batch_size": 20}, {"epochs": 6}, ASKED),
        (RETRAIN_ROUNDS, {"batch_size": 100}, {"epochs": 6}, augmented(ASKED)),
    ],
    ids=["suli", "suli, the original as teacher", "su", "retrain"],
)
def test_a_round_waits_as_often_however_many_steps_it_has(method, more_steps, more_rounds, asked):
    few, first = waits_of(method, asked)
    same, long = waits_of(replace(method, **more_steps), asked)
    more, last = waits_of(replace(method, **more_rounds), asked)
    assert long.steps > first.steps and len(long.history) == len(first.history)
    assert same == few
    # Its losses, and the accuracy where a stop rule watches.
    a_round = 1 if method.name == "retrain" else 2
    rounds = len(last.history) - len(first.history)
    assert rounds == 4 and (more - few).total() == a_round * rounds
    assert {each.partition(" ")[0] for each in more - few} <= {"tolist", "cpu"}


def test_the_stand_in_counts_a_wait_in_a_step():
    def loss(logits, batch):
        found = nn.functional.cross_entropy(logits, batch.labels, reduction="none")
        return found if float(found.detach().mean()) > 0 else -found

    def waits(steps):
        trainer, model = Trainer(Accelerator()), trained_convnet()
        term = Term(ASKED.forget, torch.arange(9), loss)
        with device_stand_in() as waits:
            trainer.train(
                model.to(CPU), [Round([[term]] * steps)], torch.optim.SGD, batch_norm="update"
            )
        return Counter(waits)

    few, more = waits(2), waits(5)
    (planted,) = more - few
    assert planted.startswith("_local_scalar_dense (test_no_waiting.py:")
    assert (more - few)[planted] == 3


def test_the_stand_in_counts_what_is_sent_however_it_is_said():
    with device_stand_in() as waits:
        held = torch.ones(2).to(CPU)
        torch.ones(2).to(held)
        torch.tensor([1.0, 2.0], device=CPU)
        torch.ones(2).to(held, non_blocking=True)
    assert [each.partition(" ")[0] for each in waits] == ["sent"] * 3


@pytest.mark.parametrize("name", ["meta", "meta:0"])
def test_a_set_moves_to_a_device_once_and_stays_on_the_host(name, monkeypatch):
    pixels = torch.arange(24.0).view(6, 1, 2, 2)
    store = PixelStore.of_tensors(pixels, torch.arange(6))
    moved, to = [], torch.Tensor.to

    def counted(tensor, *args, **kwargs):
        if tensor.shape == pixels.shape:
            moved.append(args[0])
        return to(tensor, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "to", counted)
    # A tensor on `meta:0` says that it is on `meta`, as one on `cuda` says `cuda:0`.
    meta, some = torch.device(name), torch.tensor([4, 1])
    for _ in range(2):
        assert store.take(some, meta)[0].device.type == "meta"
        assert torch.equal(store.take(some, CPU)[0], pixels[some])
    assert moved == [meta]


def test_labels_are_checked_on_the_host():
    wrong = ImageSet.of_tensors(torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 30]))
    trainer = Trainer(Accelerator())
    steps = trainer.epochs(wrong, lambda logits, batch: logits.sum(1), epochs=1, batch_size=4)
    with device_stand_in() as waits, pytest.raises(ValueError, match=r"label 30, .* 10 outputs"):
        trainer.train(trained_convnet(), steps, torch.optim.SGD, batch_norm="update")
    assert waits == []
