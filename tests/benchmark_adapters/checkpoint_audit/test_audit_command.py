"""`suli audit`: what it finds of Retrains, of SULI and of a cheat, and with which exit code."""

import json
import os
import re
import subprocess
import sys

import pytest
from digits_as_images import suli

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.originals.load import load_original
from benchmark_adapters.records.provenance import state_hash

CONTROLS = {"bn_drift", "logit_mask", "bias_mask", "drift_mask", "noise_mask", "head_projection",
            "head_distill"}  # fmt: skip


def read(folder):
    return json.loads((folder / "audit.json").read_text())


def test_a_retrain_is_found_like_retrains(retrains):
    found = read(retrains.folder)
    assert found["verdict"]["outcome"] == "like Retrain"
    like, of = map(int, re.findall(r"\d+", found["headlines"]["model"]))
    assert like == of >= 3
    audit = CaseAudit.of(found)
    roles = {"original": "original", "model": "method", "retrain_held_out": "held out"}
    assert audit.roles == roles | dict.fromkeys(CONTROLS, "control")
    assert audit.hashes["model"] == state_hash(load_original(retrains.another).model)
    assert not audit.impostors.keys() & {"model", "retrain_held_out"}


def test_suli_differs_from_retrains(retrains, suli_checkpoint, original, digits, output):
    done = suli("audit", suli_checkpoint, "--original", original, "--dataset", digits,
                *retrains.options(), "--output", output, code=1)  # fmt: skip
    head = [cell.strip() for cell in done.stdout.splitlines()[0].split("  ") if cell.strip()]
    assert head == ["test", "model", "Retrains", "distance", "verdict"]
    assert re.search(r"^relearning, five images +0\.\d{3} +-?0\.000 ± 0\.000 +\+\d+\.\d +differs: "
                     r"under-forgotten$", done.stdout, re.MULTILINE)  # fmt: skip
    *_, headline, verdict = done.stdout.splitlines()
    assert re.fullmatch(r"\d+ of \d+ tests with power say: like Retrain", headline)
    # Of so few images its answers may be the original's up to a linear map.
    assert re.match(r"the model (differs from Retrain in|cannot be told from a control)", verdict)
    assert "its receipt says: what was forgotten, retain, test" in done.stderr


def test_a_mask_needs_no_retrain_to_be_found(masked_checkpoint, original, digits):
    """In a process of its own, as people run it."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "suli_plugin", "audit", masked_checkpoint,
         "--original", original, "--dataset", digits],
        capture_output=True, text=True, check=False, env={**os.environ},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    head, *rows = done.stdout.splitlines()
    assert set(head.split()) == {"test", "model", "original", *CONTROLS}
    values = next(row for row in rows if row.startswith("linear probe  ")).split()[2:]
    assert len(values) == 2 + len(CONTROLS) and values[0] == values[1]
    assert "not tested: JS to Retrains: there are no Retrains" in done.stdout
    *_, headline, verdict = rows
    assert headline == "no test has power here: cannot tell"
    assert verdict.startswith("the model cannot be told from a control: ")
    assert "1/9 original" in done.stderr and "9/9 head_distill" in done.stderr


def test_without_retrains_nothing_is_decided(retrains, original, digits):
    done = suli("audit", retrains.another, "--original", original, "--dataset", digits,
                "--forget-class", "three", "--json", code=3)  # fmt: skip
    found = json.loads(done.stdout)
    assert found["verdict"] == {
        "outcome": "cannot tell",
        "sentence": "cannot tell whether the model is like Retrain: there are no Retrains to "
        "compare with",
    }
    assert found["same_recipe"] is None
    verdicts = {test["verdicts"].get("model") for test in found["tests"]}
    assert verdicts == {"no Retrains"}
    assert found["sources"]["dataset"]["forgotten"] == ["three"]


def test_retrains_of_another_recipe_are_no_yardstick(retrains, original, digits, tmp_path):
    done = suli("audit", retrains.another, "--original", original, "--dataset", digits,
                "--forget-class", "three", "--train-retrained", "2", "--set", "epochs=1",
                "--json", "--output", tmp_path, code=3)  # fmt: skip
    found = json.loads(done.stdout)
    assert found["same_recipe"] is False and found["limit"] is None
    assert re.match(
        r"the Retrains have [\d.]+% of retained training images right and the "
        r"original [\d.]+%: they had another recipe",
        found["same_recipe_why"],
    )
    assert found["same_recipe_why"] in found["verdict"]["sentence"]
    assert found == read(tmp_path)


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_retrains(retrains, original, digits, count):
    options = retrains.options()[: 2 * count]
    done = suli("audit", retrains.another, "--original", original, "--dataset", digits,
                "--forget-class", "three", *options, code=2)  # fmt: skip
    assert f"at least 3 Retrains, of which the last is held out, got {count}" in done.stderr
