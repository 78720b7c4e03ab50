"""What training leaves is exact: sums of updates, ends of epochs, shards that are trained again."""

import copy
import time
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from accelerate import Accelerator
from small_problem import CPU, convnet, tensors
from torch import nn

from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks.digits import digits_parts
from suli_plugin import ForgetRequest, run
from suli_plugin.randomness import seeded
from suli_plugin.recording import ShardedTraining, Training, last_epochs_of, log_of
from suli_plugin.training import Trainer
from suli_plugin.training_records import TrainingLog
from suli_plugin.unlearner import Unlearner

RECIPE = Retrain(epochs=2, batch_size=16, lr=0.05)
SEED = 5


def images(count=80):
    return digits_parts().train.subset(torch.arange(count))


def initial():
    with seeded(SEED, CPU):
        return convnet_drawn().state_dict()


def convnet_drawn():
    """As a benchmark's: initialised from the global seed."""
    return convnet(seed=int(torch.randint(1000, ())), dropout=0.1)


def training(recipe=RECIPE, train=None):
    train = train if train is not None else images()
    asked = ForgetRequest(retain=train, fresh_model=convnet_drawn)
    original = run(recipe, convnet(dropout=0.1), asked, seed=SEED).model
    return Training(recipe, train, convnet_drawn, original, SEED, Accelerator())


def chosen(positions, count=80):
    return torch.isin(torch.arange(count), torch.tensor(positions))


def assert_close(one, other):
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-5, atol=1e-5)


def test_all_updates_together_are_the_whole_way_from_the_first_weights():
    done = training()
    log = log_of(done, torch.ones(80, dtype=torch.bool))
    last, first = done.original.state_dict(), initial()
    way = {name: last[name] - first[name] for name in log.change}
    assert_close(dict(log.change), way)
    assert (log.sensitive_steps, log.steps) == (10, 10)
    # Running statistics are among them, counts are not.
    assert set(last) - set(log.change) == {k for k in last if k.endswith("num_batches_tracked")}


def test_only_the_updates_that_saw_a_forgotten_sample_are_summed():
    """Of one epoch, one update sees one sample: the change around that update alone."""
    recipe = Retrain(epochs=1, batch_size=16, lr=0.05)
    done, states = training(recipe), []

    def watch(model, terms):
        before = copy.deepcopy(model.state_dict())
        yield
        states.append((terms[0].positions, before, copy.deepcopy(model.state_dict())))

    done.again(watch)
    [(_, before, after)] = [state for state in states if 33 in state[0]]
    log = log_of(done, chosen([33]))
    assert (log.sensitive_steps, log.steps) == (1, 5)
    for name, change in log.change.items():
        assert torch.equal(change, after[name] - before[name])


def test_nothing_forgotten_changed_nothing():
    log = log_of(training(), chosen([]))
    assert log.sensitive_steps == 0
    assert all(not bool(change.any()) for change in log.change.values())


def test_a_record_of_another_training_is_refused():
    done = training()
    with torch.no_grad():
        done.original[0].weight[0, 0, 0, 0] += 1e-6
    with pytest.raises(ValueError, match=r"again bit by bit here \(other values in 0.weight"):
        log_of(done, chosen([1]))
    with pytest.raises(ValueError, match="a record of another training is none"):
        last_epochs_of(done)


def test_the_last_epochs_end_where_the_training_was_and_have_its_whole_gradient():
    done = training(Retrain(epochs=3, batch_size=16, lr=0.05))
    ends = last_epochs_of(done)
    assert ends.count == 80
    states = []
    done.again(lambda model, terms: iter([None]), lambda model: states.append(parameters(model)))
    for end, state in zip((ends.before_last, ends.last), states[-2:], strict=True):
        assert all(torch.equal(end.parameters[name], state[name]) for name in state)
    original = done.original.eval()
    assert all(torch.equal(ends.last.parameters[k], v) for k, v in parameters(original).items())
    pixels, labels = tensors(done.train)
    nn.functional.cross_entropy(original(pixels), labels).backward()
    expected = {name: value.grad for name, value in original.named_parameters()}
    assert_close(dict(ends.last.gradients), expected)


def parameters(model):
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def test_one_epoch_has_no_two_ends():
    with pytest.raises(ValueError, match="trained for one epoch"):
        last_epochs_of(training(Retrain(epochs=1, batch_size=16)))


def sharded(keep=lambda name, make: make()):
    recipe = Retrain(epochs=4, batch_size=16, lr=0.05)
    return ShardedTraining(recipe, images(), convnet_drawn, SEED, Accelerator(), keep)


def remembered():
    kept = {}

    def keep(name, make):
        if name not in kept:
            kept[name] = make()
        return kept[name]

    return keep


def test_shards_and_slices_are_disjoint_and_are_all_there_is():
    shards = sharded(remembered()).shards(chosen([]), 3, 2)
    parts = [part for shard in shards.slices for part in shard]
    assert len(parts) == 6 and max(map(len, parts)) - min(map(len, parts)) <= 1
    assert torch.equal(torch.cat(parts).sort().values, torch.arange(80))
    # 4 epochs in 2 slices: 2 and 3 passes of what there is; int(2.67), int(5.33) - 2.
    assert [shards.epochs(stage) for stage in range(2)] == [2, 3]


def test_a_stage_trained_again_without_a_sample_is_the_shard_trained_without_it():
    """Exactness: from the slice before the deleted point, bit by bit."""
    keep = remembered()
    whole = sharded(keep).shards(chosen([]), 2, 3)
    gone = int(whole.slices[1][1][0])
    asked = sharded(keep).shards(chosen([gone]), 2, 3)
    assert [asked.first_affected(shard) for shard in range(2)] == [None, 1]
    retain = images().subset(torch.where(~chosen([gone]))[0])
    trainer, model = Trainer(accelerator=Accelerator()), convnet(dropout=0.1)
    with seeded(99, CPU):
        model.load_state_dict(asked.checkpoint(1, 1))
        for stage in (1, 2):
            asked.fit(model, retain.subset(asked.retained(1, stage)), trainer, 1, stage)
    # The same shard from its first weights on a training set that never had the sample.
    afresh = convnet(dropout=0.1)
    afresh.load_state_dict(whole.checkpoint(1, 0))
    for stage in range(3):
        left = torch.cat(whole.slices[1][: stage + 1])
        shard = images().subset(left[left != gone])
        alone = Trainer(accelerator=Accelerator())
        with seeded(1, CPU):
            whole.fit(afresh, shard, alone, 1, stage)
    after = afresh.state_dict()
    assert all(torch.equal(model.state_dict()[name], after[name]) for name in after)
    assert any(not torch.equal(after[name], whole.checkpoint(1, 3)[name]) for name in after)
    # What was not touched is what it was.
    untouched = sharded().shards(chosen([]), 2, 3).checkpoint(0, 3)
    assert all(torch.equal(asked.checkpoint(0, 3)[k], v) for k, v in untouched.items())


def test_more_slices_than_samples_are_refused():
    with pytest.raises(ValueError, match="30 shards of 3 slices need as many training samples"):
        sharded().shards(chosen([]), 30, 3)


@dataclass(frozen=True, kw_only=True)
class Draws(Unlearner):
    """Adds what it draws to a weight, and asks for a log if it may."""

    name: ClassVar[str] = "draws"
    paper: ClassVar[str] = "a test"
    needs: ClassVar[dict] = {"instance-wise": frozenset({"training_log"})}
    asks: bool = True

    def resources(self, scope):
        return self.needs[scope] if self.asks else frozenset()

    def unlearn(self, model, session):
        with torch.no_grad():
            model[0].weight.add_(torch.rand(()))
        return model


def test_a_record_is_made_before_the_clock_and_apart_from_the_run_s_random_numbers():
    calls = []

    def make():
        calls.append(float(torch.rand(())))
        time.sleep(0.5)
        return TrainingLog({}, 0, 0)

    asked = ForgetRequest(training_log=make)
    result = run(Draws(), convnet(), asked)
    assert len(calls) == 1 and result.seconds.total < 0.5
    without = run(Draws(asks=False), convnet(), asked)
    assert len(calls) == 1
    assert torch.equal(result.model[0].weight, without.model[0].weight)
