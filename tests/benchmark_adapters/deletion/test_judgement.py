"""The outcome is judged: what was forgotten, how far the rest came, and what is published."""

import json

import pytest
from digits_as_images import suli
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.deletion.contradictions import contradictions
from benchmark_adapters.deletion.judgement import judged, outcome
from benchmark_adapters.deletion.receipt import read_receipt
from benchmark_adapters.originals.load import load_original

NET = "original"
FAR = ("--set", "lr=0.001", "--set", "epochs=30", "--set", "batch_norm=frozen")
SHORT = ("--set", "epochs=1")


def ask(original, digits, out, *more, code=0, forget=("--forget-class", "three"), method="su"):
    return suli("unlearn", "--model", original, "--dataset", digits, *forget, "--method", method,
                "--output", out, *more, code=code)  # fmt: skip


def title(folder):
    lines = (folder / "README.md").read_text().splitlines()
    return next(line for line in lines if line.startswith("# "))


@pytest.mark.parametrize(
    ("rate", "at_most", "scope", "before", "verdict"),
    [
        (0.05, 0.05, "class", {}, "forgotten"),
        (0.06, 0.05, "class", {}, "not forgotten"),
        (0.06, 0.1, "class", {}, "accepted"),
        (0.04, 0.01, "class", {}, "not forgotten"),
        (0.04, 0.2, "class", {}, "forgotten"),
        (0.0, 0.05, "class", {"test_forget_accuracy": 0.3}, "not forgotten"),
        (0.0, 0.3, "class", {"test_forget_accuracy": 0.3}, "accepted"),
        (0.0, 0.05, "class", {"test_forget_accuracy": 0.04}, "forgotten"),
        (0.96, 0.05, "ids", {"reference_accuracy": 0.92, "test_accuracy": 0.5}, "forgotten"),
        (0.96, 0.05, "ids", {"test_accuracy": 0.5}, "not forgotten"),
        (0.96, 0.5, "ids", {"test_accuracy": 0.5}, "accepted"),
        (0.10, 0.05, "ids", {"test_accuracy": 0.5}, "forgotten"),
        (0.96, 0.05, "ids", {"retain_accuracy": 0.9}, "not judged"),
        (0.0, 0.05, "class", {"forgotten_before_accuracy": 0.0}, "not forgotten"),
        (0.0, 0.05, "class", {"forgotten_before_accuracy": 0.9}, "forgotten"),
        (0.0, 0.9, "class", {"test_forgotten_before_accuracy": 0.0}, "accepted"),
        (0.0, 0.05, "class", {"ids_forgotten_before_accuracy": 0.0}, "forgotten"),
        (
            0.0,
            0.05,
            "ids",
            {"test_accuracy": 0.5, "ids_forgotten_before_accuracy": 0.0},
            "not forgotten",
        ),
        (
            0.0,
            0.05,
            "ids",
            {"test_accuracy": 0.78, "ids_forgotten_before_accuracy": 0.0},
            "forgotten",
        ),
        (
            0.0,
            0.05,
            "ids",
            {"test_accuracy": 0.5, "ids_forgotten_before_accuracy": 0.8},
            "forgotten",
        ),
    ],
)
def test_what_is_accepted(rate, at_most, scope, before, verdict):
    # What was forgotten earlier is recognised at 0.8 now.
    after = {name: 0.8 if "before" in name else value for name, value in before.items()}
    judgement = judged(at_most, class_wise=scope == "class", control=False, before=before,
                       after={**after, "forget_accuracy": rate})  # fmt: skip
    assert judgement.verdict == verdict
    assert judgement.accepted == (verdict != "not forgotten")


def test_a_method_that_forgets_little_writes_no_card_without(original, digits, tmp_path):
    out = tmp_path / "out"
    done = ask(original, digits, out, *SHORT, "--test", "test", code=1)
    receipt = read_receipt(out)
    rate = receipt["record"]["metrics"]["forget_accuracy"]
    assert rate > 0.5 and receipt["judgement"] == {
        "at_most": 0.05, "unseen": None, "unseen_set": None, "verdict": "not forgotten",
    }  # fmt: skip
    assert title(out) == f"# `{NET}` that still recognises {rate:.4f} of `three`"
    text = (out / "README.md").read_text()
    assert "without `three`" not in text and "was to forget 42 training samples" in text
    said = f"not forgotten: {rate:.4f} of the forget set is recognised"
    assert said in text and "## To be forgotten" in text
    last = done.output.splitlines()[-1]
    assert last.startswith(f"Error: {said}") and "at most 0.0500" in last and str(out) in last
    # The work is not lost.
    assert load_original(out).sha256 == receipt["result"]["sha256"]
    checks = json.loads(suli("receipt", "verify", out, "--model", original, "--dataset", digits,
                             "--json").stdout)  # fmt: skip
    assert {check["state"] for check in checks} == {"matches"}


def test_what_is_not_forgotten_is_published_only_where_it_is_accepted(
    hub, original, digits, tmp_path
):
    out, push = tmp_path / "out", ("--push", "ada/little")
    done = ask(original, digits, out, *SHORT, *push, code=1)
    assert done.output.splitlines()[-1].endswith("not published in ada/little")
    said = suli("publish", out, "ada/little", code=2).stderr
    assert "not forgotten" in said and "not published" in said and "--at-most" in said
    assert not [each for each in hub.requests if "repos/create" in each.path]
    done = ask(original, digits, out, *SHORT, *push, "--force", "--at-most", 1)
    assert "published: ada/little@" in done.stdout
    last = done.output.splitlines()[-1]
    assert last.startswith("accepted: ") and "at most 1.0000" in last
    assert "that still recognises" in title(out)


def test_what_is_forgotten_is_called_so(original, digits, tmp_path):
    out = tmp_path / "out"
    done = ask(original, digits, out, *FAR)
    assert done.output.splitlines()[-1].startswith("forgotten: 0.0000 of the forget set")
    assert title(out) == f"# `{NET}` without `three`"
    done = ask(original, digits, out, *FAR, "--json", "--force")
    receipt = json.loads(done.stdout)["receipt"]
    assert receipt["judgement"]["verdict"] == "forgotten"
    assert done.stderr.splitlines()[-1] == outcome(receipt)


def test_by_ids_the_outcome_is_compared_with_unseen_data(original, digits, tmp_path):
    ids = tmp_path / "ids.txt"
    ids.write_text("\n".join(f"train-{row}" for row in range(0, 90, 3)))
    common = {"forget": ("--forget-ids", ids), "method": "neg_grad"}
    never = ("--set", "stop=never", "--set", "lr=1e-6", *SHORT)
    out = tmp_path / "out"
    done = ask(original, digits, out, *never, **common)
    assert done.output.splitlines()[-1].startswith("not judged, since there are no unseen data")
    assert title(out) == f"# `{NET}` after `neg_grad` on 30 of its training samples"
    for unseen in ("test", "held"):
        option = "--test" if unseen == "test" else "--reference"
        done = ask(original, digits, out, *never, option, unseen, "--force", code=1, **common)
        receipt = read_receipt(out)
        judgement, name = receipt["judgement"], option.removeprefix("--")
        assert judgement["unseen_set"] == name and 0.5 < judgement["unseen"] < 0.95
        assert judgement["unseen"] == receipt["original_metrics"][f"{name}_accuracy"]
        assert f"above the {judgement['unseen']:.4f} of the {name} set" in done.stderr
        assert title(out).startswith(f"# `{NET}` that still recognises 1.0000 of 30 of its")


def test_a_control_claims_nothing(original, digits, tmp_path):
    out = tmp_path / "out"
    done = ask(original, digits, out, method="logit_mask")
    assert read_receipt(out)["judgement"]["verdict"] == "control"
    assert title(out) == f"# `{NET}` after `logit_mask` on `three`"
    assert done.output.splitlines()[-1].startswith("a control, which forgets nothing honestly: ")


def test_a_judgement_that_its_metrics_do_not_give_is_found(original, digits, tmp_path):
    ask(original, digits, tmp_path / "out", *SHORT, code=1)
    receipt = read_receipt(tmp_path / "out")
    assert not list(contradictions(receipt))
    receipt["judgement"]["verdict"] = "forgotten"
    assert "its judgement is not the one that its metrics give" in list(contradictions(receipt))


def test_the_kept_class_that_fell_the_furthest_is_named(original, digits, tmp_path):
    out = tmp_path / "out"
    done = ask(original, digits, out, *FAR, "--test", "test", "--retain", "train")
    kept = read_receipt(out)["kept_classes"]
    assert [each["name"] for each in kept if each["set"] == "test"] == [
        *("zero", "one", "two", "four", "five", "six", "seven", "eight", "nine")
    ]
    seen = [each for each in kept if each["set"] == "test"]
    worst = max(seen, key=lambda each: each["original"] - each["unlearned"])
    assert worst["original"] - worst["unlearned"] > 0.2
    assert f"worst kept class (test): {worst['name']}" in done.stdout
    assert f"warning: class {worst['name']}, which was to be kept, fell" in done.stderr
    assert f"`{worst['name']}` fell the furthest" in (out / "README.md").read_text()
    receipt = read_receipt(out)
    count = sum(each["count"] for each in kept if each["set"] == "retain")
    assert count == receipt["dataset"]["sets"]["retain"]["count"]
    assert not list(contradictions(receipt))
    next(each for each in receipt["kept_classes"] if each == worst)["unlearned"] = 0.9
    (found,) = contradictions(receipt)
    assert found == "the accuracies of its kept classes do not make up the test_retain_accuracy"
