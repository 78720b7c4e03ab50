"""The three levels of verification: an honest submission passes each, an altered one none."""

import gzip
import io
import json
import math
import re
from dataclasses import dataclass, field, replace

import pytest
import safetensors.torch
import torch
from altered_store import REGISTRY, resealed
from crew_in_process import crew_maker

from benchmark_adapters.records.evidence import packed_logits, read_logits
from leaderboards.store.evidence import StoreEvidence
from leaderboards.store.files import FolderFiles
from leaderboards.verification.rerun import rerun
from suli_plugin import SULI
from suli_plugin.hyperparameters import added_later


@dataclass(frozen=True, kw_only=True)
class Grown(SULI):
    """SULI with a field that the records are older than."""

    grown: bool = field(default=False, metadata=added_later())


@pytest.mark.parametrize("level", ["rescore", "reload", "rerun"])
def test_the_honest_submission_passes(level, store):
    verdict = store.verdict(level=level)
    assert verdict.outcome == ("reproduced" if level == "rerun" else "re-scored"), verdict.reasons
    assert not verdict.differences and not verdict.reasons
    assert set(verdict.found) == {"class-3/0", "class-3/1"}
    found = verdict.found["class-3/0"]
    assert ("relearn_updates" in found) == (level != "rescore")
    assert ("backward_passes" in found) == (level == "rerun")


def test_what_workers_run_again_is_what_this_machine_would(store, tmp_path):
    pytest.importorskip("distributed", reason="the extra cluster is not installed")
    here = store.verdict(level="rerun")
    store.runs_again = tmp_path / "by workers"
    with crew_maker() as make:
        there = store.verdict(level="rerun", make_crew=make)
    assert there.outcome == "reproduced" and not there.differences
    for name, values in here.found.items():
        times = {"update_seconds", "total_seconds"}
        assert all(there.found[name][key] == values[key] for key in values.keys() - times)
    assert there.notes == here.notes and there.hardware == here.hardware
    assert there.not_audited == here.not_audited and there.reasons == here.reasons


def test_what_is_run_again_makes_no_case_anew_and_is_compared_with_its_own_retrain_alone(
    store, monkeypatch, tmp_path
):
    store.verdict()
    assert all(store.cases.own("class-3", seed).retrained for seed in (0, 1))

    def made_anew(*_):
        raise AssertionError("the case was made once more")

    monkeypatch.setattr("benchmark_adapters.grid.run.ScoredCase", made_anew)
    store.change_records(lambda record: record.update(compared_with=None), "logit_mask")
    there = StoreEvidence(FolderFiles(store.root), store.cases.board)
    submission = there.submission(store.id("logit_mask"))
    found = rerun(submission, there, store.cases, REGISTRY, tmp_path / "again").found
    assert all("zrf" in of and "activation_distance" not in of for of in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("level", ["rescore", "rerun"])
def test_records_that_are_older_than_a_field_of_their_method_pass(level, store, monkeypatch):
    grown = replace(REGISTRY, unlearners={**REGISTRY.unlearners, "suli": Grown})
    monkeypatch.setattr("altered_store.REGISTRY", grown)
    verdict = store.verdict(level=level)
    assert verdict.outcome == ("reproduced" if level == "rerun" else "re-scored"), verdict.reasons


@pytest.mark.parametrize("method", ["original", "retrain", "bn_drift", "logit_mask"])
def test_reference_models_and_controls_pass_as_what_they_are(method, store):
    assert store.verdict(method).outcome == "re-scored"


def a_metric(store):
    store.change_records(lambda record: record["metrics"].update(test_accuracy=0.999))


def a_metric_without_its_digest(store):
    path = store.path("suli")
    path.write_text(path.read_text().replace('"forget_accuracy": 0.0', '"forget_accuracy": 0.001'))


def a_metric_by_less_than_one_image(store):
    def nudge(record):
        record["metrics"]["retain_accuracy"] -= 1e-6

    store.change_records(nudge)


def a_metric_that_no_board_has(store):
    store.change_records(lambda record: record["metrics"].update(privacy=1.0))


def a_metric_left_out(store):
    store.change_records(lambda record: record["metrics"].pop("mia_accuracy"))


def distances_left_out(store):
    store.change_records(lambda record: record["metrics"].pop("activation_distance"))


def nan(store):
    submission = store.read("suli")
    submission["claimed"][0]["metrics"]["tow"] = math.nan
    store.path("suli").write_text(json.dumps(submission))


def infinity_in_disguise(store):
    path = store.path("suli")
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1e999', 1))


def a_logit_file(store):
    record = store.read("suli")["claimed"][0]
    path = store.evidence("suli", record, "logits")
    path.write_bytes(path.read_bytes()[:-9] + b"\0" * 9)


def other_logits(change):
    """Evidence whose logits of the forget set are changed, rightly hashed."""

    def alter(store):
        submission = store.read("suli")
        for record in submission["claimed"]:
            logits = read_logits(store.evidence("suli", record, "logits"))
            change(logits)
            store.new_evidence(record, "logits", packed_logits(logits))
        store.write("suli", submission)

    return alter


def halved(logits):
    logits["forget"] = logits["forget"] / 2


def not_finite(logits):
    logits["test"][3] = math.inf


def one_row_less(logits):
    logits["retain"] = logits["retain"][1:]


def one_class_more(logits):
    logits["retain"] = torch.cat([logits["retain"], logits["retain"][:, :1]], 1)


def no_reference(logits):
    del logits["reference"]


def better_logits_and_the_metrics_that_follow(store):
    submission = store.read("suli")
    for record in submission["claimed"]:
        scored = store.cases.own(record["scenario"], record["seed"])
        logits = read_logits(store.evidence("suli", record, "logits"))
        labels = scored.case.test.labels
        logits["test"][torch.arange(len(labels)), labels] += 5
        store.new_evidence(record, "logits", packed_logits(logits))
    store.write("suli", submission)
    for record, found in zip(submission["claimed"], store.verdict().found.values(), strict=True):
        record["metrics"].update(found)
    store.write("suli", submission)


def a_bomb(store):
    submission = store.read("suli")
    record = submission["claimed"][0]
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb") as file:
        for _ in range(64):
            file.write(bytes(2**20))
    store.new_evidence(record, "logits", buffer.getvalue())
    store.write("suli", submission)


def a_pickle_as_logits(store):
    submission = store.read("suli")
    store.new_evidence(
        submission["claimed"][0], "logits", gzip.compress(b"cos\nsystem\n(S'x'\ntR.")
    )
    store.write("suli", submission)


def a_huge_file(store):
    record = store.read("suli")["claimed"][0]
    with store.evidence("suli", record, "logits").open("r+b") as file:
        file.truncate(2**33)


def a_huge_submission(store):
    with store.path("suli").open("r+b") as file:
        file.truncate(2**25)


def evidence_left_out(store):
    store.evidence("suli", store.read("suli")["claimed"][0], "model").unlink()


def a_link_as_evidence(store):
    path = store.evidence("suli", store.read("suli")["claimed"][0], "model")
    target = path.rename(store.root.parent / "elsewhere")
    path.symlink_to(target)


def a_path_out_of_the_store(store):
    store.change_records(lambda r: r["evidence"]["model"].update(file="../../../etc/passwd"))


def a_hash_that_is_a_path(store):
    store.change_records(lambda r: r["evidence"]["logits"].update(sha256="../" * 20 + "abcd"))


def a_seed_left_out(store):
    submission = store.read("suli")
    del submission["claimed"][1]
    store.write("suli", submission)


def a_seed_twice(store):
    submission = store.read("suli")
    submission["claimed"][1] = submission["claimed"][0]
    store.write("suli", submission)


def another_seed(store):
    def change(record):
        record["seed"] += 7
        resealed(record)

    store.change_records(change)


def the_original_of_another_seed(store):
    hashes = store.cases.board.original["hashes"]
    store.change_records(lambda r: r.update(original_hash=hashes[str(1 - r["seed"])]))


def an_original_that_nobody_has(store):
    store.change_records(lambda record: record.update(original_hash="0" * 64))


def an_original_of_another_recipe(store):
    store.change_records(lambda record: record["original"]["recipe"].update(epochs=2))


def a_forget_set_that_differs_by_one_sample(store):
    case = store.cases.own("class-3", 0).case
    smaller = case.forget.subset(range(1, len(case.forget))).content_hash()

    def change(record):
        record["set_hashes"]["forget"] = record["forget_set_hash"] = smaller

    store.change_records(change)


def fewer_retain_images(store):
    store.change_records(lambda record: record["sizes"].update(retain=10))


def the_splits_of_another_board(store):
    def change(record):
        record["scenario"] = "class-7"
        resealed(record)

    store.change_records(change)


def another_benchmark(store):
    def change(record):
        record["benchmark"] = "cifar10-resnet20"
        resealed(record)

    store.change_records(change)


def the_original_as_unlearned(store):
    store.relabelled("original", keep=["hyperparameters", "passes"])


def the_original_with_another_hash(store):
    the_original_as_unlearned(store)
    store.change_records(lambda record: record.update(unlearned_hash="1" * 64))


def retrain_as_a_method(store):
    store.relabelled("retrain", keep=["hyperparameters"])


def a_control_renamed_to_a_method(store):
    store.relabelled("bn_drift")


def a_control_with_the_hyperparameters_of_a_method(store):
    store.relabelled("bn_drift", keep=["hyperparameters"])


def a_method_called_a_control(store):
    store.change_records(lambda record: record.update(control=True))


def hyperparameters(store):
    store.change_records(lambda record: record["hyperparameters"].update(lr=1e-9))


def hyperparameters_and_the_key_of_the_cell(store):
    def change(record):
        record["hyperparameters"]["lr"] = 1e-9
        resealed(record)

    store.change_records(change)


def hyperparameters_that_differ_by_seed(store):
    def change(record):
        record["hyperparameters"]["lr"] = 1e-4 * (1 + record["seed"])
        resealed(record)

    store.change_records(change)


def fewer_needs(store):
    submission = store.read("suli")
    submission["needs"] = []
    store.write("suli", submission)


def fewer_passes(store):
    store.change_records(lambda record: record["passes"].update(forward={}, backward={}))


def swapped_checkpoints(store):
    submission = store.read("suli")
    one, other = (record["evidence"]["model"] for record in submission["claimed"])
    one["sha256"], other["sha256"] = other["sha256"], one["sha256"]
    store.write("suli", submission)


def swapped_checkpoints_and_hashes(store):
    swapped_checkpoints(store)
    submission = store.read("suli")
    one, other = submission["claimed"]
    one["unlearned_hash"], other["unlearned_hash"] = other["unlearned_hash"], one["unlearned_hash"]
    store.write("suli", submission)


def a_checkpoint_of_another_network(store):
    submission = store.read("suli")
    data = safetensors.torch.save({"weight": torch.zeros(3)})
    store.new_evidence(submission["claimed"][0], "model", data)
    store.write("suli", submission)


def a_pickle_as_checkpoint(store):
    submission = store.read("suli")
    buffer = io.BytesIO()
    torch.save({"weight": torch.zeros(3)}, buffer)
    store.new_evidence(submission["claimed"][0], "model", buffer.getvalue())
    store.write("suli", submission)


def a_retrain_that_nobody_submitted(store):
    store.change_records(lambda record: record.update(compared_with="2" * 64))


def duplicate_keys(store):
    path = store.path("suli")
    path.write_text(path.read_text().replace('"needs":', '"needs": [], "needs":', 1))


def a_script_as_name(store):
    submission = store.read("suli")
    submission["method"] = "<script>alert(1)</script>"
    store.path("suli").write_text(json.dumps(submission))


def colours_for_the_terminal(store):
    store.change_records(lambda record: record.update(hardware="\x1b[2J\x1b[31mA100"))


def text_that_runs_backwards(store):
    store.change_records(lambda record: record.update(command="suli \u202egnp.exe"))


def the_name_of_somebody_else(store):
    submission = store.read("suli")
    submission["submitter"] = "carol"
    store.path("suli").write_text(json.dumps(submission))


def a_verdict_of_ones_own(store):
    submission = store.read("suli")
    submission["state"] = "reproduced"
    store.path("suli").write_text(json.dumps(submission))


def too_deep(store):
    store.path("suli").write_text("[" * 100_000)


def no_json(store):
    store.path("suli").write_bytes(b"\xff\xfe{}")


ALTERED = [
    (a_metric, "rescore", "test_accuracy is claimed as 0.999, found"),
    (a_metric_without_its_digest, "rescore", "digest does not match"),
    (a_metric_by_less_than_one_image, "rescore", "retain_accuracy is claimed"),
    (a_metric_that_no_board_has, "rescore", "the board has no metric 'privacy'"),
    (a_metric_left_out, "rescore", "lacks the metric mia_accuracy"),
    (distances_left_out, "rescore", "lacks the distances"),
    (nan, "rescore", "NaN is no number"),
    (infinity_in_disguise, "rescore", "1e999 is too large"),
    (a_logit_file, "rescore", "has sha256"),
    (other_logits(halved), "rescore", "activation_distance is claimed"),
    (other_logits(not_finite), "rescore", "not all finite"),
    (other_logits(one_row_less), "rescore", "the retain set has 322 images, got 321"),
    (other_logits(one_class_more), "rescore", "'retain' has 11 outputs, expected 10"),
    (other_logits(no_reference), "rescore", "expected logits of"),
    (better_logits_and_the_metrics_that_follow, "reload", "not those of the checkpoint"),
    (a_bomb, "rescore", "holds more than"),
    (a_pickle_as_logits, "rescore", "is not a compressed file of logits"),
    (a_huge_file, "rescore", "has 8589934592 bytes, at most"),
    (a_huge_submission, "rescore", "at most 16777216 are read"),
    (evidence_left_out, "rescore", "safetensors is not there"),
    (a_link_as_evidence, "rescore", "safetensors is not there"),
    (a_path_out_of_the_store, "rescore", "evidence.model.file must be"),
    (a_hash_that_is_a_path, "rescore", "sha256 must match"),
    (a_seed_left_out, "rescore", "one record of class-3/1, there are no"),
    (a_seed_twice, "rescore", "one record of class-3/0, there are 2"),
    (another_seed, "rescore", "there are no; .*there are no; the board has no class-3/7"),
    (the_original_of_another_seed, "rescore", "the original is that of seed 1, not of seed 0"),
    (an_original_that_nobody_has, "rescore", "neither this machine's nor in"),
    (an_original_of_another_recipe, "rescore", "the original's recipe is"),
    (a_forget_set_that_differs_by_one_sample, "rescore", "the forget set has the hash"),
    (fewer_retain_images, "rescore", "the retain set has 10 images, the board's 322"),
    (the_splits_of_another_board, "rescore", "one record of class-3/0, there are no"),
    (another_benchmark, "rescore", "benchmark is 'cifar10-resnet20'"),
    (the_original_as_unlearned, "rescore", "its weights are the original's"),
    (the_original_with_another_hash, "rescore", "its logits are those of original"),
    (retrain_as_a_method, "rescore", "its weights are those of retrain"),
    (a_control_renamed_to_a_method, "rescore", "hyper-parameters are not those of suli"),
    (a_control_with_the_hyperparameters_of_a_method, "rescore", "those of bn_drift"),
    (a_method_called_a_control, "rescore", "no control of this board"),
    (hyperparameters, "rescore", "cell key is not that of its hyper-parameters"),
    (hyperparameters_and_the_key_of_the_cell, "rerun", "is claimed as"),
    (hyperparameters_that_differ_by_seed, "rescore", "its records differ in hyperparameters"),
    (fewer_needs, "rescore", r"suli needs \['forget'\], it says \[\]"),
    (fewer_passes, "rerun", "forward_passes is claimed as 0"),
    (swapped_checkpoints, "reload", "another model was sent"),
    (swapped_checkpoints_and_hashes, "reload", "not those of the checkpoint"),
    (a_checkpoint_of_another_network, "reload", "the weights do not fit"),
    (a_pickle_as_checkpoint, "reload", "not a whole safetensors file"),
    (a_retrain_that_nobody_submitted, "rescore", "submit retrain, too"),
    (duplicate_keys, "rescore", "the key 'needs' is given twice"),
    (a_script_as_name, "rescore", "method must match"),
    (colours_for_the_terminal, "rescore", r"hidden character U\+001B"),
    (text_that_runs_backwards, "rescore", r"hidden character U\+202E"),
    (the_name_of_somebody_else, "rescore", "its name must be submissions/"),
    (a_verdict_of_ones_own, "rescore", "expected the keys"),
    (too_deep, "rescore", "nested too deeply"),
    (no_json, "rescore", "cannot be read"),
]


@pytest.mark.parametrize(
    ("alter", "level", "reason"), ALTERED, ids=lambda value: getattr(value, "__name__", None)
)
def test_an_altered_submission_is_refused_or_refuted_with_the_reason(alter, level, reason, store):
    alter(store)
    found = store.reasons(level)
    assert re.search(reason, found), found
