"""Noise for a batch does not depend on how the batch is shared out."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from suli_plugin.batch_noise import BatchNoise
from suli_plugin.images import Batch


def batch_of(positions):
    return Batch(torch.zeros(len(positions), 1, 2, 2), positions, positions, "forget")


def drawn(noise, positions, count=2):
    return torch.stack(list(noise.draws(batch_of(positions), count)), dim=1)


@given(size=st.integers(1, 9), processes=st.integers(1, 4), seed=st.integers(0, 100))
def test_shares_together_have_the_noise_of_the_whole_batch(size, processes, seed):
    positions = torch.randperm(20, generator=torch.Generator().manual_seed(seed))[:size]
    noise = BatchNoise(positions, torch.Generator().manual_seed(seed))
    shares = positions.tensor_split(processes)
    parts = torch.cat([drawn(noise, share) for share in shares if len(share)])
    assert torch.equal(parts, drawn(noise, positions))


def test_draws_steps_and_samples_differ_and_are_standard_normal():
    generator, positions = torch.Generator().manual_seed(0), torch.arange(400)
    one, two = (drawn(BatchNoise(positions, generator), positions) for _ in range(2))
    values = torch.cat([one, two]).flatten()
    assert len(values.unique()) > 0.99 * len(values)
    assert abs(values.mean()) < 0.05 and abs(values.std() - 1) < 0.05


def test_a_process_without_a_share_leaves_the_generator_where_the_others_have_it():
    busy, idle = (torch.Generator().manual_seed(0) for _ in range(2))
    positions = torch.arange(3)
    drawn(BatchNoise(positions, busy), positions)
    BatchNoise(positions, idle)
    assert torch.equal(busy.get_state(), idle.get_state())
