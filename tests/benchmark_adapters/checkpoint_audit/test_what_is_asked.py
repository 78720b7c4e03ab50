"""What `suli audit` is asked: with and without a receipt, wrongly, and of whatever weights."""

import json
import shutil

import pytest
import torch
from digits_as_images import MEAN, NAMES, STD, digits_as_png, suli, with_classes

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.originals.checkpoints import CheckpointConfig, save_checkpoint
from benchmark_adapters.originals.load import load_original


def audit(checkpoint, *more, code):
    return suli("audit", checkpoint, *more, code=code)


def error_of(done):
    """The one line that says what is wrong."""
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    return line.removeprefix("Error: ")


def test_bare_weights_are_audited_too(retrains, original, digits, tmp_path):
    """No configuration, no receipt: what the original's files say holds for them."""
    torch.save(load_original(retrains.another).model.state_dict(), tmp_path / "weights.pt")
    done = audit(tmp_path / "weights.pt", "--original", original, "--dataset", digits,
                 "--forget-class", "#3", "--json", code=3)  # fmt: skip
    found = json.loads(done.stdout)
    told = json.loads((retrains.folder / "audit.json").read_text())
    assert found["hashes"]["model"] == told["hashes"]["model"]
    assert "retained images are the rest of split 'train' (--retain); unseen images are split " in (
        done.stderr
    )


def test_samples_by_id_are_audited(original, digits, retrains, tmp_path):
    (tmp_path / "ids.txt").write_text("".join(f"train-{row}\n" for row in range(40)))
    done = audit(retrains.another, "--original", original, "--dataset", digits, "--forget-ids",
                 tmp_path / "ids.txt", "--json", code=3)  # fmt: skip
    found = json.loads(done.stdout)
    assert found["scope"] == "instance-wise" and found["classes"] == []
    assert found["sources"]["dataset"]["forgotten"] == "40 samples"
    assert found["not_tested"]["control bn_drift"].startswith("bn_drift needs 'reference'")


def test_folders_of_photos_are_data_too(original, masked_checkpoint, tmp_path):
    """And the receipt's original may be elsewhere now."""
    photos = digits_as_png(tmp_path / "photos")
    digits_as_png(photos, keep=slice(400, 550), split="test")
    done = audit(masked_checkpoint, "--original", original, "--dataset", photos, "--json", code=1)
    found = json.loads(done.stdout)
    assert found["verdict"]["outcome"] == "impostor"
    assert "its receipt says that other images were forgotten (three); audited is what was" in (
        done.stderr
    )


def test_an_original_in_the_place_of_the_checkpoint_is_said(original, digits):
    done = audit(original, "--original", original, "--dataset", digits, "--forget-class", "#3",
                 code=1)  # fmt: skip
    assert "CHECKPOINT has the very weights of --original: nothing was unlearned" in done.stderr


def test_what_contradicts_the_receipt_is_said(original, masked_checkpoint, digits):
    """What was said is audited: of a class that nothing was done to, the model is the original."""
    done = audit(masked_checkpoint, "--original", original, "--dataset", digits,
                 "--forget-class", "five", code=1)  # fmt: skip
    assert "its receipt says that other images were forgotten (three)" in done.stderr


def test_a_receipt_of_other_weights_is_said(original, masked_checkpoint, digits, tmp_path):
    folder = shutil.copytree(masked_checkpoint, tmp_path / "checkpoint")
    shutil.copy(original / "model.safetensors", folder)
    done = audit(folder, "--original", original, "--dataset", digits, code=1)
    assert "its receipt is of other weights than these" in done.stderr


def test_of_what_is_missing_the_option_is_named(retrains, original, digits, masked_checkpoint):
    checkpoint = retrains.another
    done = audit(checkpoint, "--dataset", digits, "--forget-class", "three", code=2)
    assert error_of(done) == (
        "say which original with --original; no receipt (unlearning.json) is there to say"
    )
    done = audit(checkpoint, "--original", original, "--forget-class", "three", code=2)
    assert error_of(done).startswith("say which dataset with --dataset; no receipt")
    done = audit(checkpoint, "--original", original, "--dataset", digits, code=2)
    assert error_of(done).startswith("say what to forget, in one way: --forget-class, ")
    done = audit(masked_checkpoint, "--dataset", digits, code=2)
    assert error_of(done) == (
        f"its receipt names a folder {original.name!r}: say where it is with --original"
    )


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("--original", "nowhere"), "no such file or folder: 'nowhere'"),
        (("--forget-class", "eleven"), "eleven"),
        (("--retrained", "a", "--train-retrained", "2"), "at least 3 Retrains"),
        (("--set", "epochs=1"), "--set is of the Retrains that --train-retrained trains"),
        (("--train-retrained", "2", "--set", "speed=9"), "has no hyper-parameter 'speed'"),
        (("--train-retrained", "2", "--retain", "held", "--set", "epochs=none"), "epochs"),
        (("--test", "nowhere"), "there is no split 'nowhere'"),
    ],
)
def test_wrong_input_gives_one_line(retrains, original, digits, change, line):
    told = ("--original", original, "--dataset", digits)
    forget = () if "--forget-class" in change else ("--forget-class", "three")
    done = audit(retrains.another, *told, *forget, *change, code=2)
    assert line in error_of(done)


@pytest.mark.parametrize("which", ["original", "checkpoint", "twice"])
def test_a_retrain_that_is_another_of_the_models_is_refused(retrains, original, digits, which):
    first, second, *_ = retrains.retrains
    third = {"original": original, "checkpoint": retrains.another, "twice": second}[which]
    done = audit(retrains.another, "--original", original, "--dataset", digits, "--forget-class",
                 "three", "--retrained", first, "--retrained", second, "--retrained", third,
                 code=2)  # fmt: skip
    said = {"original": "the original itself", "checkpoint": "the audited checkpoint itself"}
    assert said.get(which, f"the same as {second}") in error_of(done)


def test_a_stored_split_says_itself_what_is_forgotten(retrains, original, digits, tmp_path):
    suli("splits", "make", digits, "--name", "three", "--forget-class", "three",
         "--output", tmp_path / "split")  # fmt: skip
    done = audit(retrains.another, "--original", original, "--dataset", tmp_path / "split",
                 "--json", code=3)  # fmt: skip
    assert json.loads(done.stdout)["sources"]["dataset"]["forgotten"] == ["three"]


def test_other_outputs_are_refused(original, digits, tmp_path):
    config = CheckpointConfig(
        architecture="all_cnn", num_classes=5, mean=MEAN, std=STD, options={"width": 0.1}
    )
    save_checkpoint(tmp_path / "five", build_architecture("all_cnn", 5, width=0.1), config)
    done = audit(tmp_path / "five", "--original", original, "--dataset", digits,
                 "--forget-class", "three", code=2)  # fmt: skip
    assert "has 5 outputs, and the original" in error_of(done)


def test_classes_in_another_order_are_refused(original, digits, retrains, tmp_path):
    swapped = ("one", "zero", *NAMES[2:])
    other = with_classes(retrains.another, tmp_path / "swapped", swapped)
    done = audit(other, "--original", original, "--dataset", digits, "--forget-class", "three",
                 code=2)  # fmt: skip
    assert "has class 'one' at output 0, and the original" in error_of(done)


def test_another_normalisation_is_refused(original, digits, retrains, tmp_path):
    other = shutil.copytree(retrains.another, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "mean": [0.5] * 3}))
    done = audit(other, "--original", original, "--dataset", digits, "--forget-class", "three",
                 code=2)  # fmt: skip
    assert "takes images of mean 0.5,0.5,0.5, and the original" in error_of(done)


def test_data_that_the_original_does_not_know_are_refused(original, retrains, tmp_path):
    """Digits under each other's names."""
    names = (*NAMES[1:], NAMES[0])
    photos = digits_as_png(tmp_path / "photos", names)
    done = audit(retrains.another, "--original", original, "--dataset", photos,
                 "--forget-class", "three", code=1)  # fmt: skip
    assert "data and original do not seem to belong together" in error_of(done)
