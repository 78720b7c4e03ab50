"""`suli receipt verify`: what it recomputes, what it catches, and what it says it can't check."""

import json
import shutil

import pytest
import safetensors.torch
import torch
from digits_as_images import UNLEARN, suli
from forged_receipt import forged
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.deletion.checkpoint_files import RECEIPT, file_hashes
from benchmark_adapters.deletion.receipt import read_receipt
from benchmark_adapters.deletion.score_checks import compared
from benchmark_adapters.originals.checkpoints import (
    CONFIG,
    WEIGHTS,
    CheckpointConfig,
    save_checkpoint,
)


def verify(folder, *more, code=0):
    """The checks by what they are of; what is not checked is no failure here."""
    done = suli("receipt", "verify", folder, *more, "--allow-unchecked", "--json", code=code)
    return {check["what"]: check for check in json.loads(done.stdout)}


def differing(checks):
    return {name for name, check in checks.items() if check["state"] == "differs"}


def test_a_receipt_is_verified_against_original_data_and_metrics(checkpoint, original, digits):
    checks = verify(checkpoint, "--model", original, "--dataset", digits)
    assert {check["state"] for check in checks.values()} == {"matches"}
    assert {
        *(RECEIPT, WEIGHTS, CONFIG, "README.md", "LICENSE", "weights as loaded", "original"),
        *("forget set", "test set", "metrics of the unlearned model", "metrics of the original"),
        *(
            "facts",
            "kept classes",
            "unlearning in config.json",
            "content of config.json",
            "content of LICENSE",
        ),
    } == set(checks)


def test_what_could_not_be_checked_is_named_and_is_no_mismatch(checkpoint, original, tmp_path):
    checks = verify(checkpoint)
    unknown = {name for name, check in checks.items() if check["state"] == "not checked"}
    assert unknown == {
        *("original", "forget set", "metrics of the unlearned model", "metrics of the original"),
        "facts",
    }
    assert "say where with --model" in checks["original"]["detail"]
    assert "say where with --dataset" in checks["forget set"]["detail"]
    checks = verify(checkpoint, "--model", original, "--dataset", tmp_path / "gone")
    assert checks["original"]["state"] == "matches" and not differing(checks)
    assert "neither here nor a repository" in checks["forget set"]["detail"]
    (checkpoint / "notes.txt").write_text("mine")
    assert verify(checkpoint)["notes.txt"]["state"] == "not checked"


def test_what_could_not_be_checked_counts_as_failed_unless_it_may(checkpoint, original):
    asked = ("receipt", "verify", checkpoint, "--model", original)
    said = suli(*asked, code=1).stderr.splitlines()[-1]
    assert said == (
        "not checked: forget set, metrics of the unlearned model, metrics of the original, facts "
        "(this counts as failed, unless --allow-unchecked)"
    )
    said = suli(*asked, "--allow-unchecked").stderr.splitlines()[-1]
    assert said.startswith("not checked: forget set") and said.endswith("original, facts")


def test_altered_weights_are_caught(checkpoint):
    state = safetensors.torch.load_file(checkpoint / WEIGHTS)
    state["classifier.bias"][0] += 1e-4
    safetensors.torch.save_file(state, checkpoint / WEIGHTS, metadata={"format": "pt"})
    checks = verify(checkpoint, code=1)
    assert differing(checks) == {WEIGHTS, "weights as loaded"}
    said = suli("receipt", "verify", checkpoint, "--allow-unchecked", code=1)
    assert f"differs      {WEIGHTS}: sha256 is" in said.stdout
    assert said.stderr.splitlines()[-1] == f"does not match: {WEIGHTS}, weights as loaded"


def test_weights_that_are_cut_or_gone_are_caught(checkpoint):
    data = (checkpoint / WEIGHTS).read_bytes()
    (checkpoint / WEIGHTS).write_bytes(data[: len(data) // 2])
    assert differing(verify(checkpoint, code=1)) == {WEIGHTS, "weights as loaded"}
    (checkpoint / WEIGHTS).unlink()
    assert verify(checkpoint, code=1)[WEIGHTS]["detail"] == "the file is missing"


def test_an_altered_metric_is_caught_by_the_digest_and_a_forged_one_by_scoring(
    checkpoint, original, digits
):
    path = checkpoint / RECEIPT
    text = path.read_text()
    claimed = read_receipt(checkpoint)["record"]["metrics"]["test_retain_accuracy"]
    path.write_text(text.replace(f'"test_retain_accuracy": {claimed}', '"test_retain_accuracy": 1'))
    assert differing(verify(checkpoint, code=1)) == {RECEIPT, "README.md"}

    attack = json.loads(text)["record"]["metrics"]["mia_auc"]

    def better(receipt):
        receipt["record"]["metrics"]["mia_auc"] = 0.999

    path.write_text(text)
    forged(checkpoint, better)
    assert not differing(verify(checkpoint))  # nothing to compare with
    checks = verify(checkpoint, "--model", original, "--dataset", digits, code=1)
    assert differing(checks) == {"metrics of the unlearned model"}
    why = checks["metrics of the unlearned model"]["detail"]
    assert why == f"mia_auc is {attack}, the receipt has 0.999"


def test_another_original_is_caught(checkpoint, original, digits, tmp_path):
    config = CheckpointConfig.from_json(json.loads((original / CONFIG).read_text()))
    torch.manual_seed(1)
    save_checkpoint(tmp_path / "other", config.build(), config)
    checks = verify(checkpoint, "--model", tmp_path / "other", "--dataset", digits, code=1)
    assert differing(checks) == {f"original ({WEIGHTS})"}
    assert checks["metrics of the original"]["state"] == "not checked"


def test_another_forget_set_is_caught(checkpoint, original, digits, tmp_path):
    from datasets import load_dataset

    files = {"train": str(digits / "plain_text" / "train-*.parquet")}
    rows = load_dataset("parquet", data_files=files, split="train", cache_dir=tmp_path / "cache")
    swapped = shutil.copytree(digits, tmp_path / "swapped")
    one_less = rows.select([row for row in range(400) if row != rows["label"].index(3)])
    one_less.to_parquet(swapped / "plain_text" / "train-00000-of-00001.parquet")
    checks = verify(checkpoint, "--model", original, "--dataset", swapped, code=1)
    assert differing(checks) == {"forget set"} and checks["test set"]["state"] == "matches"

    def fewer(receipt):
        receipt["dataset"]["options"]["forget_classes"] = ["four"]

    forged(checkpoint, fewer)
    checks = verify(checkpoint, "--model", original, "--dataset", digits, code=1)
    assert differing(checks) == {"forget set"}


def test_hashes_that_contradict_the_record_are_caught(checkpoint):
    def swap(receipt):
        receipt["forget_set"]["sha256"] = "0" * 64

    forged(checkpoint, swap)
    checks = verify(checkpoint, code=1)
    assert "the hash of its forget set stands in two places" in checks[RECEIPT]["detail"]


def test_a_stored_split_and_listed_ids_are_found_again(original, digits, tmp_path):
    suli("splits", "make", digits, "--name", "ten", "--forget-number", 10, "--reference", 0.3,
         "--output", tmp_path / "s")  # fmt: skip
    common = (*UNLEARN, "--model", original, "--method", "su", "--set", "epochs=2")
    suli(*common, "--dataset", tmp_path / "s/ten", "--output", tmp_path / "a")
    known = ("--model", original, "--dataset", tmp_path / "s/ten")
    checks = verify(tmp_path / "a", *known)
    assert {check["state"] for check in checks.values()} == {"matches"}
    ids = read_receipt(tmp_path / "a")["forget_set"]["ids"]
    (tmp_path / "ids.txt").write_text("\n".join(ids))
    suli(*common, "--dataset", digits, "--forget-ids", tmp_path / "ids.txt", "--reference", "held",
         "--output", tmp_path / "b")  # fmt: skip
    checks = verify(tmp_path / "b", "--model", original, "--dataset", digits)
    assert {check["state"] for check in checks.values()} == {"matches"}
    hashes = [read_receipt(tmp_path / name)["forget_set"]["sha256"] for name in ("a", "b")]
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "holds no receipt (unlearning.json): No such file"),
        ("{", "cannot be read: Expecting property name"),
        ("[]", "must be an object, got list"),
        ('{"format": "suli-receipt/1"}', "has the format 'suli-receipt/1', this version reads"),
        ('{"format": 2}', "it lacks 'original'"),
        ('{"format": "suli-receipt/2", "format": "x"}', "the key 'format' is given twice"),
    ],
)
def test_what_is_no_receipt_is_said_in_one_line(text, why, tmp_path):
    if text is not None:
        (tmp_path / RECEIPT).write_text(text)
    said = suli("receipt", "verify", tmp_path, code=1)
    (line,) = said.stderr.splitlines()
    assert line.startswith("Error: ") and why in line


def test_metrics_may_differ_by_what_hardware_explains_and_no_more():
    found = {"forget_accuracy": 0.0, "mia_accuracy": 0.5}
    assert compared("m", {"forget_accuracy": 0.001, "mia_accuracy": 0.51}, found).state == "matches"
    for claimed in ({"forget_accuracy": 0.01, "mia_accuracy": 0.5}, {"forget_accuracy": 0.0}, {}):
        assert compared("m", claimed, found).state == "differs"


def test_the_hashes_of_files_name_all_but_those_left_out(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_bytes(b"")
    (tmp_path / "c.txt").write_bytes(b"c")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert file_hashes(tmp_path, besides=("c.txt",)) == {"a/b.txt": empty}


def test_a_split_on_the_hub_is_found_again(hub, original, digits, tmp_path):
    hub.seed_repo("ada/digits", "dataset", digits)
    suli("splits", "make", "ada/digits", "--name", "ten", "--forget-number", 10, "--reference", 0.3,
         "--output", tmp_path / "s")  # fmt: skip
    split = hub.seed_repo("ada/splits", "dataset", tmp_path / "s")
    pinned = f"ada/splits@{split.commit_at().sha}:ten"
    for number, named in enumerate(("ada/splits:ten", "ada/splits", pinned, "ada/splits@main:ten")):
        out = tmp_path / str(number)
        suli(*UNLEARN, "--model", original, "--method", "su", "--set", "epochs=1",
             "--dataset", named, "--output", out)  # fmt: skip
        assert read_receipt(out)["dataset"]["options"]["dataset"] == pinned
        checks = verify(out, "--model", original)
        assert {check["state"] for check in checks.values()} == {"matches"}
