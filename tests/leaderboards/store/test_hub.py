"""The whole walk against the loopback Hub: submit, verify as somebody else, merge, show."""

import io
import json
import threading
from dataclasses import replace

import pytest
from altered_store import REGISTRY
from click.testing import CliRunner

from benchmark_adapters.records.evidence import FEATURES_SUFFIX
from leaderboards.command import leaderboard
from leaderboards.store.aggregate import rows
from leaderboards.store.folder import submission_files
from leaderboards.store.hub import HubStore
from leaderboards.submission.run_folder import found_submissions

RESULTS = "org/results"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("benchmark_adapters.hub.push.WAITS", (0.0, 0.0, 0.0))
    monkeypatch.setattr("benchmark_adapters.hub.access.WAITS", (0.0, 0.0, 0.0))


@pytest.fixture
def results(hub):
    """An empty repository; bob keeps it, eve may only propose, as anybody may."""
    hub.add_user("bob", "hf_bob", can_write=["org"])
    hub.add_user("eve", "hf_eve")
    return hub.seed_repo(RESULTS, "dataset", {".gitattributes": b"*.parquet filter=lfs\n"})


@pytest.fixture
def suli(monkeypatch, board_file):
    """`suli leaderboard` as somebody, on the small board."""

    def call(who, *arguments, code=0):
        monkeypatch.setenv("HF_TOKEN", f"hf_{who}")
        asked = [*map(str, arguments), "--board", str(board_file)]
        done = CliRunner().invoke(leaderboard, asked)
        assert done.exit_code == code, (done.output, done.exception)
        return done.output

    return call


def made(runs, board, who, methods=("suli",)):
    submissions, evidence = found_submissions(
        runs, board, REGISTRY, submitter=who, methods=list(methods)
    )
    return submissions, submission_files(submissions, evidence)


def shown(results):
    return {
        row["method"]: row
        for row in json.loads(results.files()["aggregate.json"])["rows"]
        if row["state"] != "reported"
    }


def test_a_second_person_runs_a_submission_again_and_merges_it(suli, runs, results):
    said = suli("eve", "submit", runs, "--to", RESULTS, "--methods", "suli", "--yes")
    assert said.splitlines()[-1].endswith("org/results/discussions/1")
    assert "aggregate.json" not in results.files()
    pull = results.discussion(1)
    assert (pull.author, pull.status) == ("eve", "open") and "digits.class-wise" in pull.title
    said = suli("bob", "verify", RESULTS, "--pr", 1, "--level", "rerun", "--merge")
    assert said.count("reproduced") == 5
    assert pull.status == "merged"
    row = shown(results)["suli"]
    assert (row["state"], row["verified_by"], row["submitter"]) == ("reproduced", "bob", "eve")
    comments = [event for event in pull.events if event["type"] == "comment"]
    assert "reproduced   digits.class-wise-suli-" in comments[-1]["data"]["latest"]["raw"]
    import pandas as pd

    table = pd.read_parquet(io.BytesIO(results.files()["aggregate.parquet"]))
    [of_suli] = table[(table.method == "suli") & ~table.paper].to_dict("records")
    assert of_suli["forget_accuracy_mean"] == row["metrics"]["forget_accuracy"]["mean"]
    assert "data_files: aggregate.parquet" in results.files()["README.md"].decode()
    assert "nothing to verify" in suli("bob", "verify", RESULTS, "--level", "rerun")


def test_the_merged_table_is_loaded_by_datasets(suli, runs, results):
    import datasets

    suli("eve", "submit", runs, "--to", RESULTS, "--methods", "original", "--yes")
    suli("bob", "verify", RESULTS, "--pr", 1, "--merge")
    table = datasets.load_dataset(RESULTS, "leaderboard", split="train")
    assert {"original", "retrain"} <= set(table["method"])


def test_a_dishonest_submission_is_refuted_with_a_comment_and_not_merged(
    suli, runs, board, results
):
    submissions, files = made(runs, board, "eve")
    lie = _better(submissions[-1])
    files[lie.path] = json.dumps(lie.as_dict()).encode()
    _propose(files, "eve")
    said = suli("bob", "verify", RESULTS, "--pr", 1, "--merge", code=1)
    assert "refuted" in said and "test_accuracy is claimed as 1, found" in said
    assert results.discussion(1).status == "open" and "aggregate.json" not in results.files()
    before = len(results.discussion(1).events)
    suli("bob", "verify", RESULTS, "--pr", 1, "--merge", code=1)
    assert len(results.discussion(1).events) == before  # said once


def _better(submission):
    from benchmark_adapters.records.record import digest

    records = [dict(record) for record in submission.claimed]
    for record in records:
        record["metrics"] = {**record["metrics"], "test_accuracy": 1.0}
        record["digest"] = digest(record)
    return replace(submission, claimed=tuple(records))


def _propose(files, who, delete=()):
    """A pull request by hand, of any files."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    operations = [
        *(CommitOperationAdd(path, source) for path, source in files.items()),
        *map(CommitOperationDelete, delete),
    ]
    HfApi(token=f"hf_{who}").create_commit(
        RESULTS, operations, repo_type="dataset", commit_message="by hand", create_pr=True
    )


@pytest.mark.parametrize("path", ["README.md", "verdicts/x.json", "aggregate.json", "evidence/x/y"])
def test_a_pull_request_that_changes_anything_else_is_refused(path, suli, runs, board, results):
    _, files = made(runs, board, "eve")
    _propose({**files, path: b"{}"}, "eve")
    said = suli("bob", "verify", RESULTS, "--pr", 1, "--merge", code=1)
    assert f"it changes '{path}', which is no part of a submission" in said
    assert results.discussion(1).status == "open"


def test_nobody_submits_in_the_name_of_another(suli, runs, board, results):
    _, files = made(runs, board, "ada")
    _propose(files, "eve")
    said = suli("bob", "verify", RESULTS, "--pr", 1, "--merge", code=1)
    assert "it is a submission of ada, the pull request is of 'eve'" in said


def test_nobody_removes_the_submission_of_another(suli, runs, board, results, hub):
    submissions, files = made(runs, board, "ada")
    hub.seed_repo(RESULTS, "dataset", {k: _bytes(v) for k, v in files.items()})
    _, more = made(runs, board, "eve", ["bn_drift"])
    _propose(more, "eve", delete=[submissions[-1].path])
    said = suli("bob", "verify", RESULTS, "--pr", 1, "--merge", code=1)
    assert f"it changes '{submissions[-1].path}'" in said


def _bytes(source):
    return source if isinstance(source, bytes) else source.read_bytes()


def test_a_lost_answer_and_a_retry_make_one_pull_request(suli, runs, results, hub):
    hub.fail("POST .*/commit/main.*create_pr", kind="lost")
    said = suli("eve", "submit", runs, "--to", RESULTS, "--methods", "suli", "--yes")
    assert "there already" in said and len(results.discussions) == 1
    said = suli("eve", "submit", runs, "--to", RESULTS, "--methods", "suli", "--yes")
    assert "there already" in said and len(results.discussions) == 1


def test_an_upload_that_breaks_off_leaves_nothing_and_is_repeated(suli, runs, results, hub):
    hub.fail("PUT /lfs/", kind="drop", times=2)
    suli("eve", "submit", runs, "--to", RESULTS, "--methods", "suli", "--yes")
    assert len(results.discussions) == 1


def test_an_amended_submission_updates_its_pull_request(suli, runs, board, results):
    suli("eve", "submit", runs, "--to", RESULTS, "--methods", "bn_drift", "--yes")
    first = set(results.files("refs/pr/1"))
    suli("eve", "submit", runs, "--to", RESULTS, "--methods", "suli", "--yes")
    assert len(results.discussions) == 1
    assert {path.split("-")[2] for path in set(results.files("refs/pr/1")) - first} == {"suli"}
    submissions, files = made(runs, board, "eve")
    smaller = replace(submissions[-1], claimed=submissions[-1].claimed[:1])
    kept = {smaller.path: json.dumps(smaller.as_dict()).encode()}
    kept |= {path: files[path] for path in smaller.evidence_paths()}
    proposed = HubStore(RESULTS, "hf_eve").propose([smaller], kept)
    assert (proposed.pull_request, proposed.changed) == (1, True)
    folder = f"evidence/{smaller.id}/"
    assert len([path for path in results.files("refs/pr/1") if path.startswith(folder)]) == 3
    assert not HubStore(RESULTS, "hf_eve").propose([smaller], kept).changed


def test_what_is_merged_is_not_proposed_again(suli, runs, results):
    suli("eve", "submit", runs, "--to", RESULTS, "--methods", "suli", "--yes")
    suli("bob", "verify", RESULTS, "--pr", 1, "--merge")
    said = suli("eve", "submit", runs, "--to", RESULTS, "--methods", "suli", "--yes")
    assert "there already" in said and len(results.discussions) == 1


def test_twenty_submitters_at_the_same_time_make_twenty_pull_requests(runs, board, results, hub):
    names = [f"user{i}" for i in range(20)]
    for name in names:
        hub.add_user(name, f"hf_{name}")

    def submit(name):
        HubStore(RESULTS, f"hf_{name}").propose(*made(runs, board, name))

    threads = [threading.Thread(target=submit, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pull.author for pull in results.discussions) == sorted(names)
    store = HubStore(RESULTS, "hf_bob")
    for pull in results.discussions:
        store.merge(store.pull_request(pull.number))
    store.rebuild()
    found = [row for row in rows(store.files()) if row["method"] == "suli" and not row["paper"]]
    assert sorted(row["submitter"] for row in found) == sorted(names)


def test_a_verify_killed_after_the_merge_is_finished_by_the_next(suli, runs, results, monkeypatch):
    suli("eve", "submit", runs, "--to", RESULTS, "--methods", "suli", "--yes")

    def killed(self, verdicts):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(HubStore, "put_verdicts", killed)
        suli("bob", "verify", RESULTS, "--pr", 1, "--merge", code=1)
    assert results.discussion(1).status == "merged" and "verdicts" not in str(results.files())
    suli("bob", "verify", RESULTS, "--pr", 1, "--merge")
    assert shown(results)["suli"]["state"] == "re-scored"


def test_a_pull_request_that_changes_while_it_is_verified_is_not_merged(runs, board, results):
    eve, bob = HubStore(RESULTS, "hf_eve"), HubStore(RESULTS, "hf_bob")
    eve.propose(*made(runs, board, "eve", ["bn_drift"]))
    pull = bob.pull_request(1)
    eve.propose(*made(runs, board, "eve"))
    from benchmark_adapters.hub.access import HubError

    with pytest.raises(HubError, match="has changed since it was verified"):
        bob.merge(pull)


def test_whoever_may_not_write_gets_the_verdict_but_no_merge(suli, runs, results):
    suli("eve", "submit", runs, "--to", RESULTS, "--methods", "suli", "--yes")
    said = suli("eve", "verify", RESULTS, "--pr", 1, "--merge", code=1)
    assert "the Hub refuses this login" in said
    assert results.discussion(1).status == "open"


def test_models_may_stay_in_a_repository_of_their_own(suli, runs, board, results, hub):
    models = hub.seed_repo("eve/models", "model", runs)
    said = suli("eve", "submit", runs, "--to", RESULTS, "--methods", "suli", "--checkpoints",
                "eve/models", "--yes")  # fmt: skip
    assert "discussions/1" in said
    sent = results.files("refs/pr/1")
    large = {path for path in sent if path.endswith(".safetensors")}
    assert large and all(path.endswith(FEATURES_SUFFIX) for path in large)
    [path] = [path for path in sent if "-suli-" in path and path.endswith(".json")]
    named = json.loads(sent[path])["checkpoints"]
    assert named == {"repository": "eve/models", "revision": models.commit_at().sha}
    suli("bob", "verify", RESULTS, "--pr", 1, "--level", "reload", "--merge")
    assert shown(results)["suli"]["verified_level"] == "reload"


def test_a_repository_or_pull_request_that_is_not_there_is_said_in_one_line(suli, runs, results):
    said = suli("eve", "submit", runs, "--to", "org/nothing", "--yes", code=1)
    assert "there is no such repository" in said
    assert "404" in suli("bob", "verify", RESULTS, "--pr", 9, code=1)
    assert "which has no pull requests" in suli("bob", "verify", runs, "--pr", 9, code=2)
    assert "you are logged in as eve" in suli(
        "eve", "submit", runs, "--to", RESULTS, "--as", "bob", "--yes", code=2
    )
