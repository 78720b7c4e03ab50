"""`suli unlearn` when it is killed, when the disk is full, and when the Hub may not be asked."""

import os
import resource
import signal
import subprocess
import sys

import pytest
from ctrl_c import with_ctrl_c
from digits_as_images import UNLEARN, suli
from small_images import own_cache  # noqa: F401  # an autouse fixture

pytestmark = pytest.mark.slow  # each starts the command line in a process of its own


def started(original, data, out, *more, **options):
    command = [
        *(
            sys.executable,
            "-m",
            "suli_plugin",
            "unlearn",
            "--at-most",
            "1",
            "--model",
            original,
            "--dataset",
            data,
        ),
        *("--forget-class", "three", "--output", out, "--allow-unchanged", *more),
    ]
    return subprocess.Popen(
        list(map(str, command)),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **{"preexec_fn": with_ctrl_c, **options},
    )


def interrupted(how, *arguments):
    """The process, and what else it said, after a signal in the middle of its work."""
    process = started(*arguments)
    try:
        lines = iter(process.stderr.readline, "")
        assert any(line.startswith("forgetting 42 samples") for line in lines)
        process.send_signal(how)
        _, said = process.communicate(timeout=600)
    finally:
        process.kill()
    return process, said


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_what_is_interrupted_leaves_nothing(how, original, digits, tmp_path):
    out = tmp_path / "made" / "out"
    endless = ("--method", "su", "--set", "epochs=1000000", "--set", "stop=never")
    process, said = interrupted(how, original, digits, out, *endless)
    assert process.returncode == (1 if how == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in said and not (tmp_path / "made").exists()
    # What was there stays as it was, too.
    suli(*UNLEARN, "--model", original, "--dataset", digits, "--forget-class", "three",
         "--method", "original", "--allow-unchanged", "--output", out)  # fmt: skip
    before = sorted((path, path.read_bytes()) for path in out.rglob("*") if path.is_file())
    interrupted(how, original, digits, out, *endless, "--force")
    assert before == sorted((path, path.read_bytes()) for path in out.rglob("*") if path.is_file())
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_full_disk_is_said_in_one_line_and_leaves_nothing(original, digits, tmp_path):
    def small_files():
        # No file may grow beyond this; the weights are larger, what is written before is not.
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    environment = {**os.environ, "SULI_CACHE": str(tmp_path / "cache")}
    # Decoded images are cached then.
    suli(*UNLEARN, "--model", original, "--dataset", digits, "--forget-class", "three",
         "--method", "original", "--allow-unchanged", "--output", tmp_path / "first")  # fmt: skip
    assert (tmp_path / "first" / "model.safetensors").stat().st_size > 60_000
    out = tmp_path / "made" / "out"
    process = started(original, digits, out, "--method", "su", "--set", "epochs=1",
                      preexec_fn=small_files, env=environment)  # fmt: skip
    _, said = process.communicate(timeout=600)
    assert process.returncode == 1 and f"Error: cannot write {out}: " in said.splitlines()[-1]
    assert "Traceback" not in said and list((tmp_path / "made").iterdir()) == []


def test_offline_the_cache_is_enough_and_without_it_the_message_says_so(
    hub, original, digits, tmp_path
):
    hub.seed_repo("ada/net", "model", original)
    hub.seed_repo("ada/digits", "dataset", digits)
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    ask = ("ada/net", "ada/digits")
    process = started(*ask, tmp_path / "a", "--method", "original", env=offline)
    _, said = process.communicate(timeout=600)
    assert process.returncode == 1 and "is not in the cache" in said.splitlines()[-1]
    process = started(*ask, tmp_path / "b", "--method", "original", env=dict(os.environ))
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    asked = len(hub.requests)
    process = started(
        *ask, tmp_path / "c", "--method", "original", "--push", "ada/new", env=offline
    )
    _, said = process.communicate(timeout=600)
    *_, line = said.splitlines()
    assert process.returncode == 1 and "HF_HUB_OFFLINE" in line and "suli publish" in line
    assert (tmp_path / "c" / "unlearning.json").exists() and len(hub.requests) == asked
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in "bc"]
    assert weights[0] == weights[1]
