"""Several requests of one file in several processes: each request together, one that writes."""

import json

import pytest
from digits_as_images import UNLEARN
from repository import SUPPORT
from safetensors import safe_open
from small_images import own_cache  # noqa: F401  # an autouse fixture
from suli_in_two_processes import suli_in_two_processes

from benchmark_adapters.deletion.receipt import check_receipt, read_receipt

pytestmark = pytest.mark.slow
REQUESTS = "request,date,class\nr2,2026-02-01,five\nr1,2026-01-01,three\nr3,2026-03-01,zero\n"


def done_in(path):
    """What a file of kept progress says of the requests that were done, apart from times."""
    with safe_open(path, "pt") as file:
        return apart_from_seconds(json.loads(file.metadata()["done"]))


def apart_from_seconds(done):
    after = (each.get("after", each) for each in done)
    return [{name: of for name, of in each.items() if name != "seconds"} for each in after]


def asked(original, digits, folder, *method):
    """The arguments of one run of all requests."""
    (folder / "r.csv").write_text(REQUESTS)
    return (*UNLEARN, "--model", original, "--dataset", digits, "--requests", folder / "r.csv",
            "--method", *method, "--output", folder / "out")  # fmt: skip


def test_two_processes_that_are_killed_go_on_together_and_one_writes(original, digits, tmp_path):
    arguments = asked(original, digits, tmp_path, "suli@official", "--set", "sweeps=1")
    copies, kept = tmp_path / "copies", tmp_path / ".out.requests"
    copies.mkdir()
    killed = suli_in_two_processes(*arguments, program=(SUPPORT / "suli_killed_in_turn.py", copies))
    assert killed.returncode != 0 and "SIGKILL" in killed.stderr, killed.stderr[-2000:]
    assert [path.name for path in kept.iterdir()] == ["2.safetensors"]
    assert not (tmp_path / "out").exists()

    # As if it had been killed one request earlier: the second one is done again.
    whole = done_in(kept / "2.safetensors")
    (kept / "2.safetensors").unlink()
    (copies / "1.safetensors").rename(kept / "1.safetensors")
    done = suli_in_two_processes(*arguments)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr.count("continuing after request 1 of 3") == 1
    assert "request 1 of 3" not in done.stderr.replace("after request 1 of 3", "")
    assert done.stderr.count("request 2 of 3: ") == done.stdout.count("written to") == 1
    assert not kept.exists()

    receipt = read_receipt(tmp_path / "out")
    check_receipt(receipt)
    assert [each["name"] for each in receipt["requests"]] == ["r1", "r2", "r3"]
    assert receipt["record"]["processes"] == 2
    assert apart_from_seconds(receipt["after_each"])[:2] == whole
    assert receipt["after_each"][2]["state_hash"] == receipt["record"]["unlearned_hash"]


def test_two_processes_stop_together_where_what_was_done_can_not_be_kept(
    original, digits, tmp_path
):
    arguments = asked(original, digits, tmp_path, "logit_mask")
    (tmp_path / ".out.requests").write_text("a file where the folder would be")
    stopped = suli_in_two_processes(*arguments)
    said = stopped.stderr
    assert stopped.returncode != 0 and not (tmp_path / "out").exists()
    assert "request 1 of 3: " in said and "request 2 of 3" not in said, said
    # Each process ends with the same line.
    assert said.count(f"File exists: '{tmp_path}/.out.requests'") == 2, said
