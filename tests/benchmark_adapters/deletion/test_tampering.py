"""Ways to alter a receipt after the fact, by a forger who computes every digest anew."""

import shutil

import pytest
from digits_as_images import UNLEARN, suli
from forged_receipt import card_again, forged, other_weights, resealed
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.deletion.check import differences
from benchmark_adapters.deletion.checkpoint_files import CARD, LICENCE, RECEIPT
from benchmark_adapters.deletion.model_card import said
from benchmark_adapters.deletion.receipt import read_receipt
from benchmark_adapters.deletion.receipt_check import verify_receipt
from benchmark_adapters.deletion.signature import signature_checks, signer_of
from benchmark_adapters.originals.checkpoints import CONFIG

OTHER = "0" * 64
CONFIG_CONTENT, LICENCE_CONTENT = f"content of {CONFIG}", f"content of {LICENCE}"
WEIGHTS_AGAIN, RUN_AGAIN = "weights run again", "record of the run"


def put(path, value):
    """A change of one field, `record.seed` say."""
    *parents, last = path.split(".")

    def change(receipt):
        for key in parents:
            receipt = receipt[key]
        receipt[last] = value

    return change


def both(*changes):
    def change(receipt):
        for each in changes:
            each(receipt)

    return change


def dropped(*paths):
    def change(receipt):
        for path in paths:
            *parents, last = path.split(".")
            part = receipt
            for key in parents:
                part = part[key]
            del part[last]

    return change


def fewer_rounds(receipt):
    receipt["record"]["history"] = receipt["record"]["history"][:-2]


def one_for_another(receipt):
    """One right answer of a kept class told of another: together they are as right as before."""
    kept = receipt["kept_classes"]
    one = max(kept, key=lambda each: each["unlearned"])
    other = min(kept, key=lambda each: each["unlearned"])
    one["unlearned"] -= 1 / one["count"]
    other["unlearned"] += 1 / other["count"]


def count(number):
    places = ("forget_set.count", "dataset.sets.forget.count", "record.sizes.forget")
    return both(*(put(place, number) for place in places))


def forget_hash(*places):
    return both(*(put(place, OTHER) for place in places))


ALL_FORGET = ("forget_set.sha256", "dataset.sets.forget.sha256", "record.forget_set_hash",
              "record.set_hashes.forget")  # fmt: skip
RETAIN = {"split": "train", "count": 358, "sha256": OTHER}
EARLIER = {"method": "su", "count": 42, "sha256": OTHER, "classes": [3], "class_names": ["three"],
           "ids": []}  # fmt: skip
# What is said otherwise, and what of the verification then differs.
SAID = {
    "another method": (put("record.method", "su"), "method"),
    "another preset with these hyper-parameters": (put("record.method", "suli@official"), "method"),
    "a method that is no method here": (put("record.method", "magic"), "method"),
    "another scope": (put("record.scope", "instance-wise"), RECEIPT),
    "a hyper-parameter's value": (put("record.hyperparameters.sweeps", 3), WEIGHTS_AGAIN),
    "a hyper-parameter that there is not": (put("record.hyperparameters.magic", 1), "method"),
    "a hyper-parameter left out": (dropped("record.hyperparameters.lr"), "facts"),
    "another precision": (put("record.precision", "bf16"), WEIGHTS_AGAIN),
    "class names": (put("forget_set.class_names", ["four"]), "facts"),
    "classes": (both(put("forget_set.classes", [4]), put("record.scenario", "class-4")), "facts"),
    "the class asked for": (put("dataset.options.forget_classes", ["four"]), "forget set"),
    "the count in one place": (put("forget_set.count", 41), RECEIPT),
    "the count everywhere": (count(41), "facts"),
    "copies not looked for": (put("forget_set.copies", None), "facts"),
    "copies made up": (
        put("forget_set.copies", [{"part": "retain", "id": "a", "forgotten": "b"}]), "facts"),
    "a set dropped": (dropped("dataset.sets.test", "record.sizes.test",
                              "record.set_hashes.test"), RECEIPT),
    "a set made up": (both(put("dataset.sets.retain", RETAIN), put("record.sizes.retain", 358),
                           put("record.set_hashes.retain", OTHER)), RECEIPT),
    "a set made up and asked for": (
        both(put("dataset.sets.retain", RETAIN), put("record.sizes.retain", 358),
             put("record.set_hashes.retain", OTHER), put("dataset.options.retain", "train")),
        "retain set"),
    "the forget set's hash": (forget_hash("forget_set.sha256"), RECEIPT),
    "its hash among the sets": (forget_hash("dataset.sets.forget.sha256"), RECEIPT),
    "its hash in the record": (forget_hash("record.forget_set_hash"), RECEIPT),
    "its hash everywhere": (forget_hash(*ALL_FORGET), "forget set"),
    "metrics": (put("record.metrics.test_retain_accuracy", 0.95), "metrics of the unlearned model"),
    "the original's metrics": (put("original_metrics.forget_accuracy", 0.9),
                               "metrics of the original"),
    "a metric dropped": (dropped("record.metrics.mia_auc", "original_metrics.mia_auc"),
                         "metrics of the original"),
    "an earlier request made up": (put("forgotten_before", [EARLIER]), "forgotten earlier"),
    "what was not measured": (put("not_measured", {}), "facts"),
    "what was read": (put("reads", ["forget", "retain"]), "facts"),
    "a control": (put("record.control", True), "facts"),
    "the licence's name": (put("original.license", "mit"), "facts"),
    "kept classes": (put("kept_classes", []), RECEIPT),
    "a right answer of another class": (one_for_another, "kept classes"),
    "a seed": (put("record.seed", 1), RUN_AGAIN),
    "another original": (both(put("original.sha256", OTHER),
                              put("record.original.sha256", OTHER)),
                         "original (model.safetensors)"),
    "the original's weights": (both(put("original.state_hash", OTHER),
                                    put("record.original_hash", OTHER)), "original"),
    "what was given": (put("original.given", {"mean": [0.1, 0.1, 0.1]}), CONFIG_CONTENT),
    "the image size": (put("dataset.options.image_size", 32), "metrics of the original"),
    "a stored split made up": (put("dataset.stored_split", {"name": "x", "sha256": OTHER}),
                               "facts"),
    "rounds": (fewer_rounds, RUN_AGAIN),
    "passes": (put("record.passes.backward", {"forget": 1}), RUN_AGAIN),
    "why it stopped": (put("record.stop_reason", "forgotten"), RUN_AGAIN),
    "notes": (put("record.notes", {"proof": True}), RUN_AGAIN),
    "the device": (put("record.device", "NVIDIA H100"), RUN_AGAIN),
    "processes": (put("record.processes", 8), RUN_AGAIN),
    "who made the method": (put("record.plugin.distribution", "other"), "method"),
}  # fmt: skip
# What only a signature holds: no other computer can find them again.
SIGNED_ONLY = {
    "times": put("record.seconds", {"update": 0.01, "total": 0.02}),
    "the day": put("record.created", "2020-01-01T00:00:00+00:00"),
    "the command": put("record.command", "suli unlearn --method exact"),
    "the commit": put("record.git_commit", "f" * 40),
    "versions of data libraries": put("versions.pillow", "1.0"),
    "what was to be accepted": put("judgement.at_most", 0.9),
    "where the original was": both(
        put("original.source", "other"), put("record.original.source", "other")),
}  # fmt: skip


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A private and a public key, PEM files."""
    from key_pair import key_pair

    return key_pair(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def signed(tmp_path_factory, original, digits, keys):
    """A signed checkpoint, made once."""
    out = tmp_path_factory.mktemp("signed") / "out"
    suli(*UNLEARN, "--model", original, "--dataset", digits, "--forget-class", "three",
         "--method", "suli", "--test", "test", "--output", out, "--sign", keys[0])  # fmt: skip
    return out


@pytest.fixture
def checkpoint(signed, tmp_path):
    return shutil.copytree(signed, tmp_path / "checkpoint")


@pytest.fixture
def found(checkpoint, original, digits, keys):
    """The states of all checks of the checkpoint, at level rerun, without and with the key."""

    def find():
        checks = verify_receipt(checkpoint, model=str(original), dataset=str(digits), level="rerun")
        (by_key,) = signature_checks(
            checkpoint, read_receipt(checkpoint), signer_of(keys[1], None, None)
        )
        return {check.what: check.state for check in checks}, by_key.state

    return find


def differing(states):
    return {what for what, state in states.items() if state == "differs"}


def failed(states):
    return {what for what, state in states.items() if state != "matches"} - {"signature"}


def test_an_honest_checkpoint_passes(found):
    states, by_key = found()
    assert not failed(states) and by_key == "matches"
    assert {WEIGHTS_AGAIN, RUN_AGAIN, "facts", CARD} <= states.keys()


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_otherwise_is_caught_without_a_signature(name, checkpoint, found):
    change, where = SAID[name]
    forged(checkpoint, change)
    states, by_key = found()
    assert where in failed(states), states
    assert by_key == "differs"


@pytest.mark.parametrize("name", SIGNED_ONLY)
def test_what_nobody_can_compute_again_takes_a_signature(name, checkpoint, found):
    forged(checkpoint, SIGNED_ONLY[name])
    states, by_key = found()
    assert not failed(states)  # as the README says of an unsigned receipt
    assert by_key == "differs"


@pytest.fixture(scope="module")
def second(tmp_path_factory, unlearned, digits):
    """A second request, after one for `three`; none of its sets shows what that one forgot."""
    out = tmp_path_factory.mktemp("second") / "out"
    suli(*UNLEARN, "--model", unlearned, "--dataset", digits, "--forget-class", "five",
         "--method", "su", "--set", "epochs=1", "--output", out)  # fmt: skip
    return out


@pytest.mark.parametrize(
    "change",
    [
        None,
        put("forgotten_before", []),
        lambda receipt: receipt["forgotten_before"].append({**EARLIER, "classes": [4]}),
        lambda receipt: receipt["forgotten_before"][0].update(method="retrain"),
        lambda receipt: receipt["forgotten_before"][0].update(count=41),
    ],
)
def test_what_was_forgotten_earlier_is_the_originals_to_say(
    change, second, unlearned, digits, tmp_path
):
    checkpoint = shutil.copytree(second, tmp_path / "checkpoint")
    if change is not None:
        forged(checkpoint, change)
    checks = verify_receipt(checkpoint, model=str(unlearned), dataset=str(digits))
    wrong = {check.what for check in checks if check.state != "matches"}
    assert ("forgotten earlier" in wrong) == (change is not None), wrong
    assert change is not None or not wrong


def test_a_card_that_promises_more_is_caught_and_not_published(hub, checkpoint, found):
    receipt = read_receipt(checkpoint)
    body = said(receipt).replace("This is approximate unlearning.", "This is exact unlearning.")
    card_again(checkpoint, receipt, body)
    states, by_key = found()
    assert differing(states) == {CARD} and by_key == "differs"
    refused = suli("publish", checkpoint, "ada/net", code=2).stderr
    assert f"is not as its receipt says: {CARD}; not published" in refused
    assert hub.count("POST") == 0


def test_other_weights_with_every_hash_made_right_are_caught(checkpoint, found):
    def nudged(state):
        state["classifier.bias"][0] += 1e-6

    other_weights(checkpoint, nudged)
    states, by_key = found()
    # The scores are the same: it takes the run.
    assert differing(states) == {WEIGHTS_AGAIN, RUN_AGAIN} and by_key == "differs"


@pytest.mark.parametrize(
    ("name", "old", "new", "where"),
    [
        (CONFIG, "0.37", "0.36", CONFIG_CONTENT),
        (CONFIG, '"seed": 0', '"seed": 1', "unlearning in config.json"),
        (LICENCE, "2026", "2016", LICENCE_CONTENT),
    ],
)
def test_another_file_with_its_hash_made_right_is_caught(name, old, new, where, checkpoint, found):
    text = (checkpoint / name).read_text()
    assert old in text
    (checkpoint / name).write_text(text.replace(old, new))
    resealed(checkpoint, read_receipt(checkpoint))
    states, by_key = found()
    assert where in differing(states) and by_key == "differs"


def test_a_file_that_is_left_out_or_added_is_caught(checkpoint, found):
    (checkpoint / LICENCE).unlink()
    resealed(checkpoint, read_receipt(checkpoint))
    states, by_key = found()
    assert LICENCE_CONTENT in differing(states) and by_key == "differs"
    (checkpoint / "adapter.bin").write_bytes(b"\x80weights")
    states, _ = found()
    assert states["adapter.bin"] == "not checked"


def test_emptied_copies_differ_from_those_that_there_are():
    copy = {"part": "retain", "id": "train-7", "forgotten": "train-3"}
    (line,) = differences({"copies": []}, {"copies": [copy]}, "forget_set")
    assert line.startswith("forget_set.copies is [{'part': 'retain', 'id': 'train-7'")
    assert line.endswith("the receipt has []")
