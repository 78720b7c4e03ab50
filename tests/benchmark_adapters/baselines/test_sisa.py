"""SISA: shards that saw a forgotten sample are trained again without it, and nothing else."""

from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from characteristic import characteristic
from hypothesis import given
from hypothesis import strategies as st
from small_problem import CPU, convnet, tensors
from torch import nn

from benchmark_adapters.baselines.shard_ensemble import ShardEnsemble
from benchmark_adapters.baselines.sisa import Sisa
from benchmark_adapters.benchmarks.digits import digits_parts
from suli_plugin import ForgetRequest, evaluate, run
from suli_plugin.randomness import seeded
from suli_plugin.recording import ShardedTraining
from suli_plugin.testing.recorded import SmallRecipe, kept_in_memory
from suli_plugin.training_records import Shards

SEED, COUNT, EPOCHS = 4, 60, 3


def drawn():
    return convnet(seed=int(torch.randint(1000, ())), dropout=0.1)


def train():
    return digits_parts().train.subset(torch.arange(COUNT))


def sharded():
    recipe = SmallRecipe(epochs=EPOCHS)
    return ShardedTraining(recipe, train(), drawn, SEED, Accelerator(), kept_in_memory())


def mask_of(forgotten):
    return torch.isin(torch.arange(COUNT), torch.tensor(forgotten))


def request(forgotten, training=None):
    training, mask = training or sharded(), mask_of(forgotten)
    return ForgetRequest(
        retain=train().subset(torch.where(~mask)[0]),
        shards=lambda shards, slices: training.shards(mask, shards, slices),
    )


def unlearned(forgotten, training=None, **fields):
    return run(Sisa(**fields), convnet(dropout=0.1).eval(), request(forgotten, training))


def plain_stage(network, pixels, labels, seed, epochs):
    """SGD with momentum on shuffled batches of 16, with torch alone."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    draw = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    network.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(labels), generator=draw).split(16):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(pixels[batch]), labels[batch]).backward()
            optimizer.step()


def plain_shard(shard, forgotten, shards=2, slices=2):
    """A shard's network, trained from its first weights as if the forgotten had never been."""
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(SEED))
    parts = order.tensor_split(shards)[shard].tensor_split(slices)
    pixels, labels = tensors(train())
    with seeded(SEED + 1000 * shard, CPU):
        network = drawn()
        # 2 e / (R + 1) is 2 epochs each.
        for stage in range(slices):
            seen = torch.cat(parts[: stage + 1])
            seen = seen[~mask_of(forgotten)[seen]]
            seed = SEED + 1000 * shard + stage + 1
            plain_stage(network, pixels[seen], labels[seen], seed, 2 * EPOCHS // (slices + 1))
    return network.eval()


@characteristic(lambda patch: patch.setattr(Shards, "first_affected", lambda self, shard: None))
def test_it_is_the_ensemble_of_plain_trainings_that_never_saw_the_forgotten():
    forgotten = [3, 17]
    ours = unlearned(forgotten, shards=2, slices=2)
    networks = [plain_shard(shard, forgotten) for shard in range(2)]
    pixels, _ = tensors(train())
    with torch.no_grad():
        expected = torch.stack([network(pixels).softmax(1) for network in networks]).mean(0).log()
        found = ours.model.eval()(pixels)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    for one, other in zip(ours.model.networks, networks, strict=True):
        for name, value in one.state_dict().items():
            torch.testing.assert_close(value, other.state_dict()[name], rtol=1e-4, atol=1e-6)


def test_a_shard_without_a_forgotten_sample_is_kept_bit_by_bit():
    training = sharded()
    parts = training.shards(mask_of([]), 3, 2)
    gone = int(parts.slices[1][1][0])
    result = unlearned([gone], training, shards=3, slices=2)
    counts = {key: result.notes[key] for key in ("shards_affected", "shards", "stages_again")}
    assert counts == {"shards_affected": 1, "shards": 3, "stages_again": 1}
    for shard in (0, 2):
        kept, state = parts.checkpoint(shard, 2), result.model.networks[shard].state_dict()
        assert all(torch.equal(state[name], value) for name, value in kept.items())
    moved, state = parts.checkpoint(1, 2), result.model.networks[1].state_dict()
    assert any(not torch.equal(state[name], value) for name, value in moved.items())
    # Passes are those of training again: the second stage of one shard, 2 epochs.
    assert result.passes["backward"] == {"retain": 2 * (len(torch.cat(parts.slices[1])) - 1)}


def test_forgetting_a_class_touches_every_shard():
    labels = train().labels
    result = unlearned(torch.where(labels == 3)[0].tolist(), shards=2, slices=2)
    assert result.notes["shards_affected"] == result.notes["shards"] == 2


def test_its_networks_answer_in_evaluation_mode():
    result = unlearned([5], shards=2, slices=1)
    assert not any(module.training for module in result.model.modules())
    pixels, _ = tensors(train())
    assert torch.equal(result.model(pixels), result.model(pixels))
    trained = run(Sisa(shards=2, slices=1), convnet(dropout=0.1).train(), request([5])).model
    logits = evaluate(trained, train(), Accelerator()).logits
    torch.testing.assert_close(logits, result.model(pixels), rtol=1e-4, atol=1e-5)


class Says(nn.Module):
    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, images):
        return self.logits.expand(len(images), -1)


NUMBERS = st.lists(st.floats(-40, 40, width=32), min_size=4, max_size=4)


@given(st.lists(NUMBERS, min_size=1, max_size=6))
def test_the_mean_is_that_of_probabilities(logits):
    made = ShardEnsemble([Says(torch.tensor(each)) for each in logits], "mean")
    expected = torch.tensor(logits).double().softmax(1).mean(0)
    torch.testing.assert_close(made(torch.zeros(2, 1))[0].double().exp(), expected)


@given(st.lists(NUMBERS, min_size=1, max_size=6))
def test_the_majority_wins_and_logits_stay_finite(logits):
    made = ShardEnsemble([Says(torch.tensor(each)) for each in logits], "vote")
    found = made(torch.zeros(1, 1))[0]
    assert bool(found.isfinite().all())
    assert float(found.detach().exp().sum()) == pytest.approx(1, rel=1e-4)
    votes = torch.tensor(logits).log_softmax(1).argmax(1).bincount(minlength=4)
    assert votes[found.argmax()] == votes.max()
    found[0].backward()
    assert all(network.logits.grad is not None for network in made.networks)


def test_a_retain_set_that_is_not_the_rest_is_refused():
    asked = request([5])
    fewer = replace(asked, retain=asked.retain.subset(range(10)))
    with pytest.raises(ValueError, match="what is forgotten: 59 images, got 10"):
        run(Sisa(shards=2, slices=1), convnet(), fewer)


def test_an_output_that_must_be_taken_apart_is_refused():
    with pytest.raises(ValueError, match=r"whose output logits_of= takes apart"):
        run(Sisa(shards=2, slices=1), convnet(), request([5]), logits_of=lambda output: output)


def test_the_official_preset_is_the_example_s():
    preset = Sisa.preset("official", "class-wise")
    assert (preset.shards, preset.slices, preset.aggregation) == (5, 1, "vote")
