"""Shards divide a grid: nothing twice, nothing left out, no case torn apart."""

import pytest
from accelerate import Accelerator

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.shard import Shard, shard_of
from suli_plugin.plugins import load_plugins

REGISTRY = load_plugins(strict=True)


def planned(retrains):
    return plan(
        Digits(), REGISTRY, scenarios=["class-[12]", "instance-64"], seeds=[0, 1, 2],
        methods=["original", "retrain", "bn_drift"], retrains=retrains, accelerator=Accelerator(),
    )  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 4, 20])
def test_shards_are_a_partition(count):
    cells = planned(retrains=2)
    parts = [Shard(number, count).of(cells) for number in range(1, count + 1)]
    assert sorted(cell.key for part in parts for cell in part) == sorted(c.key for c in cells)
    assert all(part == [cell for cell in cells if cell in part] for part in parts)


def test_a_case_stays_whole_and_with_repeats_of_retrain_all_seeds_of_a_class():
    def places(retrains):
        found = {}
        for number in range(1, 5):
            for cell in Shard(number, 4).of(planned(retrains)):
                found.setdefault((cell.scenario, cell.seed), set()).add(number)
        return found

    assert all(len(parts) == 1 for parts in (places(0) | places(2)).values())
    of_class = [{places(n)["class-1", seed].copy().pop() for seed in (0, 1, 2)} for n in (0, 2)]
    assert [len(parts) for parts in of_class] == [3, 1]
    assert len({places(2)["instance-64", seed].pop() for seed in (0, 1, 2)}) == 3


@pytest.mark.parametrize(
    ("first", "step", "task", "number"),
    [("0", "1", "3", 4), ("1", "1", "3", 3), ("10", "5", "20", 3)],
)
def test_a_job_array_of_slurm_says_which_part(first, step, task, number):
    environment = {
        "SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_TASK_COUNT": "4",
        "SLURM_ARRAY_TASK_MIN": first, "SLURM_ARRAY_TASK_STEP": step,
    }  # fmt: skip
    found = shard_of(None, environment)
    assert (found.number, found.count) == (number, 4)
    assert shard_of("1/1", environment).count == 1
    assert shard_of(None, {}) is None


@pytest.mark.parametrize("text", ["3/2", "0/2", "2", "a/b", "-1/2"])
def test_no_part_is_refused(text):
    with pytest.raises(ValueError, match="--shard"):
        shard_of(text, {})


def test_a_job_array_of_unknown_size_is_refused():
    with pytest.raises(ValueError, match="SLURM_ARRAY_TASK_COUNT is not"):
        shard_of(None, {"SLURM_ARRAY_TASK_ID": "3"})
