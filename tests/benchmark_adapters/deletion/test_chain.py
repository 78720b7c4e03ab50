"""Receipts that follow one another: their history, and the verification of every link."""

import hashlib
import json
import shutil

import pytest
from digits_as_images import UNLEARN, suli
from forged_receipt import forged
from made_once import made_once
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.deletion.checkpoint_files import RECEIPT
from benchmark_adapters.deletion.receipt import read_receipt, write_receipt
from benchmark_adapters.deletion.receipt_fields import WITHOUT_PARENT


@pytest.fixture(scope="session")
def three_requests(tmp_path_factory, original, unlearned, digits):
    """A folder of an original, and of three checkpoints, each unlearned from the one before."""

    def make(folder):
        shutil.copytree(original, folder / "original")
        shutil.copytree(unlearned, folder / "first")
        ids = folder / "ids.txt"
        ids.write_text("train-0\ntrain-10")
        for model, out, forget, *more in (
            ("first", "second", ("--forget-class", "five")),
            ("second", "third", ("--forget-ids", ids), "--set", "stop=never"),
        ):
            suli(*UNLEARN, "--model", folder / model, "--dataset", digits, *forget, *more,
                 "--method", "neg_grad", "--set", "epochs=1", "--output", folder / out)  # fmt: skip

    return made_once(tmp_path_factory, "three-requests", make)


@pytest.fixture
def chain(three_requests, tmp_path):
    """A copy of it, to be altered."""
    return shutil.copytree(three_requests, tmp_path / "chain")


def sha256(folder):
    return hashlib.sha256((folder / RECEIPT).read_bytes()).hexdigest()


def verify(folder, *more, code=0):
    done = suli("receipt", "verify", folder, "--chain", *more, "--json", code=code)
    return {check["what"]: check for check in json.loads(done.stdout)}


def test_each_receipt_names_its_parents_hash(three_requests):
    folders = [three_requests / name for name in ("first", "second", "third")]
    assert [read_receipt(folder)["parent"] for folder in folders] == [
        None, sha256(folders[0]), sha256(folders[1])
    ]  # fmt: skip


def test_the_history_shows_what_when_how_and_from_what(three_requests):
    third = three_requests / "third"
    rows = json.loads(suli("receipt", "history", third, "--json").stdout)
    assert [(row["forgotten"], row["method"], row["original"]["source"]) for row in rows] == [
        ("class three", "suli", "original"),
        ("class five", "neg_grad", "first"),
        ("2 samples", "neg_grad", "second"),
    ]
    receipts = [read_receipt(three_requests / name) for name in ("first", "second", "third")]
    assert [row["created"] for row in rows] == [each["record"]["created"] for each in receipts]
    assert [row["parent"] for row in rows] == [None, rows[0]["receipt"], rows[1]["receipt"]]
    shown = suli("receipt", "history", third).stdout.splitlines()
    assert len(shown) == 4 and shown[1].startswith("class three")
    assert rows[1]["created"] in shown[2] and str(third) in shown[3]


def test_every_link_is_verified(three_requests, digits):
    checks = verify(three_requests / "third", "--dataset", digits)
    assert {check["state"] for check in checks.values()} == {"matches"}, checks
    for name in ("original", "second: forget set", "first: metrics of the unlearned model"):
        assert name in checks
    assert checks["parent's receipt"]["detail"].startswith("sha256 ")
    assert checks["chain"]["detail"] == "3 receipts, back to the original original"


def test_links_out_of_reach_are_named_until_they_are_named(chain, tmp_path, digits):
    third = chain / "third"
    shutil.move(chain / "first", tmp_path / "archive" / "one")
    checks = verify(third, "--dataset", digits, code=1)
    lost = checks["request of class three (suli)"]
    assert lost["state"] == "not checked" and "'first' is a folder that is not" in lost["detail"]
    assert checks["chain"]["detail"] == "2 of 3 receipts could be reached"
    shown = suli("receipt", "history", third).stdout.splitlines()
    assert shown[1].split() == ["class", "three", "-", "suli", "-", "-", "-", "-"]
    assert shown[-1].startswith("not reached: the receipts of the first 1 request; 'first' is a")
    checks = verify(third, "--dataset", digits, "--model", tmp_path / "archive" / "one",
                    "--model", chain / "original")  # fmt: skip
    assert {check["state"] for check in checks.values()} == {"matches"}, checks
    line = suli("receipt", "verify", third, "--model", "a", "--model", "b", code=2).stderr
    assert "several --model are for --chain" in line.splitlines()[-1]


def test_another_parent_than_the_one_named_differs(chain, digits):
    forged(chain / "second", lambda receipt: receipt["record"].update(created="2020-01-01T00:00Z"))
    checks = verify(chain / "third", "--dataset", digits, code=1)
    assert [what for what, check in checks.items() if check["state"] == "differs"] == [
        "parent's receipt"
    ]


def test_a_receipt_of_before_is_valid_and_said_to_be_without_its_parents_hash(chain, digits):
    """As the last version wrote it, which measured nothing in the training split either."""
    older = read_receipt(chain / "second")
    older["format"] = WITHOUT_PARENT
    for name in ("parent", "came_back", "requests", "after_each"):
        del older[name]
    for part in (older["record"]["metrics"], older["original_metrics"]):
        del part["forgotten_before_accuracy"]
    for part in (older["record"]["sizes"], older["record"]["set_hashes"], older["dataset"]["sets"]):
        del part["forgotten_before"]
    why = {"accuracy on what was forgotten earlier": "no retain or test data have it"}
    older["not_measured"] |= why
    write_receipt(chain / "second", older)
    forged(chain / "second", lambda receipt: None)
    checks = verify(chain / "second", "--dataset", digits)
    assert {check["state"] for check in checks.values()} == {"matches"}, checks
    assert checks["parent's receipt"]["detail"].startswith(
        "none named, as in all of suli-receipt/2"
    )
    assert suli("receipt", "history", chain / "second").stdout.splitlines()[2].endswith("none")


def test_a_chain_on_the_hub_is_followed_at_its_commits(hub, unlearned, original, digits, tmp_path):
    suli("publish", unlearned, "ada/first")
    first = hub.repo("model", "ada/first").commit_at().sha
    suli(*UNLEARN, "--model", "ada/first", "--dataset", digits, "--forget-class", "five",
         "--method", "neg_grad", "--set", "epochs=1", "--output", tmp_path / "second")  # fmt: skip
    hub.seed_repo("ada/first", "model", {"notes.txt": b"a later commit"})
    rows = json.loads(suli("receipt", "history", tmp_path / "second", "--json").stdout)
    assert [row["checkpoint"] for row in rows] == [f"ada/first@{first}", str(tmp_path / "second")]
    assert rows[1]["parent"] == rows[0]["receipt"] == sha256(unlearned)
    checks = verify(tmp_path / "second", "--dataset", digits, "--model", original)
    assert {check["state"] for check in checks.values()} == {"matches"}, checks
    assert checks["chain"]["detail"].startswith("2 receipts")
