"""Audits that verification makes again: of each model, at each level, of cheats as methods."""

import json
import shutil

import pytest
from altered_store import REGISTRY
from audited_store import (
    CASE,
    AuditedStore,
    audited_board,
    audited_run,
    with_redrawn_row,
)
from made_once import made_once
from run_of_digits import run_of_digits

from benchmark_adapters.grid.case_audits import read_audit
from benchmark_adapters.records.evidence import packed_logits, read_logits
from leaderboards.board.board import write_board
from leaderboards.board.metrics import AUDIT_COUNTS
from leaderboards.claims.submission import read_submission
from leaderboards.store.aggregate import rows
from leaderboards.store.files import FolderFiles
from leaderboards.store.folder import put_submissions, put_verdict
from leaderboards.submission.run_folder import found_submissions
from leaderboards.verification import audits
from leaderboards.verification.cases import BoardCases
from leaderboards.verification.verifying import Request, verified

NAME = "class-3/0"


@pytest.fixture(scope="module")
def run_folder(accelerator, tmp_path_factory):
    run = made_once(tmp_path_factory, "run-of-digits", run_of_digits)
    return made_once(tmp_path_factory, "audited-run", lambda at: audited_run(at, accelerator, run))


@pytest.fixture(scope="module")
def audited_cases(benchmark, accelerator):
    return BoardCases(audited_board(), benchmark, accelerator)


@pytest.fixture(scope="module")
def audited_root(run_folder, tmp_path_factory):
    root = tmp_path_factory.mktemp("audited") / "store"
    found = found_submissions(run_folder, audited_board(), REGISTRY, submitter="ada")
    put_submissions(root, *found)
    return root


@pytest.fixture
def store(audited_root, audited_cases, tmp_path):
    root = shutil.copytree(audited_root, tmp_path / "store")
    return AuditedStore(root, audited_cases, tmp_path / "again")


def counts(verdict):
    return tuple(verdict.found[NAME].get(name) for name in AUDIT_COUNTS)


def rows_of(store, method, verdict):
    path = store.path(method)
    put_verdict(store.root, read_submission(path.read_bytes(), f"submissions/{path.name}"), verdict)
    return next(row for row in rows(FolderFiles(store.root)) if row["method"] == method
                and row["board"] == "digits.class-wise" and not row["paper"])  # fmt: skip


def test_every_model_is_judged_as_in_the_run(store, run_folder):
    audit = read_audit(run_folder / "digits" / CASE[0], CASE[1])
    assert {role for role in audit.roles.values()} == {"original", "held out", "control", "method"}
    for method in audit.roles:
        verdict = store.verdict(method)
        assert verdict.outcome == "re-scored" and not verdict.differences, method
        assert counts(verdict) == audit.counted(method), method
        competes = audit.roles[method] in ("method", "held out")
        assert dict(verdict.impostors) == (
            {NAME: audit.impostors[method]} if competes and method in audit.impostors else {}
        )
        assert store.read(method)["audits"][NAME] == dict(
            zip(AUDIT_COUNTS, counts(verdict), strict=True)
        )


@pytest.mark.parametrize("level", ["reload", "rerun"])
def test_each_level_finds_the_same_audit(level, store, run_folder):
    audit = read_audit(run_folder / "digits" / CASE[0], CASE[1])
    verdict = store.verdict("suli@tuned", level)
    assert verdict.outcome == ("reproduced" if level == "rerun" else "re-scored"), verdict.reasons
    assert counts(verdict) == audit.counted("suli@tuned") and not verdict.not_audited


@pytest.mark.parametrize(
    "cheat",
    [
        lambda store: store.unlearned("bias_mask", constant=-20.0),
        lambda store: store.unlearned("drift_mask", sweeps=5),
        lambda store: store.unlearned("noise_mask", noise=0.005),
        with_redrawn_row,
    ],
    ids=["bias mask", "drift and mask", "noise and mask", "a row drawn anew"],
)
def test_a_cheat_under_a_methods_name_is_shown_as_what_it_is(cheat, store):
    store.submit_model(cheat(store), "suli@paper")
    verdict = store.verdict("suli@paper")
    assert verdict.outcome == "re-scored", verdict.reasons
    assert verdict.impostors[NAME].startswith("cannot be told from a control")
    row = rows_of(store, "suli@paper", verdict)
    assert "cannot be told from a control" in row["impostor"]


def test_a_claimed_audit_that_is_too_good_refutes(store):
    submission = store.read("suli@paper")
    like = submission["audits"][NAME]["audit_like"]
    submission["audits"][NAME]["audit_like"] = like + 2
    store.write("suli@paper", submission)
    said = store.reasons("rescore", "suli@paper")
    assert f"audit_like is claimed as {like + 2}, found {like}" in said


def other_features(store):
    """The held-out Retrain's features, with the record that goes with them."""
    submission, theirs = store.read("suli@paper"), store.read("retrain_held_out")["claimed"][0]
    data = store.evidence("retrain_held_out", theirs, "features").read_bytes()
    store.new_evidence(submission["claimed"][0], "features", data, "suli@paper")
    submission.pop("audits")
    store.write("suli@paper", submission)


def test_the_features_of_another_model_are_found_where_the_model_is_looked_at(store):
    other_features(store)
    assert store.verdict("suli@paper").outcome == "re-scored"
    said = store.reasons("reload", "suli@paper")
    assert "the kept features of the forget set are not those of the checkpoint" in said


@pytest.mark.parametrize("data", [b"cos\nsystem\n(S'x'\ntR.", b""], ids=["a pickle", "nothing"])
def test_a_file_that_holds_no_features_refutes(data, store):
    submission = store.read("suli@paper")
    store.new_evidence(submission["claimed"][0], "features", data, "suli@paper")
    store.write("suli@paper", submission)
    assert "is not a file of features" in store.reasons("rescore", "suli@paper")
    # And speaks against nobody else.
    assert store.verdict("suli@tuned").outcome == "re-scored"


def test_what_is_older_than_features_is_taken_without_an_audit(store):
    def without(record):
        del record["evidence"]["features"]

    submission = store.read("suli@paper")
    submission.pop("audits")
    store.write("suli@paper", submission)
    store.change_records(without, "suli@paper")
    verdict = store.verdict("suli@paper")
    assert verdict.outcome == "re-scored" and counts(verdict) == (None, None)
    assert verdict.not_audited == "it was submitted without features"
    row = rows_of(store, "suli@paper", verdict)
    assert row["audit"] is None and row["not_audited"] == verdict.not_audited


def test_without_retrains_a_cheat_is_still_told(store):
    for path in store.root.glob("submissions/*-retrain*.json"):
        path.unlink()
    store.change_records(lambda r: r.update(compared_with=None), "suli@paper")
    store.submit_model(store.unlearned("bias_mask", constant=-20.0), "suli@paper")
    verdict = store.verdict("suli@paper")
    assert "fewer than two Retrains" in verdict.not_audited and NAME in verdict.impostors


def test_audits_must_be_counts_of_its_own_records(store):
    submission = store.read("suli@paper")
    negative = {NAME: dict.fromkeys(AUDIT_COUNTS, -1)}
    for wrong in ({"class-7/0": {}}, {NAME: {"audit_like": 1}}, negative, []):
        submission["audits"] = wrong
        store.path("suli@paper").write_text(json.dumps(submission))
        with pytest.raises(ValueError, match="audit"):
            store.verdict("suli@paper")


def test_one_audit_serves_a_model_that_is_found_bit_by_bit(store, monkeypatch):
    store.verdict("suli@tuned")

    def judged_anew(*_):
        raise AssertionError("the case was judged once more")

    monkeypatch.setattr("leaderboards.verification.audits._judged", judged_anew)
    for method in ("suli@tuned", "suli@paper", "bias_mask"):
        assert store.verdict(method, "reload").outcome == "re-scored"
    store.submit_model(store.unlearned("bias_mask", constant=-21.0), "suli@paper")
    with pytest.raises(AssertionError, match="once more"):
        store.verdict("suli@paper", "reload")


def test_no_audit_is_beside_a_retrain_that_is_found_false(store, tmp_path, accelerator):
    write_board(audited_board(), tmp_path / "board.json")
    submission = store.read("retrain@2")
    [record] = submission["claimed"]
    logits = read_logits(store.evidence("retrain@2", record, "logits"))
    logits["forget"] = logits["forget"].flip(0)
    store.new_evidence(record, "logits", packed_logits(logits), "retrain@2")
    store.write("retrain@2", submission)
    for method in ("original", "retrain_held_out", "suli@paper", "suli@tuned"):
        # What was counted beside all Retrains need not hold beside fewer.
        submission = store.read(method)
        submission.pop("audits")
        store.write(method, submission)
    request = Request(str(store.root), "rescore", tmp_path, board=str(tmp_path / "board.json"),
                      name="bob")  # fmt: skip
    judged = []

    def seen(*given):
        judged.append(sorted(label for label in given[1] if label.startswith("retrain")))
        return real(*given)

    with pytest.MonkeyPatch.context() as patch:
        real = audits._judged
        patch.setattr(audits, "_judged", seen)
        looked = verified(request, lambda _, compiled: accelerator, lambda _: None)
    outcomes = {each.submission.method: each.found.outcome for each in looked}
    assert list(outcomes)[-2:] == ["suli@paper", "suli@tuned"]
    assert outcomes["retrain@2"] == "refuted" and outcomes["suli@tuned"] == "re-scored"
    assert judged[-1] == ["retrain", "retrain@3", "retrain@4", "retrain_held_out"]
