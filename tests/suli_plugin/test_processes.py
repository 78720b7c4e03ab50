"""Two CPU processes on the same global batch give the single-process result."""

import os
import subprocess
import sys

import pytest
import torch
from repository import SUPPORT

SCRIPT = SUPPORT / "two_processes.py"


def states(tmp_path, processes, case, device="cpu"):
    path = tmp_path / f"{processes}.pt"
    if processes == 1:
        launcher = [sys.executable]
    else:
        launcher = [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node",
            str(processes),
        ]  # fmt: skip
    on_gpu = {name: value for name, value in os.environ.items() if name != "ACCELERATE_USE_CPU"}
    done = subprocess.run(
        [*launcher, SCRIPT, case, path, device], capture_output=True, text=True, check=False,
        env=None if device == "cpu" else on_gpu,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return torch.load(path, weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["without_batch_norm", "frozen_batch_norm"])
def test_two_processes_agree_with_one(tmp_path, case):
    check_alike(states(tmp_path, 1, case), states(tmp_path, 2, case))


@pytest.mark.slow
@pytest.mark.skipif(
    torch.cuda.device_count() < 2,
    reason=f"NCCL joins processes of one GPU each; GPUs here: {torch.cuda.device_count()}",
)
def test_two_processes_on_two_gpus_agree_with_one(tmp_path):
    case = "without_batch_norm"
    check_alike(states(tmp_path, 1, case, "gpu"), states(tmp_path, 2, case, "gpu"))


def check_alike(one, two):
    assert one.keys() == two.keys()
    for method in one:
        assert one[method]["processes"] == 1 and two[method]["processes"] == 2
        for key in ("stop_reason", "layers", "accuracies", "passes"):
            assert one[method][key] == two[method][key], (method, key)
        for name, value in one[method]["state"].items():
            torch.testing.assert_close(
                value, two[method]["state"][name], rtol=1e-3, atol=1e-5, msg=f"{method} {name}"
            )


@pytest.mark.slow
def test_moving_buffers_stay_equal_on_all_processes(tmp_path):
    # The script itself raises if the processes end with different states.
    states(tmp_path, 2, "moving_buffers")


@pytest.mark.slow
def test_two_processes_agree_with_one_in_every_method(tmp_path):
    """Adam's first steps are nearly signs, so round-off turns some of them round."""
    one, two = states(tmp_path, 1, "all_methods"), states(tmp_path, 2, "all_methods")
    assert len(one) == len(two) > 20
    differing = {}
    for method in one:
        assert one[method]["passes"] == two[method]["passes"], method
        apart = torch.cat([
            ((value - two[method]["state"][name]).abs() > 1e-5 + 1e-3 * value.abs()).flatten()
            for name, value in one[method]["state"].items()
        ])  # fmt: skip
        differing[method] = float(apart.double().mean())
    assert {method: share for method, share in differing.items() if share > 0.01} == {}
