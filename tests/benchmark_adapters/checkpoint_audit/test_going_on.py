"""An audit that was killed goes on where it was: what is kept, and when it is made anew."""

import os
import subprocess
import sys
import time

import pytest
import torch
from digits_as_images import suli
from retrained_digits import SET
from torch import nn

from benchmark_adapters.checkpoint_audit.kept import Kept

DEADLINE = 300


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "suli_plugin", "audit", *map(str, arguments)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ},
    )  # fmt: skip


def weights(output):
    """The kept weights by name, and when each file was written."""
    return {
        path.name: path.stat().st_mtime_ns
        for path in (output / "kept").glob("*.safetensors")
        if ".features." not in path.name
    }


@pytest.mark.slow
def test_after_a_kill_only_what_is_missing_is_made(retrains, original, digits, tmp_path):
    asked = (retrains.another, "--original", original, "--dataset", digits, "--forget-class",
             "three", "--train-retrained", "2", *SET, "--output", tmp_path)  # fmt: skip
    running = start(*asked)
    end = time.monotonic() + DEADLINE
    while len(weights(tmp_path)) < 2 and running.poll() is None:
        assert time.monotonic() < end, "nothing is kept"
        time.sleep(0.02)
    running.kill()
    assert running.wait() < 0 and not (tmp_path / "audit.json").exists()
    running.stderr.close()
    before = weights(tmp_path)
    assert 2 <= len(before) < 10
    again = start(*asked)
    said = again.communicate(timeout=DEADLINE)[1]
    assert again.returncode in (0, 1, 3), said
    after = weights(tmp_path)
    assert before.items() <= after.items()
    assert len(after) == 3 + 7 and (tmp_path / "audit.json").is_file()
    # A third start makes nothing, and says the same.
    first = (tmp_path / "audit.json").read_text()
    suli("audit", *asked, code=again.returncode)
    assert weights(tmp_path) == after and (tmp_path / "audit.json").read_text() == first


def layer(value):
    made = nn.Linear(2, 2)
    nn.init.constant_(made.weight, value)
    return made


def test_weights_are_kept_by_what_they_are_made_of(tmp_path):
    kept = Kept(tmp_path)
    made = kept.model("retrain", {"seed": 1}, lambda: layer(0), lambda: layer(1))
    same = kept.model("retrain", {"seed": 1}, lambda: layer(0), lambda: pytest.fail("kept"))
    assert torch.equal(made.weight, same.weight) and not same.training
    other = kept.model("retrain", {"seed": 2}, lambda: layer(0), lambda: layer(2))
    assert float(other.weight.detach()[0, 0]) == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_a_broken_file_is_made_anew(tmp_path):
    kept = Kept(tmp_path)
    kept.model("retrain", {}, lambda: layer(0), lambda: layer(1))
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    again = kept.model("retrain", {}, lambda: layer(0), lambda: layer(1))
    assert float(again.weight.detach()[0, 0]) == 1
    assert torch.equal(
        kept.model("retrain", {}, lambda: layer(0), lambda: pytest.fail("kept")).weight,
        again.weight,
    )


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kept = Kept(None)
    for value in (1, 2):
        made = kept.model("retrain", {}, lambda: layer(0), lambda value=value: layer(value))
        assert float(made.weight.detach()[0, 0]) == value
    assert not list(tmp_path.iterdir())
