"""`suli receipt verify --level rerun` on the record's own processor, and elsewhere."""

import pytest
from digits_as_images import UNLEARN, suli
from forged_receipt import forged, other_weights
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.deletion.receipt_check import verify_receipt
from benchmark_adapters.originals.load import load_original


@pytest.fixture
def run_again(checkpoint, original, digits):
    def run():
        checks = verify_receipt(checkpoint, model=str(original), dataset=str(digits), level="rerun")
        return {check.what: check for check in checks}

    return run


def elsewhere(receipt):
    receipt["record"]["hardware"] = "Another processor, 4 threads"


def test_here_the_weights_are_the_very_same(checkpoint, original, digits):
    done = suli("receipt", "verify", checkpoint, "--model", original, "--dataset", digits,
                "--level", "rerun")  # fmt: skip
    assert "matches      weights run again: bit by bit" in done.stdout
    less = suli("receipt", "verify", checkpoint, "--model", original, "--dataset", digits)
    assert "run again" not in less.stdout


def test_elsewhere_the_scores_are_within_the_noise(checkpoint, run_again):
    forged(checkpoint, elsewhere)
    assert run_again()["weights run again"].detail == "bit by bit"

    def nudged(state):
        state["classifier.bias"][0] += 1e-6

    other_weights(checkpoint, nudged)
    check = run_again()["weights run again"]
    assert check.state == "matches"
    assert check.detail.endswith("(bits may differ by: hardware)")


def test_elsewhere_a_model_that_forgot_nothing_is_no_noise(checkpoint, original, run_again):
    kept = load_original(original).model.state_dict()

    def as_before(state):
        for name in state:
            state[name] = kept[name].clone()

    def scored_as_before(receipt):
        elsewhere(receipt)
        receipt["record"]["metrics"] = dict(receipt["original_metrics"])

    forged(checkpoint, scored_as_before)
    other_weights(checkpoint, as_before)
    checks = run_again()
    assert checks["metrics of the unlearned model"].state == "matches"
    check = checks["weights run again"]
    assert check.state == "differs" and "forget_accuracy is" in check.detail


def test_elsewhere_a_metric_of_unknown_noise_shows_nothing(original, digits, tmp_path):
    ids, out = tmp_path / "ids.txt", tmp_path / "out"
    ids.write_text("\n".join(f"train-{row}" for row in range(0, 60, 3)))
    suli(*UNLEARN, "--model", original, "--dataset", digits, "--forget-ids", ids, "--reference",
         "held", "--method", "neg_grad", "--set", "stop=never", "--set", "epochs=1",
         "--output", out)  # fmt: skip

    def run(name, by):
        def scored_otherwise(receipt):
            elsewhere(receipt)
            receipt["record"]["metrics"][name] -= by

        forged(out, scored_otherwise)
        checks = verify_receipt(out, model=str(original), dataset=str(digits), level="rerun")
        return next(check for check in checks if check.what == "weights run again")

    def nudged(state):
        state["classifier.bias"][0] += 1e-6

    other_weights(out, nudged)
    assert run("reference_accuracy", 0.001).state == "matches"
    check = run("reference_accuracy", 0.05)
    assert check.state == "not checked" and "no board has measured" in check.detail
    assert "reference_accuracy is" in check.detail
    assert run("forget_accuracy", 0.3).state == "differs"


def test_a_run_in_bf16_is_run_again_in_bf16(original, digits, tmp_path):
    out = tmp_path / "out"
    suli(*UNLEARN, "--model", original, "--dataset", digits, "--forget-class", "three",
         "--method", "suli", "--mixed-precision", "bf16", "--output", out)  # fmt: skip
    done = suli("receipt", "verify", out, "--model", original, "--dataset", digits,
                "--level", "rerun")  # fmt: skip
    assert "matches      weights run again: bit by bit" in done.stdout


def test_what_could_not_be_run_again_is_not_checked(checkpoint, digits):
    done = suli("receipt", "verify", checkpoint, "--dataset", digits, "--level", "rerun", code=1)
    assert "not checked  weights run again: they take checkpoint, original and data" in done.stdout
