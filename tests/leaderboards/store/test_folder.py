"""A store in a folder: submit, verify, amend; many at a time; killed at any moment."""

import copy
import json
import shutil
import threading
from dataclasses import replace

import pytest
from altered_store import REGISTRY
from click.testing import CliRunner

from leaderboards.claims.verdict import Refused
from leaderboards.command import leaderboard
from leaderboards.store import folder as folder_store
from leaderboards.store.aggregate import rows, stored_submissions
from leaderboards.store.evidence import StoreEvidence
from leaderboards.store.files import FolderFiles
from leaderboards.store.folder import drop_evidence, put_submissions, put_verdict
from leaderboards.submission.run_folder import found_submissions
from leaderboards.verification.impostors import impostors


def suli(*arguments, code=0):
    """What `suli leaderboard` prints; the exit code is checked."""
    done = CliRunner().invoke(leaderboard, [str(each) for each in arguments])
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def states(root):
    return {
        row["method"]: row["state"] for row in rows(FolderFiles(root)) if row["state"] != "reported"
    }


def files(root):
    """Every file of a store but the lock, by path."""
    return {
        name: FolderFiles(root).read(name) for name in FolderFiles(root).sizes if name[0] != "."
    }


def test_submit_shows_what_is_sent_and_verify_writes_down_what_it_found(runs, board_file, tmp_path):
    root = tmp_path / "store"
    asked = ("submit", runs, "--board", board_file, "--to", root, "--as", "ada")
    shown = suli(*asked, "--methods", "suli", "--dry-run")
    assert "suli: 2 records (1 scenarios, 2 seeds)" in shown and "retrain: 2 records" in shown
    assert "nothing was sent" in shown and not root.exists()
    assert "Send this?" in suli(*asked, code=1) and not root.exists()
    sent = json.loads(suli(*asked, "--json"))
    assert sent["changed"] and len(sent["submissions"]) == 5
    assert states(root) == dict.fromkeys(
        ["original", "retrain", "suli", "bn_drift", "logit_mask"], "claimed"
    )
    verified = suli("verify", root, "--board", board_file, "--as", "bob", "--methods", "suli,r*")
    assert "re-scored    digits.class-wise-suli" in verified
    assert states(root)["suli"] == "re-scored" and states(root)["bn_drift"] == "claimed"
    assert "nothing to verify" in suli(
        "verify", root, "--board", board_file, "--as", "bob", "--methods", "suli"
    )
    [row] = [row for row in rows(FolderFiles(root)) if row["method"] == "suli" and not row["paper"]]
    assert (row["verified_by"], row["verified_level"], row["n"]) == ("bob", "rescore", 2)
    assert row["needs_only_forget"] and row["seeds"] == [0, 1] and row["gap_to_retrain"]["n"] == 2
    assert "zrf" in row["verified_metrics"] and "relearn_updates" not in row["verified_metrics"]


@pytest.mark.parametrize(
    "command", [("verify", "--as", "bob"), ("export", "--output"), ("render", "--output")]
)
def test_a_folder_that_is_not_there_is_no_store_without_entries(command, tmp_path):
    name, *options = command
    output = [tmp_path / "out"] if "--output" in options else []
    said = suli(name, tmp_path / "nowhere", *options, *output, code=1)
    assert "there is no folder" in said and "nowhere" in said and not list(tmp_path.iterdir())


def test_a_sample_is_said_in_the_verdict(honest, board_file, tmp_path):
    root = shutil.copytree(honest, tmp_path / "store")
    asked = ("verify", root, "--board", board_file, "--as", "bob", "--methods", "suli", "--json")
    [reloaded] = json.loads(suli(*asked, "--level", "reload", "--sample", "5"))
    assert reloaded["sample"] == 5 and "relearn_updates" not in reloaded["found"]["class-3/0"]
    [rerun] = json.loads(suli(*asked, "--level", "rerun", "--sample", "1"))
    passes = [values for values in rerun["found"].values() if "forward_passes" in values]
    assert rerun["outcome"] == "reproduced" and len(passes) == 1


def test_folders_of_the_submitter_do_not_leave_the_machine(runs, board, tmp_path):
    submissions, _ = found_submissions(runs, board, REGISTRY, submitter="ada")
    assert str(runs) not in json.dumps([each.as_dict() for each in submissions])
    from leaderboards.submission.run_folder import without_folders

    record = {
        "command": "suli bench run x --data /home/ada/cifar10 --original=/home/ada/net.th",
        "options": {"data": "/home/ada/cifar10", "retain_scored": 7},
        "original": {"source": "~/net", "kind": "published"},
    }
    shown = without_folders(record)
    assert shown["command"] == "suli bench run x --data cifar10 --original=net.th"
    assert shown["options"] == {"data": "cifar10", "retain_scored": 7}
    assert shown["original"] == {"source": "net", "kind": "published"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "su"], "no record of 'su'"),
        (["--board", "nothing"], "there is no board 'nothing'"),
        (["--board", "vggface2-resnet50.class-wise"], "takes no submissions yet: its images may"),
        (["--board", "digits.instance-wise"], "no method with a record for each"),
        (["--as", "<ada>"], "submitter must match"),
        (["--data", "x"], "digits takes no --data"),
    ],
)
def test_what_cannot_be_submitted_is_said_in_one_line(
    arguments, message, runs, board_file, tmp_path
):
    asked = ["submit", runs, "--board", board_file, "--to", tmp_path / "s", "--as", "ada"]
    done = CliRunner().invoke(leaderboard, [*map(str, asked), *arguments])
    refused = "takes no submissions" in message
    assert (
        done.exit_code == 2 - refused and message in done.output and "Traceback" not in done.output
    )


def test_a_run_of_requests_that_follow_one_another_is_refused_and_one_beside_it_is_not(
    runs, board, tmp_path
):
    from benchmark_adapters.records.record import read_record, write_record

    folder, scenario = tmp_path / "runs", "sequence-2-classes-3-5"
    source = next(runs.glob("digits/class-3/suli/0-*.json"))
    write_record(
        folder / "digits" / scenario / "suli" / source.name,
        {**read_record(source), "scenario": scenario},
    )
    said = rf"\({scenario}\), which no board takes: .* suli bench report {folder} shows them"
    for methods in ((), ("suli",)):
        with pytest.raises(ValueError, match=said):
            found_submissions(folder, board, REGISTRY, submitter="ada", methods=methods)
    shutil.copytree(runs, folder, dirs_exist_ok=True)
    submissions, _ = found_submissions(folder, board, REGISTRY, submitter="ada")
    assert {record["scenario"] for each in submissions for record in each.claimed} == {"class-3"}


def test_claims_that_the_logits_contradict_are_not_even_sent(runs, board_file, tmp_path):
    from benchmark_adapters.records.record import read_record, write_record

    folder = shutil.copytree(runs, tmp_path / "runs")
    path = next(folder.glob("digits/class-3/suli/0-*.json"))
    record = read_record(path)
    record["metrics"]["test_accuracy"] = 0.999
    write_record(path, record)
    said = suli("submit", folder, "--board", board_file, "--to", tmp_path / "s", "--as", "ada",
                "--yes", code=1)  # fmt: skip
    assert "class-3/0: test_accuracy is claimed as 0.999, found" in said
    assert not (tmp_path / "s").exists()


def test_a_repeated_submission_changes_nothing_and_an_amended_one_replaces_it(
    store, runs, board, cases
):
    put_verdict(store.root, *verified(store))
    before = files(store.root)
    submissions, evidence = found_submissions(runs, board, REGISTRY, submitter="ada")
    assert not put_submissions(store.root, submissions, evidence)
    assert files(store.root) == before and states(store.root)["suli"] == "re-scored"
    amended = [replace(each, created="later") for each in submissions if each.method == "suli"]
    assert put_submissions(store.root, amended, evidence)
    assert states(store.root)["suli"] == "claimed"
    assert len(stored_submissions(FolderFiles(store.root))) == 5


def verified(store, method="suli", level="rescore"):
    from leaderboards.store.evidence import StoreEvidence

    submission = StoreEvidence(FolderFiles(store.root), store.cases.board).submission(
        store.id(method)
    )
    return submission, store.verdict(method, level)


def test_twenty_submissions_at_the_same_time_are_all_there_once(runs, board, tmp_path):
    root = tmp_path / "store"

    def submit(name):
        put_submissions(
            root, *found_submissions(runs, board, REGISTRY, submitter=name, methods=["suli"])
        )

    threads = [threading.Thread(target=submit, args=(f"user{i}",)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = json.loads((root / "aggregate.json").read_text())["rows"]
    submitters = [row["submitter"] for row in made if row["method"] == "suli" and not row["paper"]]
    assert sorted(submitters) == sorted(f"user{i}" for i in range(20))


@pytest.mark.parametrize("killed_at", [0, 9, 21, 25, 27])
def test_a_submit_killed_at_any_write_leaves_a_whole_store_and_can_be_repeated(
    killed_at, runs, board, honest, tmp_path, monkeypatch
):
    root, made = tmp_path / "store", found_submissions(runs, board, REGISTRY, submitter="ada")
    write, written = folder_store.write_bytes, []

    def killed(path, data):
        if len(written) == killed_at:
            raise KeyboardInterrupt
        written.append(path)
        write(path, data)

    monkeypatch.setattr(folder_store, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        put_submissions(root, *made)
    monkeypatch.undo()
    there = FolderFiles(root)
    for submission in stored_submissions(there):
        assert set(submission.evidence_paths()) <= set(there.sizes)
    put_submissions(root, *made)
    assert files(root) == files(honest)


def test_a_killed_verify_leaves_no_verdict_or_a_whole_one_and_can_be_repeated(store, monkeypatch):
    found = verified(store)
    monkeypatch.setattr(folder_store, "_rebuild", lambda root: (_ for _ in ()).throw(OSError()))
    with pytest.raises(OSError):
        put_verdict(store.root, *found)
    monkeypatch.undo()
    folder_store.rebuild(store.root)
    assert states(store.root)["suli"] == "re-scored"


def test_a_verdict_counts_for_what_was_verified_and_a_refutation_stays(store):
    submission, passed = verified(store)
    refuted = replace(passed, level="rerun", outcome="refuted", reasons=("x is y",))
    put_verdict(store.root, submission, refuted)
    put_verdict(store.root, submission, passed)
    assert states(store.root)["suli"] == "refuted"
    put_verdict(store.root, submission, replace(passed, level="rerun", outcome="reproduced"))
    assert states(store.root)["suli"] == "reproduced"
    put_verdict(store.root, submission, replace(passed, digest="0" * 64, outcome="refuted"))
    assert states(store.root)["suli"] == "reproduced"


def test_dropped_evidence_is_of_verified_submissions_and_leaves_them_to_be_run_again(store):
    put_verdict(store.root, *verified(store))
    assert list(drop_evidence(store.root, above=2**30)) == []
    assert list(drop_evidence(store.root, above=1000)) == [store.id("suli")]
    with pytest.raises(Refused, match="not kept here; verified before"):
        store.verdict()
    again = store.verdict(level="rerun")
    assert again.outcome == "reproduced" and "evidence is not kept" in again.notes[0]
    [row] = [
        each for each in rows(FolderFiles(store.root)) if each.get("submission") == store.id("suli")
    ]
    assert "bytes, not kept here" in row["evidence_dropped"] and row["state"] == "re-scored"
    shutil.rmtree(store.root / "evidence" / store.id("retrain"))
    again = store.verdict(level="rerun")
    assert again.outcome == "reproduced" and "without distances to Retrain" in again.notes[1]


def test_where_the_controls_evidence_was_dropped_a_method_is_still_told_from_them(store):
    for method in ("logit_mask", "bn_drift"):
        shutil.rmtree(store.root / "evidence" / store.id(method))
    assert store.verdict("suli").outcome == "re-scored"
    [mask, ours] = (store.read(name)["claimed"] for name in ("logit_mask", "suli"))
    record, twin = copy.deepcopy(ours[0]), mask[0]
    record["evidence"]["logits"]["sha256"] = twin["evidence"]["logits"]["sha256"]
    evidence = StoreEvidence(FolderFiles(store.root), store.cases.board)
    [submission] = evidence.of_method("suli")
    found = list(impostors(submission, record, {}, evidence))
    assert [refutes for refutes, _ in found] == [True] and "those of logit_mask" in found[0][1]


def test_records_of_one_and_the_same_model_share_its_evidence(store):
    """A method that draws nothing gives the same model for every seed."""
    [submission] = StoreEvidence(FolderFiles(store.root), store.cases.board).of_method("suli")
    first = submission.claimed[0]
    once, twice = (replace(submission, claimed=(first,) * count) for count in (1, 2))
    assert twice.evidence_paths() == once.evidence_paths() and len(once.evidence_paths()) == 3
