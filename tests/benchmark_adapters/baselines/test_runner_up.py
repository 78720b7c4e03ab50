"""The runner-up is the likeliest class that may be named."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmark_adapters.baselines.runner_up import runner_up_labels


@given(seed=st.integers(0, 10_000), forbidden=st.sets(st.integers(0, 5), max_size=4))
def test_no_allowed_class_is_likelier(seed, forbidden):
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(7, 6, generator=draw)
    labels = torch.randint(6, (7,), generator=draw)
    chosen = runner_up_labels(logits, labels, sorted(forbidden))
    for row, label, other in zip(logits, labels.tolist(), chosen.tolist(), strict=True):
        allowed = set(range(6)) - forbidden - {label}
        assert other == max(allowed, key=lambda each: float(row[each]))


def test_a_class_must_be_left():
    with pytest.raises(ValueError, match="no class is left: 3 outputs"):
        runner_up_labels(torch.zeros(2, 3), torch.tensor([0, 1]), (0, 2))
