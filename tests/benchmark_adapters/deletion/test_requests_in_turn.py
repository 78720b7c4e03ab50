"""Several requests of one file as one run: one checkpoint, one receipt, resumable after a kill."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from digits_as_images import UNLEARN, suli
from made_once import made_once
from small_images import own_cache  # noqa: F401  # an autouse fixture
from torch import nn

from benchmark_adapters.deletion.checkpoint_files import RECEIPT
from benchmark_adapters.deletion.kept_steps import KeptSteps
from benchmark_adapters.deletion.receipt import check_receipt, read_receipt
from benchmark_adapters.records.record import digest

CLASSES = "request,date,class\nr2,2026-02-01,five\nr1,2026-01-01,three\nr3,2026-03-01,zero\n"
# It forgets, and what it forgot comes back with the next request (BatchNorm drifts).
METHOD = ("--method", "suli@official", "--test", "test")
TIMES = ("seconds", "created", "digest", "card", "command")


def arguments(folder, original, digits, out):
    return (*UNLEARN, "--model", original, "--dataset", digits, "--requests", folder / "r.csv",
            *METHOD, "--output", folder / out)  # fmt: skip


@pytest.fixture(scope="session")
def in_turn(tmp_path_factory, original, digits):
    """A folder of a file of three requests and of the checkpoint that came of them."""

    def make(folder):
        folder.mkdir()
        (folder / "r.csv").write_text(CLASSES)
        done = suli(*arguments(folder, original, digits, "out"))
        (folder / "stderr").write_text(done.stderr)

    return made_once(tmp_path_factory, "requests-in-turn", make)


def apart_from_times(value):
    if isinstance(value, dict):
        return {k: apart_from_times(of) for k, of in value.items() if k not in TIMES}
    return [apart_from_times(each) for each in value] if isinstance(value, list) else value


def test_there_is_one_checkpoint_with_one_receipt_of_all(in_turn):
    receipt = read_receipt(in_turn / "out")
    check_receipt(receipt)
    told = [(each["name"], each["date"], each["class_names"]) for each in receipt["requests"]]
    assert told == [
        ("r1", "2026-01-01", ["three"]),
        ("r2", "2026-02-01", ["five"]),
        ("r3", "2026-03-01", ["zero"]),
    ]
    assert receipt["forget_set"]["classes"] == [0, 3, 5]
    assert [len(after["measured"]) for after in receipt["after_each"]] == [1, 2, 3]
    assert receipt["record"]["stop_reason"].count("; ") == 2
    assert sorted(path.name for path in in_turn.iterdir()) == ["out", "r.csv", "stderr"]
    stderr = (in_turn / "stderr").read_text()
    assert "request 2 of 3: r2 of 2026-02-01, class five" in stderr
    card = (in_turn / "out" / "README.md").read_text()
    assert "In 3 requests, one after the other" in card and "| r2 | 2026-02-01 | `five` |" in card


def test_a_rise_is_warned_of_in_report_card_and_receipt(in_turn):
    receipt = read_receipt(in_turn / "out")
    known = [
        {
            each["request"]: max(each["forget_accuracy"], each["test_forget_accuracy"])
            for each in after["measured"]
        }
        for after in receipt["after_each"]
    ]
    rose = [
        (number, name)
        for number in (1, 2)
        for name, rate in known[number - 1].items()
        if known[number][name] > rate
    ]
    assert rose, "this example is to have a rise"
    for number, name in rose:
        rate = receipt["after_each"][number]["came_back"][name]
        assert rate == {"original": known[number - 1][name], "unlearned": known[number][name]}
        line = f"fter request r{number + 1}, what request {name} forgot is recognised again"
        assert f"WARNING: a{line}" in (in_turn / "stderr").read_text()
        assert f"- A{line}" in (in_turn / "out" / "README.md").read_text()
    worst = max(known[-1], key=known[-1].get)
    assert (
        f"of its requests {worst} is recognised the most"
        in (in_turn / "out" / "README.md").read_text()
    )


def test_the_receipt_is_verified_and_run_again(in_turn, original, digits):
    done = suli("receipt", "verify", in_turn / "out", "--model", original, "--dataset", digits,
                "--level", "rerun", "--json")  # fmt: skip
    checks = {check["what"]: check for check in json.loads(done.stdout)}
    assert {check["state"] for check in checks.values()} == {"matches"}, checks
    assert checks["requests"]["detail"].startswith("3 of them")
    assert checks["after each request"]["detail"] == "all 3, bit by bit"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda r: r["requests"].pop(), "it has 3 outcomes of 2 requests"),
        (lambda r: r["requests"][0].update(classes=[4]), "the classes of its requests are not"),
        (lambda r: r["after_each"][2].update(state_hash="0" * 64), "request is not its result"),
        (lambda r: r["after_each"][1]["measured"].pop(), "after request 2 it has measured others"),
        (lambda r: [after.update(came_back={}) for after in r["after_each"]], "what came back"),
    ],
)  # fmt: skip
def test_a_receipt_that_contradicts_itself_is_told(change, why, in_turn):
    receipt = read_receipt(in_turn / "out")
    change(receipt)
    with pytest.raises(ValueError, match=why):
        check_receipt({**receipt, "digest": digest(receipt)})


def test_a_process_that_is_killed_between_requests_goes_on(in_turn, original, digits, tmp_path):
    shutil.copy(in_turn / "r.csv", tmp_path / "r.csv")
    command = [str(part) for part in arguments(tmp_path, original, digits, "out")]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "suli_plugin", *command],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ),
    )  # fmt: skip
    kept, deadline = tmp_path / ".out.requests", time.monotonic() + 120
    while not (kept / "1.safetensors").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "out").exists() and list(kept.glob("[12].safetensors"))
    done = suli(*command)
    assert "continuing after request " in done.stderr
    assert not kept.exists()
    for path in sorted((in_turn / "out").iterdir()):
        again = (tmp_path / "out" / path.name).read_bytes()
        if path.name in (RECEIPT, "README.md"):
            continue
        assert again == path.read_bytes(), path.name
    first, second = (json.loads((place / "out" / RECEIPT).read_text())
                     for place in (in_turn, tmp_path))  # fmt: skip
    assert apart_from_times(first) == apart_from_times(second)


def test_samples_by_id_and_the_next_request(in_turn, original, digits, tmp_path):
    (tmp_path / "r.csv").write_text(
        "request,date,id\nr1,2026-01-01,train-0\nr1,2026-01-01,train-10\nr2,2026-01-02,train-20\n"
    )
    KeptSteps(tmp_path / "out").write("another run", nn.Linear(1, 1), [{}])
    done = suli(*arguments(tmp_path, in_turn / "out", digits, "out"), "--reference", "held")
    assert "is of another run" in done.stderr and "continuing" not in done.stderr
    receipt = read_receipt(tmp_path / "out")
    assert [each["ids"] for each in receipt["requests"]] == [["train-0", "train-10"], ["train-20"]]
    assert receipt["forgotten_before"][0]["classes"] == [0, 3, 5]
    rows = json.loads(suli("receipt", "history", tmp_path / "out", "--model", in_turn / "out",
                           "--json").stdout)  # fmt: skip
    assert [(row["request"], row["date"], row["forgotten"]) for row in rows] == [
        ("r1", "2026-01-01", "class three"),
        ("r2", "2026-02-01", "class five"),
        ("r3", "2026-03-01", "class zero"),
        ("r1", "2026-01-01", "2 samples"),
        ("r2", "2026-01-02", "1 sample"),
    ]


def test_a_wrong_file_is_refused_in_one_line(original, digits, tmp_path):
    (tmp_path / "r.csv").write_text("request,date,class\nr1,2026-01-01,three\nr1,today,five\n")
    said = suli(*arguments(tmp_path, original, digits, "out"), code=2).stderr.splitlines()[-1]
    assert "r.csv, line 3: expected a date as YYYY-MM-DD, got 'today'" in said
    said = suli(*arguments(tmp_path, original, digits, "out"), "--forget-class", "one", code=2)
    assert "say what to forget, in one way" in said.stderr.splitlines()[-1]
    (tmp_path / "r.csv").write_text("request,date,class\nr1,2026-01-01,three\nr2,2026-01-01,#3\n")
    said = suli(*arguments(tmp_path, original, digits, "out"), code=2).stderr.splitlines()[-1]
    assert "requests 'r1' and 'r2' both name sample 'train-" in said
    (tmp_path / "r.csv").write_text("request,date,class\nr1,2026-01-01,three\n")
    asked = (*arguments(tmp_path, original, digits, "out"), "--method", "regun")
    said = suli(*asked, code=2).stderr.splitlines()[-1]
    assert "regun supports instance-wise unlearning, and --requests asks for class-wise" in said
