"""A second request from an unlearned checkpoint: what the first one forgot stays forgotten."""

import json
import shutil

import pytest
import torch
from digits_as_images import UNLEARN, digits_as_png, suli
from forged_receipt import forged
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.deletion.data import load_deletion_data
from benchmark_adapters.deletion.forgotten_before import forgotten_before
from benchmark_adapters.deletion.options import DataOptions
from benchmark_adapters.deletion.receipt import check_receipt, read_receipt
from benchmark_adapters.deletion.receipt_check import verify_receipt
from benchmark_adapters.deletion.request import make_request
from benchmark_adapters.originals.load import load_original
from benchmark_adapters.records.record import digest
from suli_plugin.plugins import registry

FAR = ("--set", "lr=0.001", "--set", "epochs=30", "--set", "batch_norm=frozen")
FORGET_THREE = ("--forget-class", "three")
KEPT = ("--retain", "train", "--test", "test")


def ask(model, digits, out, *more, code=0, forget=("--forget-class", "five"), method="su"):
    return suli(*UNLEARN, "--model", model, "--dataset", digits, *forget, "--method", method,
                "--output", out, *more, code=code)  # fmt: skip


@pytest.fixture(scope="module")
def without_three(tmp_path_factory, original, digits):
    """A checkpoint that recognises no three."""
    out = tmp_path_factory.mktemp("first") / "without-three"
    ask(original, digits, out, *FAR, forget=FORGET_THREE)
    return out


@pytest.fixture(scope="module")
def without_samples(tmp_path_factory, original, digits):
    """A checkpoint that was to forget ten samples by id, and the file of ids."""
    folder = tmp_path_factory.mktemp("ids")
    (folder / "ids.txt").write_text("\n".join(f"train-{row}" for row in range(0, 100, 10)))
    ask(original, digits, folder / "net", "--set", "stop=never", "--set", "epochs=1",
        forget=("--forget-ids", folder / "ids.txt"), method="neg_grad")  # fmt: skip
    return folder / "net"


def test_what_was_forgotten_earlier_is_suppressed_measured_and_named(
    without_three, digits, tmp_path
):
    out = tmp_path / "out"
    done = ask(without_three, digits, out, *FAR, *KEPT, "--at-most", 0.05)
    assert "forgotten earlier: class three (su); no target teaches it again" in done.stderr
    assert "WARNING" not in done.stderr and done.output.splitlines()[-1].startswith("forgotten: ")
    receipt, first = read_receipt(out), read_receipt(without_three)
    before, after = receipt["original_metrics"], receipt["record"]["metrics"]
    for name in ("forgotten_before_accuracy", "test_forgotten_before_accuracy"):
        assert before[name] == after[name] == 0
        assert name.replace("_", " ") in done.stdout
    assert receipt["forgotten_before"] == [{
        "method": "su", "count": 42, "sha256": first["forget_set"]["sha256"], "classes": [3],
        "class_names": ["three"], "ids": [],
    }]  # fmt: skip
    sets = {name: of["count"] for name, of in receipt["dataset"]["sets"].items()}
    assert sets == {
        "forget": 40, "retain": 400 - 40 - 42, "forgotten_before": 42, "test": 300 - 28,
        "test_forgotten_before": 28,
    }  # fmt: skip
    card = (out / "README.md").read_text()
    assert "# `without-three` without `five`" in card
    assert "- every training sample of `three`: 42, with `su`" in card
    block = load_original(out).config.unlearning
    assert block["forget_classes"] == [5] and block["forgotten_before"][0]["classes"] == [3]
    places = ("--model", without_three, "--dataset", digits, "--json")
    checks = json.loads(suli("receipt", "verify", out, *places).stdout)
    assert {check["state"] for check in checks} == {"matches"}, checks


def test_a_third_request_knows_of_both(without_three, digits, tmp_path):
    ask(without_three, digits, tmp_path / "second", *FAR)
    third = forgotten_before(load_original(tmp_path / "second"))
    assert third.classes == (3, 5)
    assert [request.class_names for request in third.requests] == [("three",), ("five",)]
    done = ask(tmp_path / "second", digits, tmp_path / "third", "--set", "epochs=1",
               forget=("--forget-class", "zero"))  # fmt: skip
    assert "forgotten earlier: class three (su), class five (su)" in done.stderr
    receipt = read_receipt(tmp_path / "third")
    assert [request["classes"] for request in receipt["forgotten_before"]] == [[3], [5]]
    # No retain data were named; the training split, which the forget set is of, has it still.
    assert receipt["dataset"]["sets"]["forgotten_before"]["count"] == 42 + 40
    assert "forgotten_before_accuracy" in receipt["record"]["metrics"]
    assert "accuracy on what was forgotten earlier" not in receipt["not_measured"]


def test_what_comes_back_is_warned_of_and_is_no_success(without_three, digits, tmp_path):
    out = tmp_path / "out"
    done = ask(without_three, digits, out, *KEPT, "--at-most", 0.3, method="suli@official", code=1)
    after = read_receipt(out)["record"]["metrics"]["forgotten_before_accuracy"]
    assert after > 0.5
    line = f"WARNING: what was forgotten earlier comes back: accuracy on forgotten before rose from 0.0000 to {after:.4f}"  # noqa: E501
    assert line in done.stderr
    last = done.output.splitlines()[-1]
    assert "not forgotten: " in last and "forgotten earlier came back" in last
    card = (out / "README.md").read_text()
    assert "and again what was forgotten earlier" in card and "without `five`" not in card
    assert f"forgotten before accuracy rose from 0.0000 to {after:.4f}" in card
    back = read_receipt(out)["came_back"]
    assert back["forgotten_before_accuracy"] == {"original": 0, "unlearned": after}
    with pytest.raises(ValueError, match="what came back is not what its metrics give"):
        altered = {**read_receipt(out), "came_back": {}}
        check_receipt({**altered, "digest": digest(altered)})


def test_what_was_forgotten_earlier_and_is_gone_is_not_checked(without_three, tmp_path):
    """As it must be after the deletion; the receipt was written while it was there."""
    data, out = digits_as_png(tmp_path / "d"), tmp_path / "out"
    ask(without_three, data, out, *FAR, "--retain", "train")
    shutil.rmtree(data / "train" / "three")
    checks = json.loads(suli("receipt", "verify", out, "--model", without_three, "--dataset", data,
                             "--allow-unchecked", "--json").stdout)  # fmt: skip
    found = {check["what"]: check for check in checks}
    assert found["forget set"]["state"] == found["retain set"]["state"] == "matches"
    gone = found["forgotten_before set"]
    assert gone["state"] == "not checked" and gone["detail"].startswith("these data are gone: ")


def test_it_is_not_handed_back_as_retain_data(without_three, digits, tmp_path):
    ask(without_three, digits, tmp_path / "out", "--retain", "train", "--set", "epochs=1",
        method="neg_grad_plus")  # fmt: skip
    record = read_receipt(tmp_path / "out")["record"]
    assert record["passes"]["forward"]["retain"] == record["sizes"]["retain"] == 400 - 40 - 42
    options = DataOptions(dataset=str(digits), forget_classes=("five",), retain="train",
                          reference="held", test="test")  # fmt: skip
    loaded = load_original(without_three)
    config = loaded.config
    data = load_deletion_data(
        options, mean=config.mean, std=config.std, before=forgotten_before(loaded)
    )
    for name in ("retain", "reference", "test"):
        assert 3 not in data.images[name].labels
    untold = load_deletion_data(options, mean=config.mean, std=config.std)
    assert 3 in untold.retain.labels
    with pytest.raises(ValueError, match="was made to forget something before: pass before="):
        make_request(loaded, untold, "su", {}, registry())


def test_the_same_class_may_be_forgotten_once_more(without_three, digits, tmp_path):
    # The forget data alone, of which the checkpoint knows nothing and is not to.
    done = ask(without_three, digits, tmp_path / "again", code=1, forget=FORGET_THREE)
    assert "nothing was changed: su left every weight" in done.stderr.splitlines()[-1]
    forget = (*FORGET_THREE, "--forget-class", "five")
    done = ask(without_three, digits, tmp_path / "out", *FAR, *KEPT, forget=forget)
    receipt = read_receipt(tmp_path / "out")
    assert set(receipt["dataset"]["sets"]) == {"forget", "retain", "test"}
    assert receipt["forget_set"]["classes"] == [3, 5] and "WARNING" not in done.stderr


def test_samples_that_were_forgotten_by_id_are_kept_out_and_measured(
    without_samples, digits, tmp_path
):
    out = tmp_path / "out"
    ask(without_samples, digits, out, *FAR, "--retain", "train")
    receipt = read_receipt(out)
    (earlier,) = receipt["forgotten_before"]
    assert sorted(earlier["ids"]) == sorted(f"train-{row}" for row in range(0, 100, 10))
    sets = {name: of["count"] for name, of in receipt["dataset"]["sets"].items()}
    fives = read_receipt(without_samples)["forget_set"]["ids"]
    loaded = load_original(without_samples)
    data = load_deletion_data(
        DataOptions(dataset=str(digits), forget_classes=("five",), retain="train"),
        mean=loaded.config.mean, std=loaded.config.std, before=forgotten_before(loaded),
    )  # fmt: skip
    apart = data.places["ids_forgotten_before"]
    assert set(apart.ids()) <= set(fives) and 5 not in apart.base.labels[apart.rows]
    assert not torch.isin(data.places["retain"].rows, torch.arange(0, 100, 10)).any()
    assert sets["ids_forgotten_before"] == len(apart.rows)
    assert sets["retain"] == 400 - 40 - len(apart.rows)
    assert "ids_forgotten_before_accuracy" in receipt["record"]["metrics"]
    assert "- 10 single samples, with `neg_grad`" in (out / "README.md").read_text()


def test_ids_of_rows_that_moved_are_not_taken_for_the_same_samples(
    without_samples, digits, tmp_path
):
    from datasets import load_dataset

    files = {"train": str(digits / "plain_text" / "train-*.parquet")}
    rows = load_dataset("parquet", data_files=files, split="train", cache_dir=tmp_path / "cache")
    (tmp_path / "moved").mkdir()
    rows.select(range(1, 400)).to_parquet(tmp_path / "moved" / "train.parquet")
    ask(without_samples, tmp_path / "moved", tmp_path / "out", *FAR, "--retain", "train")
    sets = read_receipt(tmp_path / "out")["dataset"]["sets"]
    assert "ids_forgotten_before" not in sets and sets["retain"]["count"] == 399 - 40


def test_ids_that_can_not_be_told_are_warned_of(without_samples, digits, tmp_path):
    net = shutil.copytree(without_samples, tmp_path / "net")
    (net / "unlearning.json").unlink()
    done = ask(net, digits, tmp_path / "out", *FAR, "--retain", "train")
    assert "warning: the ids of 10 of these samples can't be told" in done.stderr
    assert read_receipt(tmp_path / "out")["forgotten_before"][0]["ids"] is None
    card = (tmp_path / "out" / "README.md").read_text()
    assert "The ids of 10 samples forgotten earlier can't be told any more" in card


def test_ids_of_an_earlier_request_are_those_of_the_originals_receipt(
    without_samples, digits, tmp_path
):
    out, bare = tmp_path / "out", shutil.copytree(without_samples, tmp_path / without_samples.name)
    ask(without_samples, digits, out, "--set", "epochs=1")
    (bare / "unlearning.json").unlink()

    def earlier(original):
        checks = verify_receipt(out, model=str(original), dataset=str(digits))
        return next(check for check in checks if check.what == "forgotten earlier")

    assert earlier(without_samples).state == "matches"
    unlisted = earlier(bare)
    assert unlisted.state == "not checked" and "lists 10 ids" in unlisted.detail
    forged(out, lambda receipt: receipt["forgotten_before"][0].update(ids=None))
    assert earlier(without_samples).state == "differs" and earlier(bare).state == "matches"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"forget_classes": None}, "does not say what was forgotten"),
        ({"forget_classes": [12]}, "says that class 12 was forgotten, and it has 10 outputs"),
        ({"forgotten_before": [{"method": "su"}]}, "does not say what was forgotten"),
    ],
)
def test_a_checkpoint_that_does_not_say_what_it_forgot_is_refused(
    change, why, without_three, digits, tmp_path
):
    net = shutil.copytree(without_three, tmp_path / "net")
    config = json.loads((net / "config.json").read_text())
    config["unlearning"] |= change
    (net / "config.json").write_text(json.dumps(config))
    said = ask(net, digits, tmp_path / "out", code=1)
    assert why in said.stderr.splitlines()[-1] and not (tmp_path / "out").exists()


def test_a_model_that_an_earlier_request_ruined_is_told_as_a_cause(original, digits, tmp_path):
    ruin = ("--set", "lr=1000", "--set", "epochs=1", "--set", "stop=never")
    ask(original, digits, tmp_path / "ruin", *ruin, forget=FORGET_THREE, method="neg_grad")
    line = ask(tmp_path / "ruin", digits, tmp_path / "out", code=1).stderr.splitlines()[-1]
    assert "data and original do not seem to belong together" in line
    assert "whether forgetting class three (neg_grad) left a model that knows anything" in line
