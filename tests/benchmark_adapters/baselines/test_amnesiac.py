"""Amnesiac unlearning: sensitive updates are undone, and nothing else."""

from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from characteristic import characteristic
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problem import CPU, convnet, request, tensors
from torch import nn

from benchmark_adapters.baselines import amnesiac
from benchmark_adapters.baselines.amnesiac import Amnesiac
from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks.digits import digits_parts
from suli_plugin import ForgetRequest, run
from suli_plugin.randomness import seeded
from suli_plugin.recording import Training, log_of
from suli_plugin.testing.recorded import SmallRecipe
from suli_plugin.training_records import TrainingLog

SEED, COUNT = 3, 96


def drawn():
    return convnet(seed=int(torch.randint(1000, ())))


def trained(recipe=None):
    """A training of the first digits, and its original."""
    recipe = recipe or SmallRecipe(epochs=1)
    train = digits_parts().train.subset(torch.arange(COUNT))
    asked = ForgetRequest(retain=train, fresh_model=drawn)
    original = run(recipe, convnet(), asked, seed=SEED).model
    return Training(recipe, train, drawn, original, SEED, Accelerator())


def unlearned(training, forgotten, **fields):
    mask = torch.isin(torch.arange(COUNT), torch.tensor(forgotten))
    asked = ForgetRequest(
        retain=training.train.subset(torch.where(~mask)[0]) if not mask.all() else None,
        training_log=lambda: log_of(training, mask),
    )
    return run(Amnesiac(**fields), training.original, asked, seed=SEED)


def first_weights():
    with seeded(SEED, CPU):
        return drawn().state_dict()


@characteristic(lambda patch: patch.setattr(amnesiac, "undone", lambda value, *_: value))
def test_undoing_every_update_gives_the_first_weights():
    """Plain SGD without momentum, one epoch, as the facts of the method say; statistics, too."""
    recipe = Retrain(epochs=1, batch_size=16, lr=0.05, momentum=0.0, weight_decay=0.0)
    result = unlearned(trained(recipe), range(COUNT), epochs=0)
    after, first = result.model.state_dict(), first_weights()
    for name in first:
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(after[name], first[name], rtol=1e-5, atol=1e-5)
    assert result.notes == {"sensitive_steps": 6, "training_steps": 6, "variances_kept": 0}


def test_without_a_sensitive_batch_the_model_is_the_same():
    training = trained()
    after = unlearned(training, [], epochs=0).model.state_dict()
    assert all(torch.equal(after[k], v) for k, v in training.original.state_dict().items())


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 2), st.integers(0, 99))
def test_a_strength_goes_so_far_along_the_change(strength, seed):
    draw = torch.Generator().manual_seed(seed)
    model = convnet()
    change = {k: torch.randn(v.shape, generator=draw) for k, v in model.named_parameters()}
    asked = ForgetRequest(training_log=lambda: TrainingLog(change, 1, 2))
    after = run(Amnesiac(strength=strength, epochs=0), model, asked).model
    for name, value in after.named_parameters():
        expected = model.get_parameter(name) - strength * change[name]
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)


def test_training_undoing_and_repair_are_those_of_a_plain_transcription():
    """The published procedure with torch alone: deltas of sensitive batches, one after another."""
    training, forgotten = trained(), [5, 40]
    model = drawn_first()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(SEED))
    pixels, labels = tensors(training.train)
    deltas = []
    for batch in order.split(16):
        before = {k: v.clone() for k, v in model.state_dict().items()}
        step(model.train(), optimizer, pixels[batch], labels[batch])
        if set(forgotten) & set(batch.tolist()):
            deltas.append({k: v - before[k] for k, v in model.state_dict().items()})
    for delta in deltas:
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                value.sub_(delta[name])
    repair = torch.optim.Adam(model.parameters(), lr=1e-3)
    left = torch.tensor([i for i in range(COUNT) if i not in forgotten])
    order = torch.randperm(len(left), generator=torch.Generator().manual_seed(SEED))
    for batch in left[order].split(32):
        step(model, repair, pixels[batch], labels[batch])
    ours = unlearned(training, forgotten, epochs=1, batch_size=32)
    assert ours.notes["sensitive_steps"] == len(deltas) in (1, 2)
    for name, value in ours.model.state_dict().items():
        torch.testing.assert_close(value, model.state_dict()[name], rtol=1e-4, atol=1e-6)


def drawn_first():
    with seeded(SEED, CPU):
        return drawn()


def step(model, optimizer, pixels, labels):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(pixels), labels).backward()
    optimizer.step()


@pytest.mark.parametrize("statistics", ["undo", "keep"])
def test_running_statistics_are_undone_or_kept(statistics):
    training = trained()
    after = unlearned(training, [7], epochs=0, statistics=statistics).model.state_dict()
    before = training.original.state_dict()
    assert not torch.equal(after["0.weight"], before["0.weight"])
    same = torch.equal(after["1.running_mean"], before["1.running_mean"])
    assert same == (statistics == "keep")


def test_a_variance_stays_above_0():
    model = convnet()
    change = {"1.running_var": torch.tensor([2.0] + [0.25] * 7)}
    asked = ForgetRequest(training_log=lambda: TrainingLog(change, 1, 2))
    result = run(Amnesiac(epochs=0), model, asked)
    expected = torch.tensor([1.0] + [0.75] * 7)
    torch.testing.assert_close(result.model[1].running_var, expected)
    assert result.notes["variances_kept"] == 1


def test_what_is_frozen_is_not_undone():
    training = trained()
    training.original[0].weight.requires_grad_(False)
    after = unlearned(training, [7], epochs=0).model
    assert torch.equal(after[0].weight, training.original[0].weight)
    assert not torch.equal(after[9].weight, training.original[9].weight)


def test_repair_alone_reads_the_retain_set():
    assert Amnesiac(epochs=0).resources("class-wise") == {"training_log"}
    assert "retain" in Amnesiac().resources("class-wise")


def test_the_official_preset_keeps_the_statistics():
    preset = Amnesiac.preset("official", "class-wise")
    assert preset == Amnesiac(statistics="keep") and (preset.lr, preset.epochs) == (1e-3, 10)


def test_it_asks_for_the_training():
    asked = replace(request("class-wise"), training_log=None)
    with pytest.raises(ValueError, match="amnesiac needs the original's training, 'training_log'"):
        run(Amnesiac(), convnet(), asked)
