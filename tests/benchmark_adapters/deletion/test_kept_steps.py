"""What is kept of requests in turn, and when it is not continued."""

import pytest
import torch
from torch import nn

from benchmark_adapters.deletion.kept_steps import KeptSteps


@pytest.fixture
def kept(tmp_path):
    return KeptSteps(tmp_path / "out")


def test_the_furthest_request_of_the_same_run_is_continued(kept, tmp_path):
    one, two = nn.Linear(2, 2), nn.Linear(2, 2)
    assert kept.read("run") is None and not kept.holds_any
    kept.write("run", one, [{"after": 1}])
    kept.write("run", two, [{"after": 1}, {"after": 2}])
    assert [path.name for path in (tmp_path / ".out.requests").iterdir()] == ["2.safetensors"]
    state, done = kept.read("run")
    assert done == [{"after": 1}, {"after": 2}] and torch.equal(state["weight"], two.weight)
    assert kept.read("another run") is None and kept.holds_any
    kept.remove()
    assert not list(tmp_path.iterdir())


def test_what_is_damaged_is_passed_over(kept, tmp_path):
    kept.write("run", nn.Linear(2, 2), [{"after": 1}])
    (tmp_path / ".out.requests" / "2.safetensors").write_bytes(b"half of a fi")
    assert kept.read("run")[1] == [{"after": 1}]


def test_nothing_is_kept_where_nothing_is_to_be_written(tmp_path):
    nowhere = KeptSteps(None)
    nowhere.write("run", nn.Linear(2, 2), [{}])
    assert nowhere.read("run") is None
    nowhere.remove()
